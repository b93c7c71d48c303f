# SPDX-License-Identifier: Apache-2.0
"""Metrics count what the logs say, and have no labels of outsiders."""

import json
import re

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from nova_vhard.catalogue import gates
from nova_vhard.cmd.exporter.metrics import (
    GATES,
    MODES,
    NONE,
    OTHER,
    RULES,
)
from nova_vhard.cmd.exporter.service import Exporter
from nova_vhard.policy import meaning
from nova_vhard.policy.schema import MODES as OF_THE_SCHEMA
from nova_vhard.policy.verdict import GUEST_DEVICES
from tests.unit.docs import ROOT
from tests.unit.exporter.logs import event

IDE_E1000 = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "service.log"
    path.touch()
    return path


@pytest.fixture
def exporter(path):
    found = Exporter([str(path)], 1)
    found.once()
    yield found
    found.close()


def append(path, *lines):
    with open(path, "a") as file:
        file.writelines(f"{line}\n" for line in lines)


def samples(exporter):
    """Return name and labels of every sample, with its value."""
    text = generate_latest(exporter.metrics.registry).decode()
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def value(exporter, name, **labels):
    key = (f"nova_vhard_{name}", frozenset(labels.items()))
    return samples(exporter).get(key)


def test_counts_decisions_by_gate_mode_and_outcome(exporter, path):
    refused = {"gate": "nova-api", "mode": "enforce", "outcome": "refuse"}
    assert value(exporter, "decisions_total", **refused) == 0
    append(path, event("context", IDE_E1000), event("context", IDE_E1000))
    append(path, event("bare", gate="scheduler"))
    exporter.once()
    assert value(exporter, "decisions_total", **refused) == 2
    allowed = {"gate": "scheduler", "mode": "none", "outcome": "allow"}
    assert value(exporter, "decisions_total", **allowed) == 1


def test_counts_violations_by_gate_rule_and_mode(exporter, path):
    append(path, event("json", IDE_E1000))
    exporter.once()
    for rule in ("guest_devices.disk_bus", "guest_devices.vif_model"):
        labels = {"gate": "nova-api", "rule": rule, "mode": "enforce"}
        assert value(exporter, "violations_total", **labels) == 1


def test_measures_judgements(exporter, path):
    append(path, event("bare", seconds=61e-6), event("bare", seconds=0.5))
    exporter.once()

    def below(bound):
        labels = {"gate": "nova-api", "le": bound}
        return value(exporter, "decision_seconds_bucket", **labels)

    assert [below("5e-05"), below("0.0001"), below("1.0")] == [0, 1, 2]
    total = value(exporter, "decision_seconds_sum", gate="nova-api")
    assert total == pytest.approx(0.500061)


def test_nobody_can_make_more_series(exporter, path):
    before = set(samples(exporter))
    for number in range(100):
        data = json.loads(event("bare", IDE_E1000))
        data |= {"gate": f"g{number}", "mode": f"m{number}"}
        data["outcome"] = f"o{number}"
        data["violations"] = [{"rule": f"r{number}", "mode": f"m{number}"}]
        append(path, json.dumps(data))
    exporter.once()
    more = set(samples(exporter)) - before
    assert {
        text for _, labels in more for name, text in labels if name != "le"
    } == {OTHER}
    labels = {"gate": OTHER, "mode": OTHER, "outcome": OTHER}
    assert value(exporter, "decisions_total", **labels) == 100


def test_gates_are_those_that_judge():
    # not imported: this test needs neither Nova nor Glance
    folder = ROOT / "nova_vhard" / "gates"
    text = "".join(path.read_text() for path in folder.glob("*.py"))
    names = re.findall(r'PolicyEnforcer\(([A-Z_]+), "', text)
    named = sorted(getattr(gates, name) for name in names)
    assert sorted({*GATES} - {gates.GUARD}) == named


def test_modes_are_those_of_a_policy_file():
    assert {*MODES} - {NONE} == {*OF_THE_SCHEMA}


def test_rules_are_those_that_an_exemption_can_lift():
    liftable = {one for one in RULES if ":" not in one} - {GUEST_DEVICES}
    assert liftable == {*meaning._RULES}


def test_what_cannot_be_read_is_counted_and_the_rest_goes_on(exporter, path):
    append(path, event("bare")[:-9], "\x00\udcff".encode("utf-8", "ignore"))
    append(path, event("bare"))
    exporter.once()
    file = str(path)
    assert value(exporter, "log_lines_unreadable_total", file=file) == 1
    labels = {"gate": "nova-api", "mode": "none", "outcome": "allow"}
    assert value(exporter, "decisions_total", **labels) == 1


def test_counts_that_a_policy_cannot_be_used(exporter, path):
    prefix = "2026-11-25 09:14:02.123 42 ERROR nova_vhard.policy.watch [-] "
    append(path, f"{prefix}Policy cannot be used, …")
    exporter.once()
    assert value(exporter, "policy_unusable_total", file=str(path)) == 1


def test_a_log_that_is_not_there_is_counted_and_tried_again(tmp_path, caplog):
    # given
    here, gone = tmp_path / "here.log", tmp_path / "gone.log"
    here.touch()
    exporter = Exporter([str(gone), str(here), str(here)], 1)
    # when
    exporter.once()
    exporter.once()
    append(here, event("bare"))
    exporter.once()
    # then
    assert value(exporter, "log_errors_total", file=str(gone)) == 3
    assert value(exporter, "log_followed", file=str(gone)) == 0
    assert value(exporter, "log_followed", file=str(here)) == 1
    labels = {"gate": "nova-api", "mode": "none", "outcome": "allow"}
    assert value(exporter, "decisions_total", **labels) == 1
    said = f"{gone} cannot be read, trying again: No such file or directory"
    assert [one for one in caplog.messages if "cannot" in one] == [said]
    # and when
    append(gone, event("bare"))
    exporter.once()
    # then
    assert value(exporter, "log_followed", file=str(gone)) == 1
    assert value(exporter, "decisions_total", **labels) == 2
    exporter.close()
