# SPDX-License-Identifier: Apache-2.0
"""Earlier choices of guests: kept, unreadable, damaged, full, forgotten."""

import json
import os
from unittest import mock

import pytest

from nova_vhard.guard import memory as memories
from nova_vhard.guard.memory import FORGOTTEN, Choice, Memory
from tests.faults import no_files

A = Choice("disk_bus", "ide")
B = Choice("vif_model", None)
C = Choice("aliases", "gpu", "2")


@pytest.fixture
def clock():
    """Return a clock that shows the time ``now``."""
    result = mock.Mock(now=1_000_000.0)
    result.side_effect = lambda: result.now
    return result


def test_what_is_saved_is_what_was_kept(tmp_path, clock):
    first = Memory(str(tmp_path / "state"), clock)
    assert (len(first), first.adopted) == (0, False)
    first.keep("one", {A, B, C})
    first.keep("two", {A})
    first.keep("two", {B}, more=True)
    first.adopt()
    first.save()
    (path,) = (tmp_path / "state").iterdir()
    assert os.stat(path).st_mode & 0o777 == 0o600
    again = Memory(str(tmp_path / "state"), clock)
    known = [again.choices(name) for name in ("one", "two", "three")]
    assert (again.adopted, known) == (True, [{A, B, C}, {A, B}, None])
    # Nothing changed: nothing is written.
    path.unlink()
    again.save()
    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "adopted": true, "guests": {}}',
        '{"version": 1, "adopted": true}',
        '{"version": 1, "adopted": true, "guests": {"a": {"seen": 1}}}',
        '{"version": 1, "adopted": true, "guests": {"a": '
        '{"seen": 1, "choices": [["a"]]}}}',
        "[" * 100_000,
        "\udcff",
    ],
    ids=range(9),
)
def test_a_damaged_file_is_as_none_with_an_alert(tmp_path, caplog, text):
    path = tmp_path / memories.FILE
    path.write_bytes(text.encode(errors="surrogateescape"))
    result = Memory(str(tmp_path))
    assert (len(result), result.adopted) == (0, False)
    # It is kept aside, and replaced without a change.
    result.save()
    assert path.with_name(f"{path.name}.damaged").exists()
    assert json.loads(path.read_text())["guests"] == {}
    assert not Memory(str(tmp_path)).adopted
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "The record of previous guests is lost" in record.message


@pytest.fixture
def unread(tmp_path):
    """Return a memory that has not been read, and the file."""
    first = Memory(str(tmp_path))
    for name in ("was here", "whole", "part"):
        first.keep(name, {A})
    first.adopt()
    first.save()
    with no_files():
        return Memory(str(tmp_path)), tmp_path / memories.FILE


def test_an_unreadable_file_knows_no_guest_and_adopts_none(unread, caplog):
    memory, path = unread
    before = path.read_bytes()
    with no_files():
        memory.keep("came", {B})
        memory.save()
        known = memory.choices("was here"), memory.choices("came")
        assert (memory.adopted, *known) == (True, None, {B})
        assert "Too many open files" in memory.trouble
    assert path.read_bytes() == before
    said = [each.levelname for each in caplog.get_records("setup")]
    assert (said, caplog.records) == (["ERROR"], [])


def test_a_file_that_can_be_read_again_forgets_nobody(unread):
    memory, path = unread
    memory.keep("came", {B})
    memory.keep("whole", {B})
    memory.keep("part", {B}, more=True)
    memory.save()
    assert not memory.trouble
    for result in (memory, Memory(str(path.parent))):
        names = ("was here", "came", "whole", "part")
        known = [result.choices(name) for name in names]
        assert (result.adopted, known) == (True, [{A}, {B}, {B}, {A, B}])


@pytest.mark.parametrize(
    ("text", "adopted"),
    [
        # It was there: it is not as if the daemon ran for the first time.
        (None, True),
        # As when the daemon starts with such a file.
        ("{", False),
        ('{"version": 1, "adopted": false, "guests": {}}', False),
    ],
    ids=["gone", "damaged", "not all taken in"],
)
def test_what_comes_after_an_unreadable_file(unread, caplog, text, adopted):
    memory, path = unread
    path.unlink()
    if text:
        path.write_text(text)
    memory.keep("came", {B})
    memory.save()
    for result in (memory, Memory(str(path.parent))):
        known = result.choices("came"), result.choices("was here")
        assert (result.adopted, *known) == (adopted, {B}, None)
    lost = "The record of previous guests is lost" in caplog.text
    assert lost == (text == "{")


def test_a_disk_that_cannot_be_written(tmp_path, caplog):
    place = tmp_path / "state"
    result = Memory(str(place / "below"))
    place.write_text("no folder")
    result.keep("one", {A})
    for _ in range(2):
        result.save()
    assert result.trouble
    assert caplog.text.count("remembered until a restart") == 1
    place.unlink()
    result.save()
    assert not result.trouble
    assert Memory(str(place / "below")).choices("one") == {A}


def test_who_is_gone_for_long_is_forgotten(tmp_path, clock):
    result = Memory(str(tmp_path), clock)
    for name in ("stays", "goes"):
        result.keep(name, {A})
    for seconds, there, forgotten in (
        # As between the two halves of a hard reboot.
        (0, [], []),
        (FORGOTTEN - 1, ["stays"], []),
        (1, ["stays"], ["goes"]),
        # A clock that is set back forgets no guest, and one set ahead no
        # guest that runs.
        (-10 * FORGOTTEN, [], []),
        (50 * FORGOTTEN, ["stays"], []),
    ):
        clock.now += seconds
        assert result.look_over(there) == forgotten
    result.save()
    assert Memory(str(tmp_path), clock).choices("goes") is None


def test_a_host_that_was_off_for_long_forgets_nobody(tmp_path, clock):
    """Nova defines each domain again when it restarts the guests."""
    result = Memory(str(tmp_path), clock)
    result.keep("one", {A})
    result.save()
    clock.now += 3 * FORGOTTEN
    again = Memory(str(tmp_path), clock)
    assert again.look_over([]) == []
    assert again.choices("one") == {A}
    clock.now += FORGOTTEN
    assert again.look_over([]) == ["one"]


def test_a_memory_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(memories, "MOST_GUESTS", 3)
    monkeypatch.setattr(memories, "MOST_CHOICES", 2)
    result = Memory(str(tmp_path))
    for name in "abcd":
        result.keep(name, {A, B, C})
        result.keep("a", {A, B, C})
    kept = [len(result.choices(name) or ()) for name in "abcd"]
    assert (len(result), kept) == (3, [2, 0, 2, 2])
