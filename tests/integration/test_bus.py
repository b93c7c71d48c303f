# SPDX-License-Identifier: Apache-2.0
"""Decisions on the message bus: all are counted, whatever the bus does."""

import collections
import concurrent.futures
import threading
import time

import pytest

from tests.integration.people import IDE, refusal, until

#: Seconds of load with the bus, without it, and with it again.
BEFORE, DOWN, AFTER = 20, 60, 20
#: Clients at once; of each the most rounds in one go, since what a process of
#: an API has to send waits in a queue, which a fast machine could fill.
CROWD, ROUNDS = 4, 80
#: Longer than the longest time that oslo.messaging waits to connect again.
CATCHES_UP = 120


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


def logged(events):
    """Return the same of the events of the logs."""
    return collections.Counter(
        (event["gate"], event["mode"] or "none", event["outcome"])
        for event in events
    )


@pytest.fixture
def load(member):
    """Call to load the gates for some seconds at most.

    Each of several clients must get its own answer to each request.
    """

    def ask(name):
        assert IDE in refusal(member.upload, name, hw_disk_bus="ide")
        assert IDE in refusal(member.ask, name, "old-router")
        image = member.upload(name, hw_disk_bus="virtio")
        assert image.status == "active"
        member.image.delete_image(image)

    def client(name, end):
        for _ in range(ROUNDS):
            if time.monotonic() > end:
                break
            ask(name)

    def run(seconds):
        end = time.monotonic() + seconds
        names = [f"load-{number}" for number in range(CROWD)]
        with concurrent.futures.ThreadPoolExecutor(CROWD) as pool:
            list(pool.map(client, names, [end] * CROWD))

    return run


@pytest.fixture
def settled(counted, decisions):
    """Call to wait until every event of the logs was counted.

    :returns: how many there are since the start of the test, by gate, mode
        and outcome
    """
    until(lambda: total(counted(), "bus_up") == 1, CATCHES_UP)
    # What came before is counted when it does not change any more.
    pause, before, start = threading.Event(), None, decided(counted())
    while start != before:
        pause.wait(2)
        before, start = start, decided(counted())
    decisions()
    seen = collections.Counter()

    def equal():
        seen.update(logged(decisions()))
        return decided(counted()) - start == seen

    def wait():
        until(equal, CATCHES_UP)
        return seen

    return wait


def test_counts_are_those_of_the_logs(member, settled, counted):
    with member.server("counted", "clean"):
        refusal(member.upload, "old", hw_disk_bus="ide")
    events = settled()
    assert events["glance-api", "enforce", "refuse"] == 1
    assert events["nova-api", "none", "allow"] >= 1
    assert events["scheduler", "none", "allow"] >= 1
    assert total(counted(), "notifications_unreadable_total") == 0


def test_while_the_bus_is_down_nobody_notices(
    cloud, member, load, settled, counted
):
    # given
    load(BEFORE)
    settled()
    # when
    cloud.stop("rabbitmq")
    try:
        load(DOWN)
    finally:
        cloud.start("rabbitmq")
    load(AFTER)
    # then each request had the answer that it ought to have, and
    until(lambda: total(counted(), "bus_up") == 1, CATCHES_UP)
    assert total(counted(), "notifications_dropped_total") == 0
    settled()
    assert total(counted(), "notifications_unreadable_total") == 0
    # and Nova, which needs the bus itself, continues
    with member.server("after", "clean") as server:
        assert server.status == "ACTIVE"


@pytest.fixture
def green_scheduler(cloud):
    """A nova-scheduler on eventlet's threads, as Nova before 34 has it."""
    cloud.stop("nova-scheduler")
    cloud.start("nova-scheduler-eventlet")
    yield
    cloud.stop("nova-scheduler-eventlet")
    cloud.start("nova-scheduler")


def test_green_threads_send_too(cloud, green_scheduler, member, settled):
    for number in range(2):
        # the second time over a connection that has broken in between
        with member.server(f"green-{number}", "clean"):
            events = settled()
        assert events["scheduler", "none", "allow"] == number + 1
        if not number:
            cloud.stop("rabbitmq")
            cloud.start("rabbitmq")


def test_an_exporter_that_was_away_makes_up_for_it(
    cloud, member, settled, counted
):
    # given
    settled()
    cloud.stop("exporter")
    # when
    for _ in range(5):
        refusal(member.upload, "old", hw_disk_bus="ide")
    cloud.start("exporter")
    # then: it begins at 0, and what waited in the queue is counted
    key = ("glance-api", "enforce", "refuse")
    until(lambda: decided(counted())[key] == 5, CATCHES_UP)
