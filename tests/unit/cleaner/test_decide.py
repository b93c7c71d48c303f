# SPDX-License-Identifier: Apache-2.0
"""Table of states of a device and the next action for it."""

import dataclasses
import itertools
from typing import Any

import pytest

from nova_vhard.cleaner.decide import (
    HostView,
    OperatorRequest,
    Settings,
    Task,
    Verb,
    Waits,
    decide,
)
from nova_vhard.cleaner.journal import Record, State
from nova_vhard.cleaner.usage import Usage
from nova_vhard.host.pci.pci import Kind, PciDevice
from nova_vhard.placement.client import Inventory
from nova_vhard.placement.devices import View

UUID = "9d6c"
CARD = PciDevice("0000:3b:00.0", "1b36", "0010", Kind.PCI)
TASK = Task(CARD, (), "rules")
FREE = HostView(task=TASK)
DONE = HostView(task=TASK, cleaned=True)
HELD = HostView(Usage(held=("a domain",), guests=("g",)))
UNKNOWN = HostView(Usage(unknown=("libvirt is silent",)))
GONE = HostView(waits=Waits("GONE", "not there"))
NO_RULE = HostView(waits=Waits("NO_RULE", "none"))
ASKED = OperatorRequest(clean=True)
RELEASE = OperatorRequest(release=True)
FORCE = OperatorRequest(force="why")
MANUAL = Settings(automatic=False)
TRUST = Settings(trust_new=True)


def record(state=State.RELEASED, provider=UUID, **fields):
    fields = {"generation": 7, "rules": "rules", **fields}
    return Record(CARD.address, provider, state, **fields)


def view(reserved=True, consumers=(), generation=7):
    fields = {"total": 1, "reserved": int(reserved)}
    inventory = Inventory(UUID, "CUSTOM_CARD", generation, fields)
    return View(inventory, tuple(consumers))


NEW = Record(CARD.address)
OFFER = view(reserved=False)
USED = view(consumers=["s"])
KEPT = view()
DIRTY, CLEANING, FAILED, CLEAN, RELEASED, IN_USE = (
    record(state)
    for state in (
        *(State.DIRTY, State.CLEANING, State.FAILED),
        *(State.CLEAN, State.RELEASED, State.IN_USE),
    )
)

