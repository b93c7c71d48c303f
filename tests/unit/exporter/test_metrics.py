# SPDX-License-Identifier: Apache-2.0
"""Metrics count what the logs say, and have no labels of outsiders."""

import re
import time

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from nova_vhard.catalogue import gates
from nova_vhard.exporter import metrics
from nova_vhard.exporter.bus import Counting
from nova_vhard.exporter.metrics import (
    GATES,
    MODES,
    NONE,
    OTHER,
    RULES,
    SERVICES,
    Metrics,
)
from nova_vhard.policy import notify, schema
from nova_vhard.policy.schema import MODES as OF_THE_SCHEMA
from nova_vhard.policy.verdict import GUEST_DEVICES
from tests import logged
from tests.unit.docs import ROOT
from tests.unit.exporter.sent import payload

IDE_E1000 = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
BUS = "rabbit1:5672"


@pytest.fixture
def exporter():
    return Counting(BUS, Metrics([BUS]))


def send(
    exporter, *payloads, kind=notify.DECISION, publisher="nova-api:controller1"
):
    """Hand notifications over, as oslo.messaging does."""
    for each in payloads:
        exporter.info({}, publisher, kind, each, {})


def samples(exporter):
    """Return the value of each sample, by its name and labels as a text."""
    text = generate_latest(exporter._metrics.registry).decode()
    return {
        " ".join(
            (
                each.name.removeprefix("nova_vhard_"),
                *sorted(map("=".join, each.labels.items())),
            )
        ): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


REFUSED = "decisions_total gate=nova-api mode=enforce outcome=refuse"
ALLOWED = "decisions_total gate=nova-api mode=none outcome=allow"
UNREADABLE = f"notifications_unreadable_total bus={BUS}"
UP = f"bus_up bus={BUS}"


RULES_OF = "violations_total gate=nova-api mode=enforce rule=guest_devices"
BELOW = "decision_seconds_bucket gate=nova-api le="


@pytest.mark.parametrize(
    ("payloads", "expected"),
    [
        ([], {REFUSED: 0}),
        # Decisions and their violations.
        (
            [
                payload(IDE_E1000),
                payload(IDE_E1000),
                payload(gate="scheduler"),
            ],
            {
                REFUSED: 2,
                "decisions_total gate=scheduler mode=none outcome=allow": 1,
                f"{RULES_OF}.disk_bus": 2,
                f"{RULES_OF}.vif_model": 2,
            },
        ),
        # The durations of decisions.
        (
            [payload(seconds=61e-6), payload(seconds=0.5)],
            {
                f"{BELOW}5e-05": 0,
                f"{BELOW}0.0001": 1,
                f"{BELOW}1.0": 2,
                "decision_seconds_sum gate=nova-api": pytest.approx(0.500061),
            },
        ),
        # Notifications that a service has dropped.
        (
            [payload(dropped=5), payload(), payload(dropped=2)],
            {"notifications_dropped_total service=nova-api": 7},
        ),
    ],
    ids=["none", "decisions", "seconds", "dropped"],
)
def test_counts(exporter, payloads, expected):
    send(exporter, *payloads)
    found = samples(exporter)
    assert {name: found[name] for name in expected} == expected


def test_nobody_can_make_more_series(exporter):
    before = set(samples(exporter))
    for number in range(100):
        data = payload(IDE_E1000, dropped=1) | {
            "gate": f"g{number}",
            "mode": f"m{number}",
            "outcome": f"o{number}",
            "violations": [{"rule": f"r{number}", "mode": f"m{number}"}],
        }
        send(exporter, data, publisher=f"s{number}:h{number}")
        runs, sender = ran(number, dropped=1), f"s{number}"
        send(exporter, runs, kind=notify.POLICY, publisher=sender)
        send(exporter, data, kind=f"vhard.k{number}")
        send(exporter, {"version": f"v{number}"})
    more = " ".join(set(samples(exporter)) - before)
    values = {
        value
        for name, value in re.findall(r"(\w+)=(\S+)", more)
        if name != "le"
    }
    assert values == {OTHER, ran(1)["policy"]}
    expected = {
        f"decisions_total gate={OTHER} mode={OTHER} outcome={OTHER}": 100,
        f"notifications_dropped_total service={OTHER}": 200,
        UNREADABLE: 100,
    }
    assert samples(exporter).items() >= expected.items()


def test_labels_are_the_names_that_the_code_has():
    # The gates are not imported: this test needs neither Nova nor Glance.
    folder = ROOT / "nova_vhard" / "gates"
    text = "".join(path.read_text() for path in folder.glob("*.py"))
    made = re.findall(r'PolicyEnforcer\(([A-Z_]+), "(.+?)"', text)
    assert sorted(GATES) == sorted(getattr(gates, name) for name, _ in made)
    assert {*SERVICES} == {service for _, service in made}
    # The guard sends nothing.
    assert {*gates.GATES} - {*GATES} == {gates.GUARD}
    assert {*MODES} - {NONE} == {*OF_THE_SCHEMA}
    # Rules are those that an exemption can lift.
    liftable = {each for each in RULES if ":" not in each} - {GUEST_DEVICES}
    assert liftable == {*schema._RULES["properties"]}


def test_what_cannot_be_read_is_counted_and_the_rest_goes_on(exporter, caplog):
    wrong = payload() | {"outcome": None}
    send(exporter, None, {}, wrong, publisher="nova-api:h\n1")
    send(exporter, payload())
    expected = {UNREADABLE: 3, ALLOWED: 1}
    assert samples(exporter).items() >= expected.items()
    # one line, not three
    name = "nova_vhard.exporter.bus"
    assert logged.lines(caplog, name) == [
        (
            "WARNING",
            f"What nova-api:h1 sends to {BUS} is not counted: no object",
        )
    ]


def ran(process, digest="4f1c0a7be2d39586", refused=None, dropped=0):
    """Return the payload of what a process runs."""
    about = {"version": notify.VERSION, "dropped": dropped}
    runs = {"process": process, "policy": digest, "refused": refused}
    return {**about, **runs}


def policies(exporter):
    """Return whether each service's file is usable, and what it judges by."""
    return {
        text.partition(" ")[2]: number
        for text, number in samples(exporter).items()
        if text.startswith(("policy_usable ", "policy_info "))
    }


HERE, AWAY = "nova-api:controller1", "nova-api:controller2"
OTHER_DIGEST = "9ab2" * 4
FAULT = ran(1, OTHER_DIGEST, "policy.yaml:2:\nmode"), AWAY
IN_FORCE = {
    "service=nova-api": 1,
    "digest=4f1c0a7be2d39586 service=nova-api": 1,
}


@pytest.mark.parametrize(
    ("sent", "changes"),
    [
        ([], {}),
        # One of the processes, on another host, cannot use its file.
        (
            [FAULT],
            {
                "service=nova-api": 0,
                f"digest={OTHER_DIGEST} service=nova-api": 1,
            },
        ),
        # The process has no policy at all; its file is corrected.
        (
            [FAULT, (ran(1, None, "x"), AWAY)],
            {"service=nova-api": 0, "digest=none service=nova-api": 1},
        ),
        ([FAULT, (ran(1), AWAY)], {}),
    ],
    ids=["one", "a fault", "none", "corrected"],
)
def test_the_policies_in_force(exporter, caplog, sent, changes):
    for runs, publisher in [(ran(1), HERE), (ran(2), HERE), *sent]:
        send(exporter, runs, kind=notify.POLICY, publisher=publisher)
    assert policies(exporter) == IN_FORCE | changes
    fault = (
        f"The policy of {AWAY} cannot be used as it is: policy.yaml:2: mode"
    )
    assert (fault in caplog.messages) == bool(sent)


def test_the_policy_of_a_silent_process_is_forgotten(exporter, monkeypatch):
    send(exporter, ran(1), ran(2), kind=notify.POLICY)
    later = time.monotonic() + metrics.SILENCE
    monkeypatch.setattr(metrics.time, "monotonic", lambda: later)
    assert policies(exporter) == {}
    send(exporter, ran(3), kind=notify.POLICY)
    assert len(exporter._metrics._runs) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"policy": "x" * 16}, {"policy": 1}, {"refused": 1}, {"process": None}],
    ids=str,
)
def test_what_a_process_runs_in_another_form(exporter, wrong):
    send(exporter, ran(1) | wrong, kind=notify.POLICY)
    assert samples(exporter)[UNREADABLE] == 1
    assert policies(exporter) == {}


def test_a_bus_is_up_while_anything_comes_through_it(exporter, monkeypatch):
    last = f"bus_last_message_timestamp_seconds bus={BUS}"
    assert samples(exporter)[UP] == 0
    send(exporter, {}, kind=notify.HEARTBEAT, publisher="nova-vhard-exporter")
    # A heartbeat is not a notification of a service.
    expected = {UP: 1, last: 0, UNREADABLE: 0}
    assert samples(exporter).items() >= expected.items()
    before, later = time.time(), time.monotonic() + 60 + metrics.SILENCE
    send(exporter, payload())
    assert samples(exporter)[last] >= before
    monkeypatch.setattr(metrics.time, "monotonic", lambda: later)
    assert samples(exporter)[UP] == 0
