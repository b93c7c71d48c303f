# SPDX-License-Identifier: Apache-2.0
"""Reporters as processes: what they say, lose, and leave when killed."""

import contextlib
import random
import signal
import threading
import time

from cloud.machines import MACHINES
from tests import seeds
from tests.integration.people import until

IOMMU = "CUSTOM_VHARD_IOMMU"
FRESH = "CUSTOM_VHARD_REPORTED_"


def test_placement_knows_what_each_host_has_proven(admin):
    proven = {each.name: IOMMU in admin.traits(each.node) for each in MACHINES}
    assert proven == {
        "compute1": True,
        "compute2": False,
        "compute3": False,
    }
    # and the operator sees it
    answer = admin.command(
        *("vhard", "host", "list", "-f", "value"),
        *("-c", "Host", "-c", "Status", "-c", "iommu"),
    )
    assert answer.success, answer.text
    assert answer.text.splitlines() == [
        "compute1 fresh PASS",
        "compute2 fresh -",
        "compute3 fresh -",
    ]


def stated(names):
    """Leave out in which hour it was: another one may have begun."""
    return {name for name in names if not name.startswith(FRESH)}


def test_a_reporter_killed_anywhere_leaves_nothing_untrue(
    cloud, admin, tree, report_again
):
    """Of a host without an IOMMU nothing else is ever seen."""
    chance = random.Random(seeds.SEED)
    (other,) = [each for each in MACHINES if each.name == "compute2"]
    name = f"reporter-{other.name}"
    before = stated(admin.traits(other.node))
    seen, ended = [], threading.Event()

    def watch():
        while not ended.wait(0.02):
            seen.append(IOMMU in admin.traits(other.node))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(12):
            # so that there is something to write each time
            tree(other, ("none", "vtd-off")[number % 2])
            cloud.stop(name, signal.SIGKILL)
            with contextlib.suppress(ValueError):
                cloud.start(name)
            # from its imports up to after its last write
            time.sleep(chance.uniform(0.5, 3))
    finally:
        ended.set()
        watcher.join()
    # then: the last one, left alone, reports the actual state
    tree(other, other.tree)
    report_again(other)
    until(lambda: stated(admin.traits(other.node)) == before)
    assert seen and not any(seen)
