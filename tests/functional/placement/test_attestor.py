# SPDX-License-Identifier: Apache-2.0
"""The attestor on the real Placement: who is attested, and until when."""

import contextlib
import itertools
import json
import uuid
from types import SimpleNamespace

import pytest

from nova_vhard.attestor import service
from nova_vhard.catalogue import traits
from nova_vhard.common import log
from nova_vhard.placement import upkeep
from nova_vhard.placement.client import HOST
from nova_vhard.placement.fleet import fleet
from nova_vhard.placement.posture import PostureUnavailable, Question
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests import logged
from tests.functional.placement.attestors import (
    MAX_AGE,
    START,
    TRAIT,
    Desk,
)

IOMMU = traits.of_check("iommu")


@pytest.fixture
def desk(cloud, tmp_path):
    return Desk(cloud, tmp_path)


@pytest.fixture
def host(desk):
    return desk.host("compute1")


@pytest.fixture
def attestor(desk, host):
    attestor = desk.attestor()
    assert attestor.once()
    assert desk.scheduler() == {host}
    return attestor


@pytest.fixture
def is_lost(desk, host):
    """Return a function that checks that no host is attested any longer."""

    def check():
        assert desk.scheduler() == frozenset()
        assert TRAIT not in desk.cloud.traits(host)[0]

    return check


@pytest.fixture
def is_attested(desk, host):
    """Return a function that lets a minute pass, and a round.

    It checks that the host alone is attested then; ``done`` is whether the
    round had no error.
    """

    def check(attestor, seconds=60, done=True, verify=True):
        if verify:
            desk.verify()
        assert desk.minute(attestor, seconds) is done
        assert desk.scheduler() == {host}

    return check


def test_a_host_that_was_never_verified(desk, host, is_lost):
    desk.verified.clear()
    assert desk.attestor().once()
    is_lost()


def test_where_nothing_changes_five_requests_are_made(desk, attestor):
    desk.verify()
    desk.cloud.requests.clear()
    assert desk.minute(attestor)
    assert [method for method, _ in desk.cloud.requests] == ["GET"] * 5


def test_it_stays_while_it_is_verified(desk, attestor, is_attested):
    for _ in range(30):
        is_attested(attestor)
    assert len(desk.marks()) == 1


def test_the_first_fail_takes_it(desk, attestor, is_attested, is_lost):
    desk.failed.add("agent of compute1")
    assert desk.minute(attestor)
    is_lost()
    assert desk.marks() == set()
    # When the verifier takes it again:
    desk.failed.clear()
    is_attested(attestor)
    # An agent that has vanished:
    del desk.verified["agent of compute1"]
    assert desk.minute(attestor)
    is_lost()


def test_an_agent_of_which_nothing_is_demanded(desk, host, attestor):
    others = {desk.host(f"compute{number}") for number in range(2, 10)}
    desk.undemanded = desk.verified.keys() - {"agent of compute1"}
    for _ in range(3):
        desk.verify()
        assert desk.minute(attestor)
        assert desk.scheduler() == {host}
        # then the list of hosts names them, and nothing is written again
        assert {
            each.name
            for each in fleet(desk.cloud.placement, desk.now(), 2)
            if each.undemanded
        } == {f"compute{number}" for number in range(2, 10)}
        assert len(desk.marks()) == 3
    # when something is demanded of them
    desk.undemanded = set()
    assert desk.minute(attestor)
    assert desk.scheduler() == {host} | others
    assert not any(
        each.undemanded for each in fleet(desk.cloud.placement, desk.now(), 2)
    )


def test_they_are_named_where_no_host_was_ever_attested(desk):
    desk.host("compute1")
    desk.undemanded = {"agent of compute1"}
    assert desk.attestor().once()
    (only,) = fleet(desk.cloud.placement, desk.now(), 2)
    assert only.undemanded and not only.attested


