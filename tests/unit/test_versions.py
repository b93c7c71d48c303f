# SPDX-License-Identifier: Apache-2.0
"""The row that a run leaves, and the table of the rows."""

import json
import os
import subprocess
import sys

import pytest

from tests.unit.docs import ROOT
from tests.versions import __main__ as versions
from tests.versions.table import SUITES, table

pytestmark = pytest.mark.services

FILE = """
import pytest

def test_good(): pass
def test_bad(): assert 0
@pytest.mark.skip(reason="this one lacks it")
def test_old(): pass
@pytest.fixture
def broken(): raise ValueError
def test_never(broken): pass
"""


def run(folder, row, *arguments):
    """Run pytest as tox does, in a folder of its own."""
    (folder / "test_it.py").write_text(FILE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p"]
    return subprocess.run(
        [*command, "tests.versions.record", str(folder), *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "NOVA_VHARD_ROW": str(row),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_row_is_the_sum_of_its_runs(tmp_path, processes):
    row = tmp_path / "row.json"
    for _ in range(SUITES):
        done = run(tmp_path, row, "-n", processes)
        assert done.returncode == 1, done.stderr
    result = json.loads(row.read_text())
    assert result["suites"] == SUITES
    assert result["passed"] == 1 * SUITES
    assert [each.partition("::")[2] for each in result["failed"]] == [
        *("test_bad", "test_never"),
        *("test_bad", "test_never"),
    ]
    ((reason, names),) = result["skipped"].items()
    assert reason == "this one lacks it"
    assert len(names) == SUITES
    text = table({"py311-nova34": result})
    assert "- this one lacks it: ``test_it.py::test_old``" in text
    assert "- ``test_it.py::test_bad``" in text


def test_a_run_that_was_broken_off_is_no_row(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "_ROWS", tmp_path)
    row = tmp_path / "py311-nova31.json"
    done = run(tmp_path, row, "--no-such-option")
    assert done.returncode == 4
    assert not row.exists()
    assert versions._row("py311-nova31") is None
    row.write_text(json.dumps({"suites": SUITES - 1}))
    assert versions._row("py311-nova31") is None
    assert "py311-nova31: not run to its end" in table({"py311-nova31": None})
