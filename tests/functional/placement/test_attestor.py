# SPDX-License-Identifier: Apache-2.0
"""The attestor on the real Placement: who is attested, and until when."""

import itertools
import json
import uuid
from types import SimpleNamespace
from unittest import mock

import pytest

from nova_vhard.attestor import service
from nova_vhard.catalogue import traits
from nova_vhard.common import log
from nova_vhard.placement import upkeep
from nova_vhard.placement.client import HOST
from nova_vhard.placement.fleet import fleet
from nova_vhard.placement.posture import PostureUnavailable, Question
from tests import logged
from tests.functional.placement.attestors import (
    MAX_AGE,
    START,
    TRAIT,
    Desk,
)

IOMMU = traits.of_check("iommu")


class Story(Desk):
    """A desk, with the steps that a row of STORIES names."""

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        self.names, self.bad = {}, False

    def happens(self, events):
        """Run events, which are names of methods with their arguments."""
        for event in events.split(", "):
            name, *arguments = event.split()
            getattr(self, name)(*arguments)

    def hosts_of(self, *names):
        """Create compute nodes whose agents are verified."""
        self.names |= {name: self.host(name) for name in names}

    def start(self):
        """Start an attestor in place of any other; it does a round."""
        self.running = self.attestor()
        self.idle(seconds=0)

    def idle(self, rounds=1, seconds=60):
        """Run rounds, one a minute, while the verifier verifies no host."""
        for _ in range(int(rounds)):
            self.cloud.requests.clear()
            done = self.minute(self.running, seconds)
            assert done is not (self.down or self.bad)

    def verified_again(self, rounds=1):
        """Run rounds, one a minute; the verifier verifies all before each."""
        for _ in range(int(rounds)):
            self.verify()
            self.idle()

    def sleep(self, seconds):
        """Let time pass while no attestor runs."""
        self.seconds += int(seconds)

    def at(self, seconds):
        """Set the clock."""
        self.seconds = int(seconds)

    def unverified(self):
        self.verified.clear()

    def fails(self, name):
        self.failed.add(f"agent of {name}")

    def passes(self, name):
        self.failed.remove(f"agent of {name}")

    def demands(self, *names):
        """Let the verifier have a policy for these agents only."""
        named = {f"agent of {name}" for name in names}
        self.undemanded = self.verified.keys() - named

    def disconnect(self):
        """Make the verifier unreachable."""
        self.down = True

    def reconnect(self):
        self.down = False

    def damage(self):
        """Make the mapping unreadable."""
        self.mapping.write_text("hosts: [")
        self.bad = True

    def repair(self):
        self.map()
        self.bad = False

    def unmap(self):
        """Map only another host."""
        self.hosts = {str(uuid.uuid4()): "agent"}
        self.map()

    def keys_are(self, *keys):
        self.write_key(*(key * 32 for key in keys))

    # Assertions

    def attested(self, *names):
        """Check that a scheduler chooses from exactly these hosts."""
        assert self.scheduler() == {self.names[name] for name in names}

    def lost(self):
        """Check that it chooses from no host, and no host has the trait."""
        self.attested()
        assert not self.cloud.placement.providers({TRAIT})

    def swept(self, name):
        """Check that a sweep, without the key, removes a host's trait."""
        done = upkeep.sweep(self.cloud.placement, self.now(), 2)
        assert done.unmarked == [name]

    def undemanded_are(self, *names):
        """Check which hosts the list of hosts marks as undemanded."""
        listed = fleet(self.cloud.placement, self.now(), 2)
        assert [each.name for each in listed if each.undemanded] == [*names]

    def marks_are(self, number):
        assert len(self.marks()) == int(number)

    def errors_are(self, kind, number):
        assert self.running.numbers.errors[kind] == int(number)

    def five_requests(self):
        """Check that the last round sent five requests, and wrote nothing."""
        methods = [method for method, _ in self.cloud.requests]
        assert methods == ["GET"] * 5


@pytest.fixture
def desk(cloud, tmp_path):
    return Story(cloud, tmp_path)


@pytest.fixture
def host(desk):
    desk.hosts_of("a")
    return desk.names["a"]


@pytest.fixture
def attestor(desk, host):
    desk.happens("start, attested a")
    return desk.running