def test_a_clock_that_was_ahead_attests_nobody(desk, host):
    """The attestor's and the verifier's clock; the scheduler's is right."""
    desk.seconds += 3600
    desk.verify()
    assert desk.attestor().once()
    for seconds, counts in ((0, ()), (3539, ()), (3540, {host})):
        desk.seconds = seconds
        assert desk.scheduler() == set(counts)


def test_a_pass_that_is_not_renewed(desk, attestor, is_attested, is_lost):
    for _ in range(9):
        is_attested(attestor, verify=False)
    assert desk.minute(attestor)
    is_lost()


@pytest.mark.parametrize("minutes", [1, 8, 10])
def test_a_verifier_that_is_down(
    desk, attestor, is_attested, is_lost, minutes
):
    """For less than the age, or for longer."""
    # A success that no mark was made for:
    is_attested(attestor)
    is_attested(attestor)
    desk.down = True
    for _ in range(min(minutes, 8)):
        is_attested(attestor, done=False, verify=False)
    if minutes < 10:
        desk.down = False
        is_attested(attestor)
        return
    for _ in range(2):
        assert not desk.minute(attestor)
    is_lost()
    assert attestor.numbers.errors["verifier"] == 10


@pytest.mark.parametrize("peer", ["verifier", "placement"])
def test_a_peer_that_is_away_for_two_hours_has_three_lines(
    desk, host, attestor, caplog, monkeypatch, peer
):
    clock = SimpleNamespace(monotonic=lambda: desk.seconds)
    monkeypatch.setattr(log, "time", clock)

    def down(method, url):
        raise ConnectionError("unreachable")

    if peer == "placement":
        desk.cloud.faults.append(down)
    desk.down = peer == "verifier"
    for _ in range(24):
        assert not desk.minute(attestor, 300)
    assert attestor.numbers.errors[peer] == 24
    desk.down = False
    desk.cloud.faults.clear()
    desk.verify()
    assert desk.minute(attestor)
    assert desk.scheduler() == {host}
    lines = [
        (level, text)
        for level, text in logged.lines(caplog, service.LOG.name)
        if "attested" not in text
    ]
    assert [level for level, _ in lines] == ["ERROR", "ERROR", "WARNING"]
    assert lines[-1][1] == f"No error of {peer} any longer"


def test_an_attestor_that_is_down_for_longer(desk, host, attestor, is_lost):
    desk.seconds += MAX_AGE
    # Nobody has taken the trait, but the mark is over all the same.
    assert TRAIT in desk.cloud.traits(host)[0]
    assert desk.scheduler() == frozenset()
    # A sweep takes the trait, without the key.
    done = upkeep.sweep(desk.cloud.placement, desk.now(), 2)
    assert done.unmarked == ["compute1"]
    is_lost()


def test_a_new_one_while_the_verifier_is_down(
    desk, attestor, is_attested, is_lost
):
    desk.down = True
    after = desk.attestor()
    is_attested(after, done=False)
    desk.seconds += MAX_AGE
    assert not after.once()
    is_lost()


def test_a_bad_mapping_adds_nobody_and_takes_whom_the_verifier_refuses(
    desk, host, attestor, is_attested, is_lost
):
    new = desk.host("compute2")
    desk.mapping.write_text("hosts: [")
    for verify in (False, True):
        is_attested(attestor, done=False, verify=verify)
    desk.failed.add("agent of compute1")
    assert not desk.minute(attestor)
    is_lost()
    desk.failed.clear()
    assert not desk.minute(attestor)
    is_lost()
    desk.map()
    desk.verify()
    assert desk.minute(attestor)
    assert desk.scheduler() == {host, new}


def test_a_bad_mapping_lets_ages_pass(desk, attestor, is_lost):
    restarted = desk.attestor()
    desk.mapping.write_text("hosts: [")
    for _ in range(10):
        desk.verify()
        assert not desk.minute(restarted)
    is_lost()


def test_a_host_that_leaves_the_mapping(desk, attestor, is_lost):
    desk.hosts = {str(uuid.uuid4()): "agent"}
    desk.map()
    assert desk.minute(attestor)
    is_lost()
    assert attestor.numbers.errors["mapping"] == 1


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
        if not killed(desk, step):
            break
        assert desk.scheduler() >= good, step
        assert desk.attestor().once()
        assert desk.scheduler() == good, step
    assert 10 < step < 40


