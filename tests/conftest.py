# SPDX-License-Identifier: Apache-2.0
"""Hooks shared by all tests: the rule about skips, and the seed."""

import faulthandler
import functools
import gc
import importlib.metadata
import logging
import os
import random
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests import loaded, seeds

# So that a sentence that differs is shown.
pytest.register_assert_rewrite("tests.golden")

#: What only runs when it is asked for: it needs more than Python packages.
collect_ignore = [
    name
    for name in (
        "attestation",
        "dashboard",
        "deploy",
        "emulated",
        "host",
        "integration",
        "oscal",
        "qemu",
        # True of Nova and Glance, not of this project: the searches for
        # differences, and the bypasses in a cloud without a gate.
        "release",
    )
    if os.environ.get(f"NOVA_VHARD_{name.upper()}") != "1"
]

#: Folders whose tests run the code of Nova, Glance or Placement.
SERVICES = {
    Path(__file__).parent / name
    for name in (
        "concurrency",
        "functional/bypass",
        "functional/glance",
        "functional/nova",
        "functional/pages",
        "functional/placement",
        "fuzz",
        "release",
    )
}

# With Nova and Glance half a million objects live as long as the process. To
# look through all of them for garbage takes a third of a second: do it less.
gc.set_threshold(*gc.get_threshold()[:2], 50)


# What is installed does not change while tests run. Looking takes 0.1 s, and
# every reporter looks.
importlib.metadata.entry_points = functools.cache(  # type: ignore[assignment]
    importlib.metadata.entry_points
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--forbid-skips",
        action="store_true",
        help="end with a failure if a test was skipped",
    )
    parser.addoption(
        "--order",
        choices=("forward", "reversed", "random"),
        default="forward",
        help="order of the files and of their tests; random is by the seed",
    )


# Before xdist reads the marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    order = config.getoption("--order")
    if order == "reversed":
        items.reverse()
    elif order == "random":
        random.Random(seeds.SEED).shuffle(items)
    # The tests of a cloud come one after another, in one process.
    places: dict[str, int] = {}
    for number, item in enumerate(items):
        if SERVICES.intersection(item.path.parents):
            item.add_marker(pytest.mark.services)
        name = _cloud(item)
        places.setdefault(_place(item), number)
        if name and getattr(config.option, "loadgroup", False):
            item.add_marker(pytest.mark.xdist_group(name))
            # xdist 3.8 writes the group to an attribute that pytest 9.2 no
            # longer reads.
            if own := getattr(item, "_id", None):
                grouped = type(own).parse(f"{item.nodeid}@{name}")
                item._id = grouped  # type: ignore[attr-defined]
    items.sort(key=lambda item: (places[_place(item)], *_hosts(item)))


def _place(item: pytest.Item) -> str:
    return _cloud(item) or item.nodeid


def _hosts(item: pytest.Item) -> tuple[str, ...]:
    """Return the computes of a test's cloud, if it shares them."""
    case = getattr(item, "cls", None)
    return () if getattr(case, "NEW_HOSTS", True) else case.HOSTS


