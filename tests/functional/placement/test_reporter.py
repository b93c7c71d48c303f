# SPDX-License-Identifier: Apache-2.0
"""Reporters on the real Placement; sessions/reports.txt has more."""

import json
import os
import signal
import time

import pytest

from nova_vhard.catalogue import results, traits
from nova_vhard.host import report
from nova_vhard.host.check import Check, Status
from nova_vhard.placement import names
from nova_vhard.reporter.publishers.json_file import JsonPublisher
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from nova_vhard.reporter.service import Reporter
from tests.functional.placement.conftest import killed
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


LATER = NOW + HOUR
LATER_MARK = {traits.of_hour(LATER)}


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
    seen = []

    def publish(*_):
        PlacementPublisher(conf, cloud.placement).publish(report)

    for step in killed(cloud, lambda: cloud.put_back(database), publish):
        now = cloud.traits(host)[0]
        assert now in (before, after), step
        seen.append(now == after)
        # And when it starts again:
        publish()
        assert cloud.traits(host)[0] == after
    # A single request writes the results: a reporter that is killed before it
    # has changed nothing, and one that is killed later has changed everything.
    assert seen.index(True) >= len(("who am I", "what is there", "a name"))
    assert all(seen[seen.index(True) :])
