# SPDX-License-Identifier: Apache-2.0
"""Reporters on the real Placement; sessions/reports.txt has more."""

import contextlib
import itertools
import json
import os
import signal
import time
import uuid
from unittest import mock

import pytest

from nova_vhard.catalogue import results, traits
from nova_vhard.host import report
from nova_vhard.host.check import Check, Status
from nova_vhard.placement import names
from nova_vhard.reporter.publishers.json_file import JsonPublisher
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from nova_vhard.reporter.service import Reporter
from tests.functional.placement.reports import (
    FOREIGN,
    HOUR,
    IOMMU,
    MARK,
    NONE,
    NOW,
    VTD_ON,
    inspect,
)

SECOND = HOUR / 3600
TURN = NOW.replace(minute=0) + HOUR


def test_the_hour_turns(cloud, conf, host, publisher):
    publisher.publish(inspect("vtd-on"))
    # Each host writes the new mark at a second of the hour of its own.
    spread = 3600 - 3 * conf.vhard_reporter.interval
    due = TURN + uuid.UUID(host).int % spread * SECOND
    for moment in (TURN, due - SECOND, due):
        publisher.publish(inspect("vtd-on", moment))
        hour = NOW if TURN <= moment < due else due
        expected = FOREIGN | VTD_ON | {traits.of_hour(hour)}
        assert cloud.claims(host)[0] == expected
    # Traits that were lost before that are written at once.
    later = due + HOUR
    publisher.publish(inspect("none", later.replace(minute=0)))
    assert cloud.claims(host)[0] & VTD_ON == NONE & VTD_ON


@pytest.mark.parametrize(
    ("interval", "once"),
    [(300, True), (1200, False)],
    ids=["a program that reports once", "a long interval"],
)
def test_the_mark_is_written_when_the_hour_turns(
    cloud, conf, host, publisher, interval, once
):
    conf.set_override("interval", interval, "vhard_reporter")
    publisher.publish(inspect("vtd-on"))
    if once:
        publisher = PlacementPublisher(conf, cloud.placement)
    publisher.publish(inspect("vtd-on", TURN))
    assert traits.of_hour(TURN) in cloud.claims(host)[0]


class Slow(Check):
    """It does next what a file says."""

    name = "iommu"

    def answer(self, host):
        what = host.root.read("/what")
        time.sleep(600 if what == "hang" else 0)
        os.kill(os.getpid(), signal.SIGKILL if what == "crash" else 0)
        return Status(what), what


@pytest.mark.parametrize(
    ("rounds", "proven"),
    [
        # What it does, and whether it counts as passed then.
        ("PASS hang hang PASS hang", (True, True, False, True, True)),
        ("hang", (False,)),
        ("FAIL hang", (False, False)),
        ("PASS crash hang", (True, False, False)),
        ("PASS UNKNOWN", (True, False)),
        ("PASS FAIL", (True, False)),
    ],
)
def test_a_check_that_runs_out_of_time_passes_once_more(
    cloud, conf, host, publisher, tmp_path, monkeypatch, rounds, proven
):
    monkeypatch.setattr(report, "load", lambda: [Slow()])
    conf.set_override("check_timeout", 1, "vhard_reporter")
    conf.set_override("state_path", str(tmp_path), "vhard_reporter")
    service = Reporter(conf, [publisher, JsonPublisher(conf)])
    for what, passed in zip(rounds.split(), proven, strict=True):
        (tmp_path / "what").write_text(what)
        assert service.once()
        reported = json.loads((tmp_path / "report.json").read_text())
        assert (reported["results"][0]["status"] == "PASS") is passed
        assert (IOMMU in cloud.claims(host)[0]) is passed


# Two reporters run for one host. They do not rewrite claims on which they
# agree. A claim that only one makes lasts until the other's next report.

#: Claims that one of them makes, and the other does not.
DISPUTED = VTD_ON - NONE


