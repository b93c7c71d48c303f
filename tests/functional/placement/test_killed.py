# SPDX-License-Identifier: Apache-2.0
"""A reporter that is killed at each request of a publish, and starts again.

unit/test_source.py kills one that writes its file.
"""

import itertools

import pytest

from nova_vhard.catalogue import results, traits
from nova_vhard.placement import names
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.functional.placement.reports import (
    FOREIGN,
    HOUR,
    MARK,
    NONE,
    NOW,
    VTD_ON,
    inspect,
)

LATER = NOW + HOUR
LATER_MARK = {traits.of_hour(LATER)}


class Killed(BaseException):
    """An end of the process, which our code does not handle."""


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
def test_placement_has_the_one_report_or_the_other_and_never_both(
    cloud, conf, host, had, before, tree, time, after
):
    def told(tree):
        answers = inspect(tree).results
        return results.encode({each.check: each.status for each in answers})

    before = FOREIGN | before | (told(had) if had else set())
    after = FOREIGN | after | told(tree)
    # Those of the hours are not there yet.
    cloud.insert(names.of_checks())
    cloud.give(host, before)
    database, report = cloud.copied(), inspect(tree, time)
    seen = []
    for step in itertools.count():
        cloud.put_back(database)
        left = iter(range(step))

        def kill(method, url, left=left):
            # Before this request, or after the answer to the last one.
            if next(left, None) is None:
                raise Killed

        cloud.faults.append(kill)
        try:
            PlacementPublisher(conf, cloud.placement).publish(report)
        except Killed:
            killed = True
        else:
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
    # One of its requests alone writes what hosts have proven: one that was
    # killed before it has changed nothing, and one killed later everything.
    assert seen.index(True) >= len(("who am I", "what is there", "a name"))
    assert all(seen[seen.index(True) :])