BEGIN = "start, attested a, "
FEW = "c2 c3 c4 c5 c6 c7 c8 c9"
#: Events of host a.
STORIES = {
    "never verified": "unverified, start, lost",
    "nothing changes": f"{BEGIN}verified_again, five_requests",
    "verified all the time": f"{BEGIN}verified_again 30, attested a, "
    "marks_are 1",
    "the first FAIL": f"{BEGIN}fails a, idle, lost, marks_are 0, passes a, "
    "verified_again, attested a",
    "an agent that vanishes": f"{BEGIN}unverified, idle, lost",
    "nothing is demanded of some": f"hosts_of {FEW}, demands a, start, "
    "attested a, verified_again 3, attested a, marks_are 3, "
    f"undemanded_are {FEW}, demands a {FEW}, verified_again, "
    f"attested a {FEW}, undemanded_are",
    "nothing is demanded of any": "demands, start, attested, undemanded_are a",
    # The attestor's clock and the verifier's; the scheduler's is right.
    "a clock that was ahead": "at 3600, verify, start, at 0, attested, "
    "at 3539, attested, at 3540, attested a",
    "a pass that is not renewed": f"{BEGIN}idle 9, attested a, idle, lost",
    "a verifier that is down for a minute": f"{BEGIN}verified_again 2, "
    "disconnect, idle, attested a, reconnect, verified_again, attested a",
    "a verifier that is down for less than the age": f"{BEGIN}"
    "verified_again 2, disconnect, idle 8, attested a, reconnect, "
    "verified_again, attested a",
    "a verifier that is down for longer": f"{BEGIN}verified_again 2, "
    "disconnect, idle 8, attested a, idle 2, lost, errors_are verifier 10",
    # No component has removed the trait, but the mark has expired.
    "an attestor that is down for longer": f"{BEGIN}sleep 600, attested, "
    "swept a, lost",
    "a new one while the verifier is down": f"{BEGIN}disconnect, start, "
    "verify, idle, attested a, sleep 600, idle, lost",
    "a bad mapping adds no host, and a host that fails is lost": f"{BEGIN}"
    "hosts_of b, damage, idle, attested a, verified_again, attested a, "
    "fails a, idle, lost, passes a, idle, lost, repair, verified_again, "
    "attested a b",
    "hosts expire during a bad mapping": f"{BEGIN}damage, start, "
    "verified_again 10, lost",
    "a host that leaves the mapping": f"{BEGIN}unmap, idle, lost, "
    "errors_are mapping 1",
    "a key is changed without a gap": f"{BEGIN}keys_are ab cd, start, "
    "verified_again, attested a, keys_are cd ab, start, verified_again 10, "
    "attested a, keys_are cd, attested a",
}


@pytest.mark.parametrize("events", STORIES.values(), ids=STORIES)
def test_a_story(desk, host, events):
    desk.happens(events)


@pytest.mark.parametrize("peer", ["verifier", "placement"])
def test_a_peer_that_is_away_for_two_hours_has_three_lines(
    desk, host, attestor, caplog, monkeypatch, peer
):
    clock = SimpleNamespace(monotonic=lambda: desk.seconds)
    monkeypatch.setattr(log, "time", clock)
    desk.down = peer == "verifier"
    if peer == "placement":
        desk.cloud.refuse("", "")
    for _ in range(24):
        assert not desk.minute(attestor, 300)
    desk.errors_are(peer, 24)
    desk.cloud.faults.clear()
    desk.happens("reconnect, verified_again, attested a")
    levels, texts = zip(
        *(
            line
            for line in logged.lines(caplog, service.LOG.name)
            if "attested" not in line[1]
        ),
        strict=True,
    )
    assert levels == ("ERROR", "ERROR", "WARNING")
    assert texts[-1] == f"No error of {peer} any longer"


class Killed(BaseException):
    """An exception that our code does not handle."""


def test_killed_at_every_request(desk):
    """A refused host never counts, and no other host loses its trait."""
    good = {desk.host(f"good{number}") for number in range(8)}
    bad = {desk.host("bad0"), desk.host("bad1")}
    for step in itertools.count():
        desk.failed.clear()
        desk.verify()
        assert desk.attestor().once()
        assert desk.scheduler() == good | bad
        desk.seconds += 301
        desk.failed |= {"agent of bad0", "agent of bad1"}
        desk.verify()
        # None for a request that is answered.
        points = itertools.chain([None] * step, [Killed])
        desk.cloud.faults.append(mock.Mock(side_effect=points))
        try:
            desk.attestor().once()
            break
        except Killed:
            desk.cloud.faults.clear()
        assert desk.scheduler() >= good, step
        assert desk.attestor().once()
        assert desk.scheduler() == good, step
    assert 10 < step < 40


