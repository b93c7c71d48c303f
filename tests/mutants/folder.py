# SPDX-License-Identifier: Apache-2.0
"""A copy of the checkout, which mutmut may change."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants import inside
from tests.mutants.areas import Area

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "mutants"
#: Files that no test reads, and other copies of the checkout.
_LEFT_OUT = (
    *(".git", ".tox", ".cache*", ".venv*", "build", "*.egg-info", ".*_cache"),
    *(".demo", ".cloud*", "__pycache__", ".hypothesis"),
)
#: States of a mutant that no test has noticed.
ALIVE = ("survived", "no tests", "not checked")
KILLED = "killed"
#: Inputs of each fuzzed gate: they are tried for every mutant.
_FUZZ = "200"
_DESELECTED = (
    # mutmut adds a function between a mutant and its caller
    "tests/unit/test_log.py::test_a_record_knows_its_caller",
    # too long for every mutant: they measure large inputs
    "tests/unit/cli/test_decision.py::test_memory_does_not_grow_with_the_file",
    "tests/unit/test_server_exemptions.py"
    "::test_ten_thousand_exemptions_are_looked_up_not_searched",
)
#: Options of pytest.
OPTIONS = [
    *("-p", "no:cacheprovider", "-p", "no:warnings", "-p", "no:xdist"),
    *(f"--deselect={name}" for name in _DESELECTED),
]
#: A server that has imported the tests forks for each mutant. The timeout is
#: long, because a busy machine must not end a run.
_SETTINGS = """
[tool.mutmut]
source_paths = ["nova_vhard"]
only_mutate = {files}
also_copy = {others}
process_isolation = "forkserver"
pytest_add_cli_args = {options}
pytest_add_cli_args_test_selection = {tests}
timeout_constant = 10
timeout_multiplier = 30
use_git_change_detection = false
"""


class Folder:
    """The copy for an area.

    :param resume: whether to reuse the results of an earlier run for functions
        that have not changed
    """

    def __init__(self, area: Area, resume: bool = False) -> None:
        self._area = area
        self._path = CACHE / area.name
        if not resume:
            shutil.rmtree(self._path, ignore_errors=True)
        ignored = shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(ROOT, self._path, ignore=ignored, dirs_exist_ok=True)
        others = {path.name for path in self._path.iterdir()}
        lists = {
            "files": area.files,
            "options": OPTIONS,
            "others": sorted(others - {"nova_vhard", "mutants"}),
            "tests": area.tests,
        }
        texts = {name: json.dumps(each) for name, each in lists.items()}
        with (self._path / "pyproject.toml").open("a") as stream:
            stream.write(_SETTINGS.format(**texts))

    def names(self) -> dict[str, str]:
        """Create the mutants; return name to state."""
        return self._ask("names")

    def run(self, names: Sequence[str]) -> dict[str, str]:
        """Run the tests on mutants and return the state of each.

        A mutant that survives in a fork of mutmut is run again in a new
        process: the fork has already imported the code, and a mutant cannot
        change a return value that its function has cached.

        :raises RuntimeError: if a test fails without any mutant
        """
        every = self._ask("run", *names) if names else {}
        states = {name: every[name] for name in names}
        alive = [name for name in names if states[name] in ALIVE]
        if alive and self._fails(""):
            raise RuntimeError("a test fails without any mutant")
        with ThreadPoolExecutor(inside.WORKERS) as pool:
            fails = dict(zip(alive, pool.map(self._fails, alive), strict=True))
        dead = (name for name in alive if fails[name])
        return states | dict.fromkeys(dead, KILLED)

    def _fails(self, name: str) -> bool:
        """Return True if a test of the area fails on a mutant."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", *OPTIONS]
        done = subprocess.run(
            [*command, *self._area.tests],
            cwd=self._path / "mutants",
            env={**self._environment(), "MUTANT_UNDER_TEST": name},
            # Show the failures of a run without a mutant.
            stdout=subprocess.DEVNULL if name else sys.stderr,
            check=False,
        )
        return bool(done.returncode)

    def diffs(self, names: Sequence[str]) -> dict[str, str]:
        """Return the diffs of mutants."""
        return self._ask("diffs", *names) if names else {}

    def _ask(self, *arguments: str) -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, inside.__file__, *arguments],
            cwd=self._path,
            env=self._environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"mutmut fails: {done.stdout[-4000:]}")
        return dict(json.loads(done.stdout.rpartition(inside.MARK)[2]))

    @staticmethod
    def _environment() -> dict[str, str]:
        return {
            # Tests of an area must not write to this run's record.
            **{
                n: v for n, v in os.environ.items() if n != "NOVA_VHARD_RECORD"
            },
            "PYTHONDONTWRITEBYTECODE": "1",
            # Nova's tests would choose eventlet, which does not fork well.
            "OS_NOVA_DISABLE_EVENTLET_PATCHING": "1",
            "NOVA_VHARD_FUZZ": os.environ.get("NOVA_VHARD_FUZZ", _FUZZ),
        }
