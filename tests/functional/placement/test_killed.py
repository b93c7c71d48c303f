# SPDX-License-Identifier: Apache-2.0
"""A reporter that is killed at each step of a publish, and starts again.

Placement is a process of its own, and so is each reporter: it is killed by
SIGKILL before and after each request that it sends, one after the other.
"""

import datetime
import itertools
import json
import multiprocessing
import signal

import pytest

from nova_vhard.catalogue import results, traits
from nova_vhard.reporter.publishers.json_file import JsonPublisher
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.functional.placement import victim
from tests.functional.placement.test_reporter import (
    FOREIGN,
    NONE,
    NOW,
    VTD_ON,
    captures,
    inspect,
)
from tests.soak.cloud import Client, Cloud
from tests.trees import build

__all__ = ["captures"]
PROVIDER = "6e9a1f6c-6d0c-4c54-a2d3-1f5f1d0a7b11"
LATER = NOW + datetime.timedelta(hours=1)
MARK, LATER_MARK = {traits.of_hour(NOW)}, {traits.of_hour(LATER)}
FORKED = multiprocessing.get_context("forkserver")
CONFIGURATION = """\
[placement]
auth_type = admin_token
endpoint = {url}
token = admin
[vhard_reporter]
root = {folder}/root
state_path = {folder}/state
"""


@pytest.fixture(scope="module")
def placement(tmp_path_factory):
    """A Placement in a process of its own, with one host."""
    FORKED.set_forkserver_preload([victim.__name__])
    made = Cloud(tmp_path_factory.mktemp("placement"), 1, 0)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def ask(placement):
    return Client(placement)


@pytest.fixture
def path(placement, tmp_path):
    """A reporter's configuration file."""
    build(tmp_path / "root", {"/var/lib/nova/compute_id": PROVIDER})
    (tmp_path / "state").mkdir()
    text = CONFIGURATION.format(url=placement.url, folder=tmp_path)
    (tmp_path / "reporter.conf").write_text(text)
    return tmp_path / "reporter.conf"


@pytest.fixture
def host(ask):
    """Recreate the host: call with the traits that it has.

    Those of our names that it does not have do not exist either.
    """

    def make(having):
        ask("DELETE", f"/resource_providers/{PROVIDER}")
        body = {"uuid": PROVIDER, "name": "compute"}
        assert ask("POST", "/resource_providers", body)[0] == 200
        known = set(ask("GET", "/traits?name=startswith:CUSTOM_")[1]["traits"])
        wanted = {name for name in having if name.startswith("CUSTOM_")}
        for name in known & (VTD_ON | MARK | LATER_MARK) - wanted:
            assert ask("DELETE", f"/traits/{name}")[0] == 204
        for name in wanted - known:
            assert ask("PUT", f"/traits/{name}")[0] == 201
        url = f"/resource_providers/{PROVIDER}/traits"
        body = {"traits": sorted(having), "resource_provider_generation": 0}
        assert ask("PUT", url, body)[0] == 200

    return make


def results_of(report):
    """Return the traits that tell a report's failed checks apart."""
    return results.encode({each.check: each.status for each in report.results})


def dies(target, *arguments):
    """Run it in a process; tell whether it was killed, or did its work."""
    process = FORKED.Process(target=target, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.parametrize(
    ("had", "before", "tree", "time", "after"),
    [
        (None, set(), "vtd-on", NOW, VTD_ON | MARK),
        ("none", NONE | MARK, "vtd-on", NOW, VTD_ON | MARK),
        ("vtd-on", VTD_ON | MARK, "none", NOW, NONE | MARK),
        ("vtd-on", VTD_ON | MARK, "none", LATER, NONE | LATER_MARK),
    ],
    ids=["the first", "more proven", "less proven", "less, a new hour"],
)
def test_placement_has_the_one_report_or_the_other_and_never_both(
    path, ask, host, captures, had, before, tree, time, after
):
    report = inspect(captures, tree, time)
    after = after | results_of(report)
    if had:
        before = before | results_of(inspect(captures, had))
    url = f"/resource_providers/{PROVIDER}/traits"
    seen = []
    for step in itertools.count():
        for when in (victim.BEFORE, victim.AFTER):
            # given
            host(FOREIGN | before)
            # when
            killed = dies(victim.publish, path, report, step, when)
            # then
            now = set(ask("GET", url)[1]["traits"])
            assert now in (FOREIGN | before, FOREIGN | after), (step, when)
            seen.append(now == FOREIGN | after)
            # and when it starts again
            publisher = PlacementPublisher(victim.configured(path))
            publisher.publish(report)
            # then
            assert set(ask("GET", url)[1]["traits"]) == FOREIGN | after
        if not killed:
            break
    # One of its requests alone writes what hosts have proven: who was killed
    # before it has changed nothing, and who was killed later everything.
    written = seen.index(True)
    assert written >= 2 * len(("who am I", "what is there", "a name")) - 1
    assert all(seen[written:])


def test_the_file_is_the_one_report_or_the_other(path, captures):
    first, other = (
        inspect(captures, "vtd-on"),
        inspect(captures, "none", LATER),
    )
    publisher = JsonPublisher(victim.configured(path))
    seen = []
    for step in itertools.count():
        publisher.publish(first)
        killed = dies(victim.write, path, other, step)
        with open(publisher.path, encoding="utf-8") as file:
            time = json.load(file)["time"]
        assert time in (first.time.isoformat(), other.time.isoformat())
        seen.append(time == other.time.isoformat())
        publisher.publish(other)
        with open(publisher.path, encoding="utf-8") as file:
            assert file.read() == f"{other.as_json()}\n"
        if not killed:
            break
    # made, opened, renamed, and its folder opened to be synced
    assert len(seen) > 3
    assert not seen[0]
    assert seen[-1]