def test_two_of_them_do_not_fight(desk, attestor):
    other = desk.attestor()
    assert other.once()
    for each in (attestor, other) * 20:
        desk.verify()
        desk.cloud.requests.clear()
        assert desk.minute(each, 30)
        desk.attested("a")
        assert sum(it[0] != "GET" for it in desk.cloud.requests) <= 2
    desk.happens("marks_are 1, fails a")
    for each in (other, attestor):
        assert each.once()
        desk.attested()


def test_a_scheduler_without_a_key_chooses_no_host(desk, attestor):
    desk.key.unlink()
    with pytest.raises(PostureUnavailable):
        desk.scheduler()


def test_both_marks_are_asked_for_in_one_request(desk):
    hour = traits.of_hour(desk.now())
    both = desk.host("both", {IOMMU, hour})
    claims = desk.host("claims", {IOMMU, hour})
    desk.host("attested")
    desk.host("stale", {IOMMU})
    desk.failed.add("agent of claims")
    assert desk.attestor().once()
    question = Question(frozenset(("iommu",)), 2, attested=True)
    desk.cloud.requests.clear()
    assert desk.scheduler(question) == {both}
    names, *urls = [url for _, url in desk.cloud.requests]
    assert names.startswith(f"/traits?name=in:{TRAIT},{IOMMU},")
    assert urls == [
        "/traits?name=startswith:CUSTOM_VHATT_&associated=false",
        f"/resource_providers?required={TRAIT},{IOMMU}&required=in:{hour}",
    ]
    assert desk.scheduler(Question(frozenset(("iommu",)), 2)) == {both, claims}


def test_reporter_sweep_and_withdraw_leave_the_trait_alone(
    desk, host, attestor
):
    placement = desk.cloud.placement
    change = placement.update(host, lambda ours: {IOMMU}, HOST)
    assert change.removed == frozenset()
    with pytest.raises(ValueError, match="not ours to write"):
        placement.update(host, lambda ours: {TRAIT}, HOST)
    upkeep.sweep(placement, desk.now(), 2)
    assert upkeep.withdraw(placement, host) == frozenset()
    desk.attested("a")
    assert upkeep.unattest(placement, host) == {TRAIT}
    desk.lost()


def test_events(desk, host, caplog):
    """The log has one JSON object for each host that is added or removed."""
    caplog.set_level("INFO", "nova_vhard.attestations")
    desk.happens("start, idle, fails a, idle 2")
    messages = [
        json.loads(text)
        for _, text in logged.lines(caplog, "nova_vhard.attestations")
    ]
    shared = {"host": "a", "provider": host}
    refused = "the verifier refuses it: FAIL"
    until = int(START.timestamp()) + MAX_AGE
    assert messages == [
        shared | {"event": "attested", "until": until, "reason": None},
        shared | {"event": "withdrawn", "until": None, "reason": refused},
    ]


def test_metrics(desk, host, tmp_path):
    desk.happens("hosts_of b, fails b")
    assert desk.attestor(textfile_directory=str(tmp_path)).once()
    text = (tmp_path / "nova_vhard_attestor.prom").read_text()
    assert 'nova_vhard_attested{host="a"} 1.0' in text
    assert 'nova_vhard_attested{host="b"} 0.0' in text
    assert 'nova_vhard_attestor_errors_total{of="verifier"} 0.0' in text


def test_many_hosts(desk):
    """The verifier is asked once, and Placement little.

    A thousand hosts: 143 marks, each made and deleted once in five minutes.
    """
    names = [f"c{number}" for number in range(70)]
    desk.hosts_of(*names)
    desk.happens("start, marks_are 10")
    desk.attested(*names)
    sent = 0
    for _ in range(10):
        desk.verified_again()
        sent += len(desk.cloud.requests)
    assert sent <= 10 * 5 + 2 * 2 * 10
    # when half of them fail, they are out within the round
    desk.failed |= {f"agent of c{number}" for number in range(35)}
    desk.idle()
    assert len(desk.scheduler()) == 35
