# SPDX-License-Identifier: Apache-2.0
"""A gate loads nova_vhard.explain only when it refuses a request.

Each case runs a test of that gate in a separate process.
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
ALLOWED = {
    "scheduler": f"{NOVA}/test_filter_alone.py::test_the_proven_host_is_left",
    "nova-api": f"{NOVA}/test_api_alone.py::TestHostOfAnAttachment"
    "::test_of_a_boot_the_scheduler_asks",
    "glance-api": f"{GLANCE}/test_alone.py"
    "::test_of_whom_and_what_the_event_of_an_upload_is",
    "glance-import": f"{GLANCE}/test_alone.py"
    "::TestImport::test_what_it_lets_pass",
}
REFUSED = {
    "scheduler": f"{NOVA}/test_filter_alone.py"
    "::test_no_proven_host_is_a_refusal_with_its_rule",
    "glance-api": f"{GLANCE}/test_alone.py::test_the_shape_of_a_refusal",
}


def explains(test: str, tmp_path: Path) -> bool:
    """Return whether nova_vhard.explain is loaded after a test."""
    path = tmp_path / "loaded.json"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0"]
    options = ["-p", "no:cacheprovider", "-p", loaded.__name__]
    ended = subprocess.run(
        [*command, *options, test],
        cwd=ROOT,
        env={**os.environ, loaded.VARIABLE: str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "1 passed" in ended.stdout
    names = json.loads(path.read_text())
    assert "nova_vhard.gates.enforcer" in names
    return any(name.startswith("nova_vhard.explain") for name in names)


@pytest.mark.parametrize("gate", ALLOWED)
def test_an_allowed_request(gate: str, tmp_path: Path) -> None:
    assert not explains(ALLOWED[gate], tmp_path)


@pytest.mark.parametrize("gate", REFUSED)
def test_a_refused_request(gate: str, tmp_path: Path) -> None:
    assert explains(REFUSED[gate], tmp_path)
