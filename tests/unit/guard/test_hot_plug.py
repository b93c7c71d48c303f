# SPDX-License-Identifier: Apache-2.0
"""A device that is plugged in: judged, taken away, or kept."""

import re

import pytest

from nova_vhard.guard.hot_plug import TRIES, HotPlug
from nova_vhard.guard.metrics import DETACHED, KEPT, Metrics
from nova_vhard.policy.subject import ATTACH, START
from tests.unit import domain_texts
from tests.unit.guard.domains import CARD, PASSED, STICK, UUID, xml
from tests.unit.guard.libvirts import FakeConnection

DETACH = "on_host: {mode: enforce, hot_plug: detach}\n"
REPORT = "on_host: {mode: enforce}\n"


@pytest.fixture
def hot_plug(judge):
    return HotPlug(judge, Metrics())


@pytest.fixture
def change(judge, hot_plug):
    """Return a function that has a guest change; its threads have ended.

    It returns whether the change is refused, and the number of threads.
    """

    def changed(holds, before, after, connection):
        judgement = judge.judge(holds, after, ATTACH)
        threads = hot_plug.changed(connection, holds, before, after, judgement)
        for thread in threads:
            thread.join()
        return judgement.refused, len(threads)

    return changed


def counts(hot_plug):
    return [hot_plug._metrics._hot_plugs[name] for name in (DETACHED, KEPT)]


@pytest.mark.parametrize(
    ("more", "gives", "asked", "said"),
    [
        (DETACH, 1, 1, [1, 0]),
        (DETACH, TRIES, TRIES, [1, 0]),
        (DETACH, None, TRIES, [0, 1]),
        (REPORT, 1, 0, [0, 0]),
        ("on_host: {hot_plug: detach}\n", 1, 0, [0, 0]),
    ],
)
def test_a_card(
    change, judge, hot_plug, policy, events, caplog, more, gives, asked, said
):
    """It is detached, or kept."""
    holds = policy(more)
    judge.judge(holds, xml(), START)
    connection = FakeConnection({UUID: xml(devices=CARD)})
    connection.gives = gives
    change(holds, xml(), xml(devices=CARD), connection)
    assert ["e1000e" in x for x in connection.asked] == [True] * asked
    assert counts(hot_plug) == said
    assert (f"Guest {UUID} keeps net1" in caplog.text) == bool(said[1])
    assert events("operation") == ["start", "attach"]


GOOD = CARD.replace("e1000e", "virtio")
OTHER = GOOD.replace("net1", "net2")
SOCKET = "<backingStore type='vhostuser'/>"
AGAIN = b"<domain type='kvm' id='9'"


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [
        # A good card is plugged into a guest that already breaks a rule.
        (xml(devices=CARD), xml(devices=CARD + OTHER), []),
        # A disk moves to another bus. The card is not new.
        (xml(devices=CARD), xml("sata", CARD, inside="<mirror/>"), ["disk0"]),
        # The disk changes, and it is refused, but not because of that.
        (xml("sata"), xml("sata", inside="<mirror/>"), []),
        # It is because of that: a block copy, changed media, a snapshot.
        (xml(), xml(inside=SOCKET), ["disk0"]),
        (xml(inside=SOCKET), xml(inside=SOCKET + "<mirror/>"), []),
        (xml("sata"), xml("sata", inside=SOCKET), ["disk0"]),
        (xml(), xml(source="../x"), ["disk0"]),
        # Two at once
        (xml(), xml("sata", CARD), ["disk0", "net1"]),
        # What a guest has had since it was started again
        (xml(), xml(devices=CARD).replace(b"<domain type='kvm'", AGAIN), []),
        (xml(), b"<domain", []),
        (xml(), xml(devices="<smartcard/>"), []),
    ],
)
def test_what_a_guest_is_asked_for(
    change, judge, policy, before, after, asked
):
    judge.memory.keep(UUID, ())
    connection = FakeConnection({UUID: after})
    change(policy(DETACH), before, after, connection)
    text = "\n".join(connection.asked)
    assert sorted(set(re.findall(r"alias name=.(\w+)", text))) == asked


VF = "<interface type='hostdev'><alias name='{}'/></interface>".format
PC = b"pc-i440fx-10.0"
NEEDS_NONE = "passthrough: {require: []}\n"


NEEDS = domain_texts.instance(domain_texts.spec("vhard:require", "smt"))


@pytest.mark.parametrize(
    ("more", "before", "after"),
    [
        # The host has not proven what every guest needs of it.
        (
            "hosts: {require: [iommu]}\nmoves: {hosts: enforce}\n",
            xml(),
            xml(devices=GOOD),
        ),
        # The guest's flavor needs a proof.
        (
            "",
            domain_texts.text("", meta=NEEDS),
            domain_texts.text(GOOD, meta=NEEDS),
        ),
        # Its machine is refused also when it moves.
        (
            "moves: {guest_devices: enforce}\n"
            "guest_devices: {machine_type: {mode: enforce}}\n",
            xml().replace(b"pc-q35-10.0", PC),
            xml(devices=GOOD).replace(b"pc-q35-10.0", PC),
        ),
    ],
    ids=["host", "flavor", "machine"],
)
def test_no_device_is_to_blame_for_the_rest(
    change, judge, policy, more, before, after
):
    holds = policy(DETACH + more)
    for uuid in (UUID, domain_texts.UUID):
        judge.memory.keep(uuid, ())
    changed = change(holds, before, after, FakeConnection())
    assert changed == (True, 0)


@pytest.mark.parametrize(
    ("allowed", "specs", "first", "second", "alias"),
    [
        # one of two, of which the guest may keep the first
        (NEEDS_NONE, "", VF("vf0"), VF("vf1"), "vf1"),
        # beside what the flavor's alias asks for
        (
            "passthrough: {allow: {aliases: [gpu]}, require: []}\n",
            domain_texts.spec("pci_passthrough:alias", "gpu:1"),
            PASSED,
            PASSED.replace("hostdev0", "hostdev1"),
            "hostdev1",
        ),
        # of what no rule is about
        ("", "", STICK.replace("hostdev1", "hostdev0"), STICK, "hostdev1"),
        # of a host that has not proven what the device needs
        (
            "passthrough: {allow: {aliases: ['*'], ports: [vf]}, "
            "require: [iommu]}\n",
            "",
            "",
            PASSED,
            "hostdev0",
        ),
    ],
)
def test_one_device_too_many(
    change, judge, policy, allowed, specs, first, second, alias
):
    meta = domain_texts.instance(specs)
    before = domain_texts.text(first, meta=meta)
    judge.judge(policy("on_host: {mode: audit}\n"), before, START)
    after = domain_texts.text(first + second, meta=meta)
    connection = FakeConnection({domain_texts.UUID: after})
    change(policy(DETACH + allowed), before, after, connection)
    assert [alias in each for each in connection.asked] == [True] * TRIES


def test_a_guest_that_ends_meanwhile(change, policy, hot_plug, caplog):
    connection = FakeConnection({UUID: xml(devices=CARD)})
    connection.detach = lambda uuid, device: connection.running.clear()
    change(policy(DETACH), xml(), xml(devices=CARD), connection)
    assert (counts(hot_plug), "keeps" in caplog.text) == ([0, 0], False)


def test_more_devices_than_can_be_waited_for(change, policy, hot_plug, caplog):
    while hot_plug._slots.acquire(blocking=False):
        pass
    after = xml(devices=CARD)
    change(policy(DETACH), xml(), after, FakeConnection())
    assert counts(hot_plug) == [0, 1]
    assert f"Guest {UUID} keeps net1" in caplog.text