#: Events and warnings. ``a+1``: reporter a makes the disputed claims (``-``:
#: does not), and Placement has them afterwards (0: has not; ?: not checked).
#: ``@5``: five minutes after the first report. ``x``: a user removes them.
RIVALS = {
    "the same results": ("a+1 b+1 a+1 b+1 a+1", []),
    "when the hour turns": ("a+1 @89 b-0 a+0 a+0", ["taken away"]),
    # They are written again if no other reporter has written for two hours.
    "removed by mistake": (
        "a+1 x @5 a+0 @120 a+0 @126 a+1",
        ["taken away"],
    ),
    # A claim lasts until the next report of the other reporter: Placement does
    # not say which of them wrote it.
    "the other removes the claims": (
        "a-0 b+1 a-0 b+0 a-0 b+0 a-0 b+0",
        ["found", "taken away"],
    ),
    "both find it again": ("a+1 b-0 a+0 b+? a+1", ["taken away"]),
    "lost again, for one after the other": (
        "a+1 b-0 a+0 b+? a+1 b-0 a-0 a+1",
        ["taken away"],
    ),
    "a reporter that starts again": ("a+1 b-0 c+1", []),
    # The reporter tries again; the claims last until the other's next report.
    "the other keeps removing the claims": (
        "a+1 b-0 @30 a+0 b-0 @60 a+0 b-0 @90 a+0 b-0 @120 a+0 b-0 @150 a+? "
        "b-0 @180 a+? b-0 @210 a+? b-0 @240 a+? b-0 @270 a+? b-0 @300 a+? b-0",
        ["taken away", "found", "taken away"],
    ),
}


@pytest.mark.parametrize(("events", "said"), RIVALS.values(), ids=RIVALS)
def test_rivals(cloud, conf, host, caplog, events, said):
    reporters = {
        name: PlacementPublisher(conf, cloud.placement) for name in "abc"
    }
    caplog.set_level("WARNING")
    time = NOW
    for event in events.split():
        if event == "x":
            cloud.give(host, cloud.traits(host)[0] - DISPUTED)
        elif event.startswith("@"):
            time = NOW + int(event[1:]) * HOUR / 60
        else:
            name, finds, claimed = event
            tree = "vtd-on" if finds == "+" else "none"
            reporters[name].publish(inspect(tree, time))
            # A host writes the mark of a new hour at a time of its own.
            claims = cloud.claims(host)[0]
            has = {each for each in claims if not traits.hour_of(each)}
            proven = NONE if claimed == "0" else VTD_ON
            assert claimed == "?" or has == FOREIGN | proven, event
    warned = [line for line in caplog.messages if "CUSTOM_VHARD_" in line]
    for line, text in zip(warned, said, strict=True):
        assert line.startswith(f"compute: another reporter has {text} ")


LATER = NOW + HOUR
LATER_MARK = {traits.of_hour(LATER)}


class Killed(BaseException):
    """The end of the process: an exception that our code does not handle."""


@pytest.mark.parametrize(
    ("had", "before", "tree", "time", "after"),
    [
        ("", set(), "vtd-on", NOW, VTD_ON | MARK),
        ("none", NONE | MARK, "vtd-on", NOW, VTD_ON | MARK),
        ("vtd-on", VTD_ON | MARK, "none", NOW, NONE | MARK),
        ("vtd-on", VTD_ON | MARK, "none", LATER, NONE | LATER_MARK),
    ],
    ids=["the first", "more proven", "less proven", "less, a new hour"],
)
def test_placement_has_one_report_or_the_other_but_never_both(
    cloud, conf, host, had, before, tree, time, after
):
    def told(tree):
        answers = inspect(tree).results
        return results.encode({each.check: each.status for each in answers})

    before = FOREIGN | before | (told(had) if had else set())
    after = FOREIGN | after | told(tree)
    # The names for hours do not exist yet.
    cloud.insert(names.of_checks())
    cloud.give(host, before)
    database, report = cloud.copied(), inspect(tree, time)
    seen, killed = [], True
    for step in itertools.count():
        cloud.put_back(database)
        # Before this request, or after the response to the last one.
        kill = mock.Mock(side_effect=[*[None] * step, Killed])
        cloud.faults.append(kill)
        with contextlib.suppress(Killed):
            PlacementPublisher(conf, cloud.placement).publish(report)
            killed = False
        cloud.faults.clear()
        now = cloud.traits(host)[0]
        assert now in (before, after), step
        seen.append(now == after)
        # And when it starts again:
        PlacementPublisher(conf, cloud.placement).publish(report)
        assert cloud.traits(host)[0] == after
        if not killed:
            break
    # A single request writes the results: a reporter that is killed before it
    # has changed nothing, and one that is killed later has changed everything.
    assert seen.index(True) >= len(("who am I", "what is there", "a name"))
    assert all(seen[seen.index(True) :])