TABLE: dict[str, tuple[Any, ...]] = {
    # record, view, verb and state, and what else there is
    "never seen": (NEW, OFFER, "RESERVE dirty"),
    "never seen, reserved": (NEW, KEPT, "NOTE dirty"),
    "never seen, trusted": (
        NEW,
        OFFER,
        "LEAVE available",
        {"settings": TRUST},
    ),
    "reserved is not trusted": (NEW, KEPT, "NOTE dirty", {"settings": TRUST}),
    "never seen, in use": (NEW, USED, "LEAVE in use", {"settings": TRUST}),
    "on offer": (RELEASED, OFFER, "LEAVE"),
    "used unseen": (RELEASED, KEPT, "NOTE dirty"),
    "in use": (RELEASED, USED, "LEAVE in use"),
    "still in use": (record(State.IN_USE, consumers=("s",)), USED, "LEAVE"),
    "given back": (IN_USE, KEPT, "NOTE dirty"),
    "given back, on offer": (IN_USE, OFFER, "RESERVE dirty"),
    "dirty, on offer": (DIRTY, OFFER, "RESERVE dirty"),
    "failed, on offer": (FAILED, OFFER, "RESERVE"),
    "a new provider": (
        record(provider="old"),
        OFFER,
        "RESERVE dirty",
        {"settings": TRUST},
    ),
    "a new provider, clean": (record(State.CLEAN, "old"), KEPT, "NOTE dirty"),
    "a new provider, failed": (
        record(State.FAILED, "old"),
        OFFER,
        "RESERVE failed",
    ),
    "released before a crash": (
        record(State.CLEAN, generation=6),
        OFFER,
        "LEAVE released",
    ),
    "clean, lowered by others": (
        record(State.CLEAN, generation=5),
        OFFER,
        "RESERVE dirty",
    ),
    "not looked at": (DIRTY, KEPT, "LOOK"),
    "to clean": (DIRTY, KEPT, "CLEAN cleaning", {"host": FREE}),
    "broken off": (CLEANING, KEPT, "CLEAN cleaning", {"host": FREE}),
    "broken off for good": (
        record(State.CLEANING, attempts=3),
        KEPT,
        "LEAVE failed",
        {"host": FREE},
    ),
    "other rules": (
        record(State.CLEANING, attempts=3, rules="old"),
        KEPT,
        "CLEAN cleaning",
        {"host": FREE},
    ),
    "failed": (FAILED, KEPT, "LEAVE", {"host": FREE}),
    "failed by other rules": (
        record(State.FAILED, rules="old"),
        KEPT,
        "CLEAN cleaning",
        {"host": FREE},
    ),
    "failed, asked for": (FAILED, KEPT, "NOTE dirty", {"request": ASKED}),
    "held": (DIRTY, KEPT, "LEAVE dirty", {"host": HELD}),
    "clean, held": (CLEAN, KEPT, "LEAVE dirty", {"host": HELD}),
    "unknown": (CLEAN, KEPT, "LEAVE dirty", {"host": UNKNOWN}),
    "gone": (DIRTY, KEPT, "LEAVE dirty", {"host": GONE, "request": FORCE}),
    "no rule": (DIRTY, KEPT, "LEAVE dirty", {"host": NO_RULE}),
    "failed, held": (FAILED, KEPT, "LEAVE", {"host": HELD}),
    "clean": (CLEAN, KEPT, "RELEASE", {"host": DONE, "request": RELEASE}),
    "clean since an earlier round": (
        CLEAN,
        KEPT,
        "CLEAN cleaning",
        {"host": FREE},
    ),
    "clean since an earlier round, asked for": (
        CLEAN,
        KEPT,
        "RENEW cleaning",
        {"host": FREE, "request": RELEASE, "settings": MANUAL},
    ),
    "clean, waits": (
        CLEAN,
        KEPT,
        "LEAVE clean",
        {"host": FREE, "settings": MANUAL},
    ),
    "clean, changed since": (
        record(State.CLEAN, generation=6),
        KEPT,
        "CLEAN cleaning",
        {"host": DONE, "request": RELEASE, "settings": MANUAL},
    ),
    "dirty is not released": (
        DIRTY,
        KEPT,
        "CLEAN cleaning",
        {"host": FREE, "request": RELEASE, "settings": MANUAL},
    ),
    "forced": (
        FAILED,
        KEPT,
        "RELEASE clean",
        {"host": FREE, "request": FORCE},
    ),
    "forced without a rule": (
        DIRTY,
        KEPT,
        "RELEASE clean",
        {"host": NO_RULE, "request": FORCE},
    ),
    "forced, held": (
        DIRTY,
        KEPT,
        "LEAVE dirty",
        {"host": HELD, "request": FORCE},
    ),
    "forced, on offer": (RELEASED, OFFER, "REFUSE", {"request": FORCE}),
    "forced, lost": (FAILED, OFFER, "REFUSE", {"request": FORCE}),
    "forced, in use": (RELEASED, USED, "REFUSE", {"request": FORCE}),
    "forced before, without a proof": (
        record(State.CLEAN, forced="why"),
        KEPT,
        "CLEAN cleaning",
        {"host": DONE, "request": RELEASE},
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_is_done_next(name):
    before, now, expected, *more = TABLE[name]
    action = decide(before, now, **{"host": None, **dict(*more)})
    state = f" {action.state}" if action.state else ""
    assert f"{action.verb.name}{state}" == expected


@pytest.mark.parametrize("request_", [ASKED, RELEASE, FORCE])
def test_a_request_of_another_moment_is_void(request_):
    for generation in (6, 7):
        asked = dataclasses.replace(request_, generation=generation)
        action = decide(FAILED, KEPT, FREE, asked)
        void = action.verb is Verb.REFUSE, "void" in action.text
        assert void == (generation == 6,) * 2


PROVIDERS = ("", "old", UUID)


@pytest.mark.parametrize("reserved", [False, True])
@pytest.mark.parametrize("host", [None, FREE, DONE, HELD, UNKNOWN, GONE])
def test_nothing_is_released_that_is_not_proven_clean(reserved, host):
    """Only a reserved device with a current clean record is released.

    Of a device on offer that may be dirty nothing is written: it is reserved
    first, so that a full disk keeps it reserved.
    """
    released = set()
    for before in itertools.product(State, PROVIDERS, (None, 6, 7)):
        state, provider, generation = before
        kept = record(state, provider, generation=generation)
        action = decide(kept, view(reserved), host, RELEASE, MANUAL)
        if action.verb is Verb.RELEASE:
            released.add(before)
        if action.verb in (Verb.CLEAN, Verb.RENEW):
            assert reserved and host in (FREE, DONE)
        action = decide(kept, OFFER, None)
        if action.state in (State.DIRTY, State.FAILED):
            assert action.verb is Verb.RESERVE
    proven = {(State.CLEAN, UUID, 7)} if reserved and host is DONE else set()
    assert released == proven
