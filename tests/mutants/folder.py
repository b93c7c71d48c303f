# SPDX-License-Identifier: Apache-2.0
"""A copy of the checkout, in which mutmut changes what it likes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.mutants import inside, settings
from tests.mutants.areas import Area
from tests.mutants.settings import OPTIONS

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "mutants"

#: What tests do not read, or what is another copy.
_LEFT_OUT = (".git", ".tox", ".cache*", ".venv*", "build", "*.egg-info")
_LEFT_OUT_TOO = (".*_cache", ".demo", ".cloud*", "__pycache__", ".hypothesis")

_WORKERS = 2
#: Limits of time are so many times longer for what has run into them.
_PATIENCE = 4
KILLED = "killed"
#: Inputs of each fuzzed gate: they are tried for every mutant.
_FUZZ = "60"


class Folder:
    """The copy for an area; an older one is replaced."""

    def __init__(
        self, area: Area, cache: Path = CACHE, resume: bool = False
    ) -> None:
        """Copy the checkout.

        :param resume: whether mutants that an earlier run has killed are dead
        """
        self._area = area
        self._path = cache / area.name
        self._results = cache / f"{area.name}.jsonl"
        if not resume:
            self._results.unlink(missing_ok=True)
        shutil.rmtree(self._path, ignore_errors=True)
        shutil.copytree(
            ROOT,
            self._path,
            symlinks=True,
            ignore=shutil.ignore_patterns(*_LEFT_OUT, *_LEFT_OUT_TOO),
        )
        with (self._path / "pyproject.toml").open("a") as stream:
            stream.write(settings.text(area, os.listdir(self._path)))

    def names(self) -> dict[str, str]:
        """Make the mutants; return a digest of each by its name."""
        return dict(self._ask("names"))

    def run(self, mutants: Mapping[str, str]) -> dict[str, str]:
        """Run the tests on mutants and return the state of each.

        :param mutants: names, with digests
        :raises RuntimeError: if mutmut fails, as if a test fails unmutated
        """
        before = self._states()
        left = {
            name: digest
            for name, digest in mutants.items()
            if before.get(digest) != KILLED
        }
        # First what an earlier run has left alive: the tests may be better.
        names = sorted(left, key=lambda name: left[name] not in before)
        left = {name: left[name] for name in names}
        self._fork(left, _WORKERS, 1)
        states = self._states()
        late = {
            name: digest
            for name, digest in left.items()
            if states[digest] == "timeout"
        }
        # Alone, since a busy machine may have been what was slow.
        self._fork(late, 1, _PATIENCE)
        states = self._states()
        named = {name: states[digest] for name, digest in mutants.items()}
        killed = self._anew(named)
        with self._results.open("a", encoding="utf-8") as stream:
            for name, state in killed.items():
                entry = {"digest": mutants[name], "state": state}
                stream.write(json.dumps(entry) + "\n")
        return {**named, **killed}

    def known(self, mutants: Mapping[str, str]) -> dict[str, str]:
        """Return the states of the mutants that have been tried so far.

        :param mutants: names, with digests
        """
        states = self._states()
        return {
            name: states[digest]
            for name, digest in mutants.items()
            if digest in states
        }

    def _states(self) -> dict[str, str]:
        """Return the last state of each mutant, by its digest."""
        if not self._results.exists():
            return {}
        with self._results.open(encoding="utf-8") as lines:
            entries = [json.loads(line) for line in lines]
        return {entry["digest"]: entry["state"] for entry in entries}

    def _fork(
        self, mutants: Mapping[str, str], workers: int, patience: int
    ) -> None:
        """Run the tests on mutants in forks; add to the results."""
        if not mutants:
            return
        wanted = self._path / "wanted.json"
        order = {"mutants": mutants, "workers": workers, "patience": patience}
        wanted.write_text(json.dumps(order))
        command = [sys.executable, "-m", "tests.mutants.forks", str(wanted)]
        command += [str(self._results), *OPTIONS, *self._area.tests]
        done = subprocess.run(
            command,
            cwd=self._path / "mutants",
            env=self._environment(),
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the tests end with {done.returncode}")

    def _anew(self, states: Mapping[str, str]) -> dict[str, str]:
        """Run all tests on what no fork could try, in new processes.

        A fork has imported the code: what a function has returned by then no
        mutant of it can change any more.

        :raises RuntimeError: if a test fails by itself
        """
        early = set(self._ask("imported"))
        names = [
            name
            for name, state in states.items()
            if state in ("survived", "no tests")
            and name.partition("__mutmut_")[0] in early
        ]
        if names and self._fails(""):
            raise RuntimeError("a test fails without any mutant")
        with ThreadPoolExecutor(_WORKERS) as pool:
            fails = dict(zip(names, pool.map(self._fails, names), strict=True))
        return dict.fromkeys((name for name in fails if fails[name]), KILLED)

    def _fails(self, name: str) -> bool:
        """Return True if a test of the area fails on a mutant."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", *OPTIONS]
        done = subprocess.run(
            [*command, *self._area.tests],
            cwd=self._path / "mutants",
            env={**self._environment(), "MUTANT_UNDER_TEST": name},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return bool(done.returncode)

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
        outside = {**os.environ}
        # Tests of an area must not write to this run's record.
        outside.pop("NOVA_VHARD_RECORD", None)
        return {
            **outside,
            "PYTHONDONTWRITEBYTECODE": "1",
            # Nova's tests would choose eventlet, which does not fork well.
            "OS_NOVA_DISABLE_EVENTLET_PATCHING": "1",
            "NOVA_VHARD_FUZZ": os.environ.get("NOVA_VHARD_FUZZ", _FUZZ),
        }