def killed(desk, step):
    """Run an attestor that is killed before a request; return whether."""
    left = step

    def kill(method, url):
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    desk.cloud.faults.append(kill)
    with contextlib.suppress(Killed):
        desk.attestor().once()
    desk.cloud.faults.clear()
    return left < 0


def test_two_of_them_do_not_fight(desk, attestor, is_attested):
    other = desk.attestor()
    assert other.once()
    for _ in range(20):
        desk.cloud.requests.clear()
        is_attested(attestor, 30)
        is_attested(other, 30)
        writes = [it for it in desk.cloud.requests if it[0] != "GET"]
        assert len(writes) <= 2
    assert len(desk.marks()) == 1
    desk.failed.add("agent of compute1")
    for each in (other, attestor):
        assert each.once()
        assert desk.scheduler() == frozenset()


def test_a_key_is_changed_without_a_gap(desk, host, attestor, is_attested):
    old, new = "ab" * 32, "cd" * 32
    desk.write_key(old, new)
    is_attested(desk.attestor())
    desk.write_key(new, old)
    after = desk.attestor()
    for _ in range(10):
        is_attested(after)
    desk.write_key(new)
    assert desk.scheduler() == {host}


def test_a_scheduler_without_a_key_chooses_nobody(desk, attestor):
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
    assert desk.scheduler() == {host}
    assert upkeep.unattest(placement, host) == {TRAIT}
    assert desk.scheduler() == frozenset()
    assert PlacementPublisher.name == "placement"


def test_events(desk, caplog):
    """One JSON object for each host that comes or goes, and no other."""
    host = desk.host("compute1")
    caplog.set_level("INFO", "nova_vhard.attestations")
    attestor = desk.attestor()
    assert attestor.once() and desk.minute(attestor)
    desk.failed.add("agent of compute1")
    assert desk.minute(attestor) and desk.minute(attestor)
    messages = [
        json.loads(it.getMessage())
        for it in caplog.records
        if it.name == "nova_vhard.attestations"
    ]
    shared = {"host": "compute1", "provider": host}
    refused = "the verifier refuses it: FAIL"
    until = int(START.timestamp()) + MAX_AGE
    assert messages == [
        shared | {"event": "attested", "until": until, "reason": None},
        shared | {"event": "withdrawn", "until": None, "reason": refused},
    ]


def test_metrics(desk, attestor, tmp_path):
    attestor = desk.attestor(textfile_directory=str(tmp_path))
    desk.host("compute2")
    desk.failed.add("agent of compute2")
    assert attestor.once()
    text = (tmp_path / "nova_vhard_attestor.prom").read_text()
    assert 'nova_vhard_attested{host="compute1"} 1.0' in text
    assert 'nova_vhard_attested{host="compute2"} 0.0' in text
    assert 'nova_vhard_attestor_errors_total{of="verifier"} 0.0' in text


def test_many_hosts(desk):
    """The verifier is asked once, and Placement little.

    A thousand hosts: 143 marks, each made and deleted once in five minutes.
    """
    names = [f"c{number}" for number in range(70)]
    desk.hosts = {
        desk.cloud.host(name, {"COMPUTE_NODE"}): f"agent of {name}"
        for name in names
    }
    hosts = set(desk.hosts)
    desk.verified = dict.fromkeys(desk.hosts.values(), 0.0)
    desk.map()
    attestor = desk.attestor()
    assert attestor.once()
    assert desk.scheduler() == hosts
    assert len(desk.marks()) == 10
    desk.cloud.requests.clear()
    for _ in range(10):
        desk.verify()
        assert desk.minute(attestor)
    assert len(desk.cloud.requests) <= 10 * 5 + 2 * 2 * 10
    # when half of them fail, they are out within the round
    desk.failed |= {f"agent of c{number}" for number in range(35)}
    assert desk.minute(attestor)
    assert len(desk.scheduler()) == 35
