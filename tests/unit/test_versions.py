# SPDX-License-Identifier: Apache-2.0
"""The table of the rows that runs leave."""

import json

import pytest

from tests.versions import __main__ as versions
from tests.versions.table import SUITES, table

pytestmark = pytest.mark.services
NAME = "py311-nova31"
ROW = {
    "suites": SUITES,
    "python": "3.11.7",
    "nova": "31.0.0",
    "glance": "30.0.0",
    "openstack-placement": "13.0.0",
    "day": "2026-11-29",
    "machine": "x86_64",
    "passed": 7,
    "failed": ["test_it.py::test_bad"],
    "skipped": {"this one lacks it": ["test_it.py::test_old"]},
}


def test_a_row_names_what_failed_and_what_was_skipped():
    text = table({NAME: ROW})
    assert "- this one lacks it: ``test_it.py::test_old``" in text
    assert "- ``test_it.py::test_bad``" in text


def test_a_run_that_was_broken_off_is_no_row(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "_ROWS", tmp_path)
    assert versions._row(NAME) is None
    path = tmp_path / f"{NAME}.json"
    path.write_text(json.dumps({**ROW, "suites": SUITES - 1}))
    assert versions._row(NAME) is None
    assert f"{NAME}: not run to its end" in table({NAME: None})