def _cloud(item: pytest.Item | None) -> str:
    """Return the name of the cloud that a test shares with others, or ""."""
    key = getattr(getattr(item, "cls", None), "cloud_key", lambda: None)()
    return ", ".join(str(each) for each in key if each) if key else ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None):
    """Stop the cloud behind the last test of it."""
    try:
        return (yield)
    finally:
        if _cloud(item) != _cloud(nextitem):
            from tests.functional.nova.shared import OneCloud

            OneCloud.stop()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """End a process that does not end by itself, with a stack of each thread.

    Its result has been printed. Python now waits for threads that a test has
    left, without a limit.
    """
    # mutmut runs pytest in its own process. xdist ends its workers itself.
    if not os.environ.keys() & {"MUTANT_UNDER_TEST", "PYTEST_XDIST_WORKER"}:
        faulthandler.dump_traceback_later(60, exit=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a process all tests of a cloud, or else all tests of a file."""
    from xdist.scheduler import LoadGroupScheduling

    class Scheduling(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return super()._split_scope(nodeid).partition("::")[0]

    grouped = config.getoption("dist") == "loadgroup"
    return Scheduling(config, log) if grouped else None


@pytest.fixture(scope="session", autouse=True)
def slow_machines():
    """Let no test depend on how fast the machine is.

    The search for a fix gets more time. And a thread that has asked Placement
    ends, where it would ask again a minute later, while another test runs.
    """
    if loaded.VARIABLE in os.environ:
        # Here it is asked what a gate itself loads.
        yield
        return
    from nova_vhard.explain import search
    from nova_vhard.placement import posture
    from tests.unit.helpers import never

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "MOST_SECONDS", 60)
        make = posture.Clock.__init__
        patch.setattr(make, "__defaults__", (*make.__defaults__[:-1], never))
        yield


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest):
    """Put the loggers back, and fail a test that leaves a thread.

    Not for tests that share a service, which starts threads within a test.
    The product's own threads are daemons, which end with the process.
    """
    if request.node.get_closest_marker("services"):
        yield
        return
    loggers = logging.root, logging.getLogger("nova_vhard")
    kept = [(each, each.level, [*each.handlers]) for each in loggers]
    before = set(threading.enumerate())
    yield
    for logger, level, handlers in kept:
        logger.setLevel(level)
        logger.handlers[:] = handlers
    assert not {
        each
        for each in set(threading.enumerate()) - before
        if not each.name.startswith("vhard-")
    }


@pytest.fixture(autouse=True)
def no_policy_refused(request: pytest.FixtureRequest):
    """Fail a test whose policy is refused, unless it is about that.

    A service keeps the last valid policy, or refuses everything: what
    a test then sees says nothing of the policy that it has written.
    """
    refused: list[str] = []
    others = {each.ident for each in threading.enumerate()}
    # Under eventlet (Nova before 34), this thread has another ident.
    others.discard(threading.get_ident())

    def note(record: logging.LogRecord) -> bool:
        # A thread of an earlier test may still read its own policy.
        text = record.getMessage()
        if record.thread not in others and text.startswith("Policy cannot"):
            refused.append(text)
        return True

    logger = logging.getLogger("nova_vhard.policy.watch")
    logger.addFilter(note)
    yield
    logger.removeFilter(note)
    if not request.node.get_closest_marker("refused_policy"):
        assert not refused


@pytest.fixture(autouse=True)
def no_patch_left(request: pytest.FixtureRequest):
    """Fail a test that leaves a function replaced in what tests share."""
    before = _functions(request.node)
    yield
    after = _functions(request.node)
    assert not [
        after[each]
        for each in before.keys() & after.keys()
        if before[each] != after[each]
    ]


def _functions(item: pytest.Item) -> dict[int, dict[str, Any]]:
    """Return functions that are attributes of fixtures and of the cloud.

    :returns: by id of the object that has them
    """
    things = [
        each[-1].cached_result[0]
        for each in item._fixtureinfo.name2fixturedefs.values()
        if each[-1].scope != "function" and each[-1].cached_result
    ]
    shared = sys.modules.get("tests.functional.nova.shared")
    if cloud := shared and shared.OneCloud._running:
        things += cloud.attributes.values()
    return {
        id(thing): {
            name: value
            for name, value in vars(thing).items()
            # A mock keeps its calls so.
            if callable(value) and not name.startswith("_mock")
        }
        for thing in things
        if hasattr(thing, "__dict__")
    }


@pytest.fixture(autouse=True)
def fresh_policy_files():
    """Let no gate of a test have what a file of the same name once said."""
    if enforcer := sys.modules.get("nova_vhard.gates.enforcer"):
        enforcer._policy_file.cache_clear()


def pytest_report_header() -> str:
    return f"NOVA_VHARD_SEED={seeds.SEED} repeats what is generated here"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    outcome = yield
    report = outcome.get_result()
    if item.config.getoption("--forbid-skips") and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skips are forbidden here: {report.longrepr}"
    # Odd requests leave odd characters in the log, which xdist cannot send.
    report.sections = [(name, _plain(text)) for name, text in report.sections]
    # Only then: of a text, pytest does not know which line is the reason.
    if report.failed and str(report.longrepr) != _plain(str(report.longrepr)):
        report.longrepr = _plain(str(report.longrepr))


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
