# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard decision summary``: cases not in cases/decision.yaml."""

import gzip
import io
import sys
import tracemalloc
from types import SimpleNamespace

import pytest
from osc_lib.exceptions import CommandError

from nova_vhard.osc.decision import counts as counting
from nova_vhard.osc.decision import log as decision_log
from nova_vhard.osc.decision.summary import SummarizeDecisions
from tests.unit.cli.decision_logs import IDE, line, plain
from tests.unit.cli.desk import rows, run


def file(tmp_path, *lines, name="nova.log"):
    path = tmp_path / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input(monkeypatch, packed):
    data = f"{plain(IDE)}\n".encode()
    stream = io.BytesIO(gzip.compress(data) if packed else data)
    monkeypatch.setattr(
        sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(stream))
    )
    (row,) = rows(SummarizeDecisions, "-")
    assert row["Requests"] == 1


def test_a_file_that_is_not_there_is_told_before_the_reading(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(decision_log, "events", None)
    with pytest.raises(CommandError, match="nothere"):
        run(SummarizeDecisions, file(tmp_path, plain(IDE)), "nothere")


def test_groups_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "GROUPS", 3)
    lines = [plain(IDE, image=f"i{number}") for number in range(10)]
    done = run(
        SummarizeDecisions, file(tmp_path, *lines, lines[0]), "-f", "json"
    )
    result = {each["Image"]: each["Requests"] for each in done.json}
    assert result == {"i0": 2, "i1": 1, "i2": 1, "(others)": 7}
    assert "more than 3 groups" in done.err


#: Three lines of the same length.
LINES = [plain(IDE, image=f"i{number}") for number in range(3)]


@pytest.mark.parametrize(
    ("most", "events"),
    [(0, 0), (1, 0), (len(LINES[-1]) + 1, 1), (10**6, 3)],
    ids=["nothing", "a byte", "a line", "all"],
)
def test_the_end_of_a_file_that_is_written(tmp_path, most, events):
    """Lines that are incomplete, or appended during the read, are ignored."""
    path = file(tmp_path, *LINES)
    read, images = decision_log.Read(), []
    for each in decision_log.recent(path, read, most):
        images.append(each.data["subject"]["image"])
        file(tmp_path, *LINES * 3)
    assert images == ["i0", "i1", "i2"][3 - events :]
    assert read.events == events
    assert read.cut == ([] if events == 3 else [path])


def test_the_end_of_a_compressed_file_is_not_read(tmp_path):
    path = tmp_path / "nova.log.gz"
    path.write_bytes(gzip.compress(b"{}"))
    read = decision_log.Read()
    assert list(decision_log.recent(str(path), read, 10**6)) == []
    assert read.damaged == [
        f"{path}: is compressed; specify the uncompressed log"
    ]


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Ten times the events, and one line without an end, in as much memory."""
    event = f"{line('context', IDE)}\n".encode()

    def peak(count):
        path = tmp_path / "nova.log.gz"
        endless = b"x" * (4 * decision_log.LONGEST)
        path.write_bytes(gzip.compress(event * count + endless, 1))
        tracemalloc.start()
        try:
            (row,) = rows(SummarizeDecisions, str(path))
            assert row["Requests"] == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small = peak(200)
    assert peak(2000) < 1.2 * small
    assert small < 8 * decision_log.LONGEST
