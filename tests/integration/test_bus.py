# SPDX-License-Identifier: Apache-2.0
"""Decisions on the message bus: all are counted, whatever the bus does."""

import collections
import concurrent.futures
import statistics
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


class Load:
    """Requests of several clients, each of which must get its own answer.

    :ivar seconds: what each took, by kind
    """

    def __init__(self, member):
        self._member = member
        self.seconds = collections.defaultdict(list)

    def run(self, seconds):
        """Ask for that long at most; return what each took, by kind."""
        self.seconds = collections.defaultdict(list)
        end = time.monotonic() + seconds
        with concurrent.futures.ThreadPoolExecutor(CROWD) as pool:
            list(pool.map(self._client, range(CROWD), [end] * CROWD))
        return dict(self.seconds)

    def _client(self, number, end):
        kinds = (self.refused_upload, self.refused_boot, self.upload)
        name = f"load-{number}"
        for _ in range(ROUNDS):
            if time.monotonic() > end:
                break
            for kind in kinds:
                began = time.monotonic()
                kind(name)
                self.seconds[kind.__name__].append(time.monotonic() - began)

    def refused_upload(self, name):
        assert IDE in refusal(self._member.upload, name, hw_disk_bus="ide")

    def refused_boot(self, name):
        assert IDE in refusal(self._member.ask, name, "old-router")

    def upload(self, name):
        image = self._member.upload(name, hw_disk_bus="virtio")
        assert image.status == "active"
        self._member.image.delete_image(image)


@pytest.fixture
def load(member):
    result = Load(member)
    # What is made at the first request of each kind is not measured.
    for kind in (result.refused_upload, result.refused_boot, result.upload):
        kind("first")
    return result


@pytest.fixture
def settled(counted, decisions):
    """Call to wait until every event of the logs was counted.

    :returns: how many there are since the start of the test, by gate, mode
        and outcome
    """
    until(lambda: total(counted(), "bus_up") == 1, CATCHES_UP)
    start = _still(lambda: decided(counted()))
    decisions()
    seen = collections.Counter()

    def equal():
        seen.update(logged(decisions()))
        return decided(counted()) - start == seen

    def wait():
        until(equal, CATCHES_UP)
        return seen

    return wait


def _still(value):
    """Wait until a value does not change any more; return it."""
    pause = threading.Event()
    before, now = None, value()
    while now != before:
        pause.wait(2)
        before, now = now, value()
    return now


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
    before = load.run(BEFORE)
    settled()
    # when
    cloud.stop("rabbitmq")
    try:
        down = load.run(DOWN)
    finally:
        cloud.start("rabbitmq")
    after = load.run(AFTER)
    # then each request had the answer that it ought to have, and
    until(lambda: total(counted(), "bus_up") == 1, CATCHES_UP)
    assert total(counted(), "notifications_dropped_total") == 0
    events = settled()
    samples = counted()
    assert total(samples, "notifications_unreadable_total") == 0
    assert total(samples, "bus_up") == 1
    print(f"\n{sum(events.values())} decisions: {dict(events)}")
    for kind in before:
        medians = [
            statistics.median(part[kind]) for part in (before, down, after)
        ]
        print(
            f"{kind}: {len(down[kind])} while it was down; median "
            f"{medians[0] * 1e3:.1f} ms before, x{medians[1] / medians[0]:.2f}"
            f" while down, x{medians[2] / medians[0]:.2f} after"
        )
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
