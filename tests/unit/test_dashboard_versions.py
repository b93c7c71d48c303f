# SPDX-License-Identifier: Apache-2.0
"""The table of Horizon's versions, of the rows that runs have left."""

import json

import pytest

from tests.dashboard import versions

ROW = {
    "horizon": "27.0.0",
    "django": "5.2.19",
    "python": "3.13.5",
    "passed": 65,
    "failed": 0,
    "day": "2026-11-27",
}


@pytest.fixture
def rows(monkeypatch, tmp_path):
    monkeypatch.setattr(versions, "_ENVIRONMENTS", tmp_path)
    return tmp_path


def test_a_row_a_version(rows):
    (rows / "27.json").write_text(json.dumps(ROW))
    table = versions._table()
    assert table.count("   * - ") == 1 + len(versions.VERSIONS)
    cells = "".join(f"     - {ROW[name]}\n" for name in list(ROW)[1:])
    assert f"   * - 27.0.0\n{cells}" in table
    assert "   * - 25.3: not run\n     -\n" in table


def test_a_version_that_is_not_there(capsys):
    assert versions.main(["27", "24"]) == 2
    assert capsys.readouterr().out == (
        "24: not one of 25.3, 25.5, 25.7, 26, 27\n"
    )
