# SPDX-License-Identifier: Apache-2.0
"""Decisions on the message bus: all are counted, whatever the bus does."""

import collections
import concurrent.futures
import time

import pytest

from tests.integration.people import IDE, refusal, restart, until

#: Clients at once; of each the most rounds in one go, since what a process of
#: an API has to send waits in a queue, which a fast machine could fill.
CROWD, ROUNDS = 4, 80
#: Longer than the longest time that oslo.messaging waits to connect again.
CATCHES_UP = 120
REFUSED = ("glance-api", "enforce", "refuse")


def total(samples, name, *labels):
    """Add up the series of a metric that begin with some labels."""
    wanted = (f"nova_vhard_{name}", *labels)
    return sum(
        value
        for series, value in samples.items()
        if series[: len(wanted)] == wanted
    )


def decided(samples):
    """Return how many decisions there were, by gate, mode and outcome."""
    return collections.Counter(
        {
            tuple(labels): int(value)
            for (name, *labels), value in samples.items()
            if name == "nova_vhard_decisions_total" and value
        }
    )


@pytest.fixture
def load(member):
    """Call to load the gates for some seconds at most.

    Each of several clients must get its own answer to each request.
    """

    def client(name, end):
        for _ in range(ROUNDS):
            if time.monotonic() > end:
                break
            assert IDE in refusal(member.upload, name, hw_disk_bus="ide")
            assert IDE in refusal(member.ask, name, "old-router")
            image = member.upload(name, hw_disk_bus="virtio")
            assert image.status == "active"
            member.image.delete_image(image)

    def run(seconds):
        # One alone: while a gate reads a policy, the others use the last one.
        client("first", time.monotonic() + 1)
        names = [f"load-{number}" for number in range(CROWD)]
        ends = [time.monotonic() + seconds] * CROWD
        with concurrent.futures.ThreadPoolExecutor(CROWD) as pool:
            list(pool.map(client, names, ends))

    return run


@pytest.fixture
def settled(counted, decisions):
    """Call to wait until every event of the logs was counted.

    :returns: how many there are since the start of the test, by gate, mode
        and outcome
    """
    until(lambda: total(counted(), "bus_up") == 1, CATCHES_UP)
    # What came before is counted when it does not change any more.
    before, start = None, decided(counted())
    while start != before:
        time.sleep(2)
        before, start = start, decided(counted())
    decisions()
    seen = collections.Counter()

    def equal():
        seen.update(
            (event["gate"], event["mode"] or "none", event["outcome"])
            for event in decisions()
        )
        return decided(counted()) - start == seen

    def wait():
        until(equal, CATCHES_UP)
        assert total(counted(), "notifications_unreadable_total") == 0
        return seen

    return wait


def test_while_the_bus_is_down_nobody_notices(
    cloud, admin, member, load, settled, counted
):
    load(5)
    events = settled()
    assert events[REFUSED] > 0 and events["nova-api", "enforce", "refuse"] > 0
    cloud.stop("rabbitmq")
    try:
        load(60)
    finally:
        cloud.start("rabbitmq")
    load(5)
    # then each request had the answer that it ought to have, and
    until(
        lambda: (
            total(counted(), "bus_up") == 1
            # To Nova, a service is down until it has reported again.
            and {each.state for each in admin.compute().services()} == {"up"}
        ),
        CATCHES_UP,
    )
    assert total(counted(), "notifications_dropped_total") == 0
    settled()
    # and Nova, which needs the bus itself, continues
    with member.server("after", "clean"):
        pass


@pytest.mark.parametrize("scheduler", ["eventlet"], indirect=True)
def test_green_threads_send_too(cloud, scheduler, member, settled):
    for number in range(2):
        # the second time over a connection that has broken in between
        with member.server(f"green-{number}", "clean"):
            events = settled()
        assert events["scheduler", "none", "allow"] == number + 1
        if not number:
            restart(cloud, "rabbitmq")


def test_an_exporter_that_was_away_makes_up_for_it(
    cloud, member, settled, counted
):
    settled()
    cloud.stop("exporter")
    for _ in range(5):
        refusal(member.upload, "old", hw_disk_bus="ide")
    cloud.start("exporter")
    # then: it begins at 0, and what waited in the queue is counted
    until(lambda: decided(counted())[REFUSED] == 5, CATCHES_UP)
