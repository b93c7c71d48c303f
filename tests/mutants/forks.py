# SPDX-License-Identifier: Apache-2.0
"""Run the tests of an area on mutants: collect them once, fork for each.

    python -m tests.mutants.forks WANTED RESULTS PYTEST-ARGUMENT...

It works in the folder that mutmut has written. ``WANTED`` is a JSON file with
``mutants`` (names and digests), ``workers``, and ``patience``, by which limits
of time are multiplied. ``RESULTS`` gets a line of JSON for each mutant.

Which functions a test reaches is asked of each test in a process of its own,
where no other has filled a cache: a test that can kill has passed alone. Those
that have killed a mutant of the same function go first, then the quick ones.
"""

import contextlib
import gc
import hashlib
import importlib
import json
import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from mutmut.configuration import config
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

from tests.mutants import processes

#: Limits of a mutant: so many times what its tests take, and seconds more.
_PROCESSOR = (5, 10)
#: By the clock much more: the machine may have other things to do.
_CLOCK = (50, 60)
_OPTIONS = ("-q", "--capture=no", "--tb=native", "--rootdir=.")


class Trial:
    """A plugin of pytest, which does this in place of the tests."""

    def __init__(self, wanted: dict[str, Any], results: Path) -> None:
        self._digests: dict[str, str] = wanted["mutants"]
        self._workers: int = wanted["workers"]
        self._patience: int = wanted["patience"]
        self._results = results
        self._answers = Path("answers-of-tests")
        self._items: Sequence[pytest.Item] = ()
        self._costs: list[float] = []
        self._reach: dict[str, list[int]] = defaultdict(list)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try each mutant; return True: nothing else is to run."""
        if session.testsfailed:
            raise session.Interrupted("a file of tests cannot be read")
        self._items = session.items
        gc.freeze()
        self._ask_tests()
        gc.freeze()
        functions = defaultdict(list)
        for name in self._digests:
            functions[_function(name)].append(name)
        jobs = list(functions.values())
        processes.spread(self._workers, jobs, self._try_function)
        return True

    def _ask_tests(self) -> None:
        """Ask each test which functions it reaches, and what it costs."""
        self._answers.mkdir(exist_ok=True)
        numbers = range(len(self._items))
        unknown = [item for item in numbers if not self._answer(item).exists()]
        processes.spread(self._workers, unknown, self._ask)
        modules = set()
        for number in numbers:
            text = self._answer(number).read_text()
            cost, functions, imported = json.loads(text)
            self._costs.append(cost)
            modules.update(imported)
            for function in functions:
                self._reach[function].append(number)
        _import_others(modules)

    def _answer(self, number: int) -> Path:
        """Return where a test's answer is kept."""
        name = self._items[number].nodeid.encode()
        return self._answers / hashlib.sha256(name).hexdigest()

    def _ask(self, number: int) -> None:
        def run() -> None:
            state()._stats.clear()
            set_mutant_under_test("stats")
            before = set(sys.modules)
            failed = self._first_that_fails([number])
            cost, modules = time.process_time(), set(sys.modules) - before
            if failed is not None:
                os._exit(1)
            answer = (cost, sorted(state()._stats), sorted(modules))
            self._answer(number).write_text(json.dumps(answer))

        if processes.alone(run, 600, 6000):
            raise RuntimeError(f"{self._items[number].nodeid} fails")

    def _try_function(self, names: Sequence[str]) -> None:
        """Try the mutants of a function."""
        tests = self._tests_of(_function(names[0]))
        for name in names:
            killer = self._try(name, tests)
            if killer is not None:
                tests.remove(killer)
                tests.insert(0, killer)

    def _tests_of(self, function: str) -> list[int]:
        """Return the tests that reach a function, the quick ones first."""
        numbers = self._reach.get(function, ())
        return sorted(numbers, key=self._costs.__getitem__)

    def _try(self, name: str, tests: Sequence[int]) -> int | None:
        """Try a mutant; return the test that notices it, if one does."""
        before = _seconds_of_children()
        became, killer = self._outcome(name, tests)
        self._record(
            digest=self._digests[name],
            name=name,
            state=became,
            seconds=round(_seconds_of_children() - before, 3),
            by=None if killer is None else self._items[killer].nodeid,
        )
        return killer

    def _outcome(
        self, name: str, tests: Sequence[int]
    ) -> tuple[str, int | None]:
        """Return what becomes of a mutant, and the test that notices it."""
        if not tests:
            return "no tests", None
        cost = sum(self._costs[test] for test in tests)
        seconds, patience = (
            int(self._patience * (factor * cost + more))
            for factor, more in (_PROCESSOR, _CLOCK)
        )
        with tempfile.NamedTemporaryFile("w+") as note:

            def run() -> None:
                set_mutant_under_test(name)
                failed = self._first_that_fails(tests)
                Path(note.name).write_text(str(failed))
                os._exit(failed is not None)

            status = processes.alone(run, seconds, patience)
            text = note.read()
        if status is None:
            return "timeout", None
        became = "killed" if status else "survived"
        return became, int(text) if text.isdigit() else None

    def _first_that_fails(self, numbers: Sequence[int]) -> int | None:
        """Run tests up to the first that fails; return its number."""
        items = [self._items[number] for number in numbers]
        for place, item in enumerate(items):
            following = items[place + 1] if item is not items[-1] else None
            item.config.hook.pytest_runtest_protocol(
                item=item, nextitem=following
            )
            if item.session.testsfailed:
                return numbers[place]
        return None

    def _record(self, **entry: Any) -> None:
        with self._results.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")


def _import_others(modules: Iterable[str]) -> None:
    """Import once, before the forks, what tests do: not what is mutated."""
    for module in sorted(modules):
        if module.partition(".")[0] not in ("nova_vhard", "tests"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module)


def _function(name: str) -> str:
    return name.partition("__mutmut_")[0]


def _seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(arguments: Iterable[str]) -> int:
    """Try mutants; return pytest's exit status."""
    wanted, results, *rest = arguments
    # It is read where this starts; a test may go elsewhere.
    config()
    set_mutant_under_test("")
    trial = Trial(json.loads(Path(wanted).read_text()), Path(results))
    return int(pytest.main([*_OPTIONS, *rest], plugins=[trial]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
