# SPDX-License-Identifier: Apache-2.0
"""A device that is plugged in: judged, taken away, or kept."""

import pytest

from nova_vhard.node.guard.hot_plug import MOST, TRIES, HotPlug
from nova_vhard.node.guard.metrics import DETACHED, KEPT, Metrics
from nova_vhard.policy.subject import ATTACH, START
from tests.unit import domain_texts
from tests.unit.guard import domains
from tests.unit.guard.domains import CARD, PASSED, STICK, UUID, xml
from tests.unit.guard.libvirts import FakeConnection

DETACH = "on_host: {mode: enforce, hot_plug: detach}\n"
REPORT = "on_host: {mode: enforce}\n"


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def hot_plug(judge, metrics):
    return HotPlug(judge, metrics)


@pytest.mark.parametrize(
    ("more", "gives", "asked", "detached", "kept"),
    [
        (DETACH, 1, 1, 1, 0),
        (DETACH, TRIES, TRIES, 1, 0),
        (DETACH, None, TRIES, 0, 1),
        (REPORT, 1, 0, 0, 0),
        ("on_host: {hot_plug: detach}\n", 1, 0, 0, 0),
    ],
)
def test_a_card(
    hot_plug,
    judge,
    metrics,
    policy,
    events,
    caplog,
    more,
    gives,
    asked,
    detached,
    kept,
):
    holds = policy(more)
    judge.judge(holds, xml(), START)
    connection = FakeConnection({UUID: xml(devices=CARD)})
    connection.gives = gives
    thread = hot_plug.added(connection, holds, UUID, "net1")
    if thread is not None:
        thread.join()
    assert len(connection.asked) == asked
    assert all("e1000e" in device for device in connection.asked)
    assert metrics._hot_plugs[DETACHED] == detached
    assert metrics._hot_plugs[KEPT] == kept
    assert (f"Guest {UUID} keeps net1" in caplog.text) == bool(kept)
    assert [event["operation"] for event in events()] == ["start", "attach"]


def test_what_was_there_is_left_alone(hot_plug, judge, policy):
    """A good card is plugged into a guest that already breaks a rule."""
    holds = policy(DETACH)
    judge.judge(holds, xml(), START)
    good = CARD.replace("e1000e", "virtio").replace("net1", "net2")
    connection = FakeConnection({UUID: xml(devices=CARD + good)})
    assert hot_plug.added(connection, holds, UUID, "net2") is None
    assert connection.asked == []
    assert hot_plug.added(connection, holds, UUID, "net9") is None


def test_an_unproven_host_is_no_fault_of_a_device(hot_plug, judge, policy):
    required = "hosts: {require: [iommu]}\nmoves: {hosts: enforce}\n"
    holds = policy(DETACH + required)
    good = CARD.replace("e1000e", "virtio")
    connection = FakeConnection({UUID: xml(devices=good)})
    assert hot_plug.added(connection, holds, UUID, "net1") is None


GOOD = CARD.replace("e1000e", "virtio")
VF = "<interface type='hostdev'><alias name='{}'/></interface>".format
PC = b"pc-i440fx-10.0"


def test_no_device_is_to_blame_for_the_rest_of_a_guest(
    hot_plug, judge, policy
):
    """Its flavor needs a proof, its machine is refused also when it moves."""
    holds = policy(DETACH)
    needs = domain_texts.instance(domain_texts.spec("vhard:require", "smt"))
    guest = domain_texts.text(GOOD, meta=needs)
    judge.memory.keep(domain_texts.UUID, ())
    connection = FakeConnection({domain_texts.UUID: guest})
    name = domain_texts.UUID
    assert hot_plug.added(connection, holds, name, "net1") is None
    holds = policy(
        f"{DETACH}moves: {{guest_devices: enforce}}\n"
        "guest_devices: {machine_type: {mode: enforce}}\n"
    )
    old = xml(devices=GOOD).replace(b"pc-q35-10.0", PC)
    assert judge.judge(holds, old, ATTACH).refused
    connection = FakeConnection({UUID: old})
    assert hot_plug.added(connection, holds, UUID, "net1") is None


@pytest.mark.parametrize(
    ("allowed", "specs", "first", "second", "alias"),
    [
        # one of two, of which the guest may keep the first
        ("passthrough: {require: []}\n", "", VF("vf0"), VF("vf1"), "vf1"),
        # beside what the flavor's alias asks for
        (
            "passthrough: {allow: {aliases: [gpu]}, require: []}\n",
            domain_texts.spec("pci_passthrough:alias", "gpu:1"),
            PASSED,
            PASSED.replace("hostdev0", "hostdev1"),
            "hostdev1",
        ),
        # of what no rule is about
        (
            "",
            "",
            STICK.replace("hostdev1", "hostdev0"),
            STICK,
            "hostdev1",
        ),
    ],
)
def test_one_device_too_many(
    hot_plug, judge, policy, allowed, specs, first, second, alias
):
    meta, name = domain_texts.instance(specs), domain_texts.UUID
    before = domain_texts.text(first, meta=meta)
    judge.judge(policy("on_host: {mode: audit}\n"), before, START)
    after = domain_texts.text(first + second, meta=meta)
    connection = FakeConnection({name: after})
    hot_plug.added(connection, policy(DETACH + allowed), name, alias).join()
    assert len(connection.asked) == TRIES
    assert all(alias in device for device in connection.asked)


def test_a_device_of_an_unproven_host(hot_plug, judge, policy):
    allow = "passthrough: {allow: {aliases: ['*'], ports: [vf]}, "
    holds = policy(DETACH + allow + "require: [iommu]}\n")
    judge.judge(holds, xml(), START)
    connection = FakeConnection({UUID: xml(devices=PASSED)})
    hot_plug.added(connection, holds, UUID, "hostdev0").join()
    assert len(connection.asked) == TRIES


def test_a_guest_that_ends_meanwhile(hot_plug, judge, policy, metrics):
    holds = policy(DETACH)
    assert hot_plug.added(FakeConnection(), holds, UUID, "net1") is None
    connection = FakeConnection({UUID: xml(devices=CARD)})
    connection.detach = lambda uuid, device: connection.running.clear()
    hot_plug.added(connection, holds, UUID, "net1").join()
    assert metrics._hot_plugs[DETACHED] == 1


def test_more_devices_than_can_be_waited_for(
    hot_plug, policy, metrics, caplog
):
    holds = policy(DETACH)
    for _ in range(MOST):
        assert hot_plug._slots.acquire(blocking=False)
    other = domains.another()
    connection = FakeConnection({other: xml(devices=CARD, server=other)})
    assert hot_plug.added(connection, holds, other, "net1") is None
    assert metrics._hot_plugs[KEPT] == 1
    assert f"Guest {other} keeps net1" in caplog.text
