# SPDX-License-Identifier: Apache-2.0
"""A copy of the checkout, in which mutmut changes what it likes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.mutants import inside
from tests.mutants.areas import Area

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "mutants"

#: What tests do not read, or what is another copy.
_LEFT_OUT = (".git", ".tox", ".cache*", ".venv*", "build", "*.egg-info")
_LEFT_OUT_TOO = (".*_cache", ".demo", ".cloud*", "__pycache__", ".hypothesis")

_SETTINGS = """
[tool.mutmut]
source_paths = ["nova_vhard"]
only_mutate = [{files}]
also_copy = {others}
pytest_add_cli_args = {options}
pytest_add_cli_args_test_selection = {tests}
timeout_constant = 10.0
timeout_multiplier = 5.0
use_git_change_detection = false
"""
_OPTIONS = ["-p", "no:cacheprovider", "-p", "no:warnings", "-p", "no:xdist"]
_WORKERS = 2
#: Inputs of each fuzzed gate: they are tried for every mutant.
_FUZZ = "300"


class Folder:
    """The copy for an area; an older one is replaced."""

    def __init__(self, area: Area, cache: Path = CACHE) -> None:
        """Copy the checkout."""
        self._path = cache / area.name
        shutil.rmtree(self._path, ignore_errors=True)
        shutil.copytree(
            ROOT,
            self._path,
            symlinks=True,
            ignore=shutil.ignore_patterns(*_LEFT_OUT, *_LEFT_OUT_TOO),
        )
        with (self._path / "pyproject.toml").open("a") as stream:
            stream.write(settings(area, os.listdir(self._path)))

    def names(self) -> list[str]:
        """Make the mutants; return their names."""
        return list(self._ask("names"))

    def run(self, names: Sequence[str]) -> dict[str, str]:
        """Run the tests on mutants; return what became of each.

        :param names: all if none
        :raises RuntimeError: if it cannot, as where a test fails by itself
        """
        command = [sys.executable, "-m", "mutmut", "run"]
        command += ["--max-children", str(_WORKERS), *names]
        done = subprocess.run(
            command, cwd=self._path, env=self._environment(), check=False
        )
        if done.returncode:
            raise RuntimeError(f"mutmut ends with {done.returncode}")
        found = self._ask("states")
        return {name: found[name] for name in names or found}

    def diffs(self, names: Sequence[str]) -> dict[str, str]:
        """Return what was changed in mutants."""
        return dict(self._ask("diffs", *names)) if names else {}

    def _ask(self, *arguments: str) -> Any:
        script = str(Path(inside.__file__).resolve())
        done = subprocess.run(
            [sys.executable, script, *arguments],
            cwd=self._path,
            env=self._environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return json.loads(done.stdout.rpartition(inside.MARK)[2])

    def _environment(self) -> dict[str, str]:
        temporary = self._path / "tmp"
        temporary.mkdir(exist_ok=True)
        outside = {**os.environ}
        # What the tests of an area record is none of this run's.
        outside.pop("NOVA_VHARD_RECORD", None)
        return {
            **outside,
            "TMPDIR": str(temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
            # Nova's tests would choose eventlet, which does not fork well.
            "OS_NOVA_DISABLE_EVENTLET_PATCHING": "1",
            "NOVA_VHARD_FUZZ": os.environ.get("NOVA_VHARD_FUZZ", _FUZZ),
        }


def settings(area: Area, entries: Sequence[str]) -> str:
    """Return mutmut's settings.

    :param entries: what the folder has
    """
    others = sorted(set(entries) - {"nova_vhard"})
    return _SETTINGS.format(
        files=json.dumps(area.files),
        others=json.dumps(others),
        options=json.dumps(_OPTIONS),
        tests=json.dumps(area.tests),
    )
