# SPDX-License-Identifier: Apache-2.0
"""A gate loads nova_vhard.explain only when it refuses a request.

Each case runs tests of services in a separate process.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import loaded

ROOT = Path(__file__).parents[2]
NOVA, GLANCE = "tests/functional/nova", "tests/functional/glance"
#: Tests of services, and whether a gate refuses a request in them.
CASES = {
    "neither refuses": (
        [
            f"{NOVA}/test_filter_alone.py::test_verdicts[proven]",
            f"{NOVA}/test_api_alone.py::test_answers[boot]",
            f"{GLANCE}/test_alone.py::test_what_comes_of_a_request[upload]",
            f"{GLANCE}/test_alone.py::test_what_an_import_lets_pass",
        ],
        False,
    ),
    "nova refuses": (
        [f"{NOVA}/test_filter_alone.py::test_verdicts[unproven]"],
        True,
    ),
    "glance refuses": (
        [f"{GLANCE}/test_alone.py::test_what_comes_of_a_request[two devices]"],
        True,
    ),
}


@pytest.mark.parametrize(("tests", "refuses"), CASES.values(), ids=CASES)
def test_explain_is_loaded(
    tests: list[str], refuses: bool, tmp_path: Path
) -> None:
    path = tmp_path / "loaded.json"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0"]
    options = ["-p", "no:cacheprovider", "-p", loaded.__name__]
    ended = subprocess.run(
        [*command, *options, *tests],
        cwd=ROOT,
        env={**os.environ, loaded.VARIABLE: str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert f"{len(tests)} passed" in ended.stdout
    names = json.loads(path.read_text())
    assert "nova_vhard.gates.enforcer" in names
    explained = any(name.startswith("nova_vhard.explain") for name in names)
    assert explained is refuses
