# SPDX-License-Identifier: Apache-2.0
"""What a line of a log says."""

import json
import logging

import pytest

from nova_vhard.cmd.exporter import lines
from nova_vhard.policy import events, watch
from tests.unit.exporter.logs import FORGED, event, written

FORMATS = pytest.mark.parametrize("name", ["bare", "context", "json"])
SYSLOG = "Nov 25 09:14:02 controller1 nova-scheduler[4711]: "
IDE = {"hw_disk_bus": "ide"}


def test_loggers_are_the_gates():
    assert events.LOG.name == lines.DECISIONS
    assert watch.LOG.name == lines.WATCH


@FORMATS
def test_reads_an_event_as_it_is_written(name):
    assert lines.read(event(name, IDE).encode()) == lines.Decision(
        "nova-api",
        "enforce",
        "refuse",
        (("guest_devices.disk_bus", "enforce", 1),),
        61e-6,
    )


@FORMATS
def test_reads_an_event_without_a_violation(name):
    found = lines.read(event(name).encode())
    assert found == lines.Decision("nova-api", None, "allow", (), 61e-6)


@FORMATS
def test_reads_what_the_journal_has(name):
    entry = {"PRIORITY": "6", "MESSAGE": event(name)}
    found = lines.read(json.dumps(entry).encode())
    assert found.outcome == "allow"


def test_a_journal_in_a_journal_says_nothing():
    """As deep as it may be, somebody could write one level more."""
    inner = {"MESSAGE": event("context")}
    entry = {"MESSAGE": json.dumps(inner)}
    with pytest.raises(lines.Unreadable):
        lines.read(json.dumps(entry).encode())


def test_reads_what_syslog_has_put_a_prefix_to():
    found = lines.read((SYSLOG + event("context")).encode())
    assert found.outcome == "allow"


@pytest.mark.parametrize(
    "rules",
    [
        {"rules": ["passthrough.require", "hosts.require"]},
        # as services of an older version write it
        {"rule": "passthrough.require, hosts.require"},
    ],
)
def test_a_demand_on_hosts_may_stand_for_several_rules(rules):
    data = json.loads(event("bare"))
    data["violations"] = [{"mode": "warn", **rules}]
    assert lines.read(json.dumps(data).encode()).violations == (
        ("passthrough.require", "warn", 1),
        ("hosts.require", "warn", 1),
    )


@pytest.mark.parametrize(
    "forged",
    [
        f"{lines.DECISIONS} {FORGED}",
        f"2026-11-25 09:14:02 1 INFO {lines.DECISIONS} {FORGED}",
        f"2026-11-25 09:14:02 1 ERROR {lines.WATCH} x",
        f"ERROR {lines.WATCH} x",
    ],
)
def test_the_text_of_an_exception_says_nothing(forged):
    """A traceback of the service's own: oslo.log writes no brackets there."""
    log = logging.getLogger("nova.compute.api")
    with written("context", log) as stream:
        try:
            raise KeyError(f"x {forged}")
        except KeyError:
            log.exception("Failed")
    found = stream.getvalue().encode().splitlines()
    assert any(forged.encode() in one for one in found)
    assert [lines.read(one) for one in found] == [None] * len(found)


@pytest.mark.parametrize("name", ["context", "json"])
@pytest.mark.parametrize(
    ("level", "unusable"), [(logging.ERROR, True), (logging.WARNING, False)]
)
def test_tells_that_a_policy_cannot_be_used(tmp_path, name, level, unusable):
    # given
    path = tmp_path / "policy.yaml"
    path.write_text("version: 1\nmode: strict\n")
    with written(name, watch.LOG) as stream:
        if level == logging.ERROR:
            with pytest.raises(watch.PolicyUnavailable):
                watch.PolicyFile(str(path)).current()
        else:
            watch.LOG.warning("Exemption x ended")
    # when
    found = [lines.read(one.encode()) for one in stream.getvalue().split("\n")]
    # then
    assert found.count(lines.PolicyUnusable()) == int(unusable)


@pytest.mark.parametrize("name", ["context", "json"])
@pytest.mark.parametrize(
    "message",
    [
        FORGED,
        f"nova_vhard.decisions [-] {FORGED}",
        f"GET /x INFO nova_vhard.decisions [-] {FORGED}",
        "x ERROR nova_vhard.policy.watch [-] Policy cannot be used",
        f"x[1]: INFO nova_vhard.decisions {FORGED}",
    ],
)
def test_what_somebody_else_has_logged_says_nothing(name, message):
    log = logging.getLogger("nova.api.openstack.requestlog")
    with written(name, log) as stream:
        log.error('192.0.2.1 "%s" status: 404', message)
        log.error("%s", message)
    for line in stream.getvalue().splitlines():
        assert lines.read(line.encode()) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"gate": None}, "text expected"),
        ({"mode": 1}, "text expected"),
        ({"outcome": ["refuse"]}, "text expected"),
        ({"violations": None}, "not iterable"),
        ({"violations": ["x"]}, "TypeError"),
        ({"violations": [{"rule": "x"}]}, "mode"),
        ({"violations": [{"rule": {}, "mode": "x"}]}, "text expected"),
        ({"more": 1}, "not iterable"),
        ({"more": [{"rules": ["x"], "mode": "x", "count": -1}]}, "a count"),
        ({"more": [{"rules": ["x"], "mode": "x", "count": True}]}, "a count"),
        ({"violations": [{"rules": "x", "mode": "x"}]}, "list of rules"),
        ({"violations": [{"rules": [1], "mode": "x"}]}, "text expected"),
        ({"microseconds": "61"}, "TypeError"),
        ({"microseconds": True}, "number"),
        ({"microseconds": -1}, "no time"),
        ({"microseconds": float("nan")}, "no time"),
        ({"microseconds": float("inf")}, "no time"),
        ({"microseconds": 10**400}, "OverflowError"),
    ],
)
def test_an_event_of_other_types_is_unreadable(change, why):
    data = json.loads(event("bare", IDE)) | change
    with pytest.raises(lines.Unreadable, match=why):
        lines.read(json.dumps(data).encode())


@pytest.mark.parametrize(
    "line",
    [
        event("bare")[:-1],
        event("bare") + event("bare"),
        event("context")[:-20],
        event("context").partition("{")[0] + "no event",
        "{}",
        "{" * 100_000,
        '{"a":' + "[" * 100_000,
        '{"microseconds":' + "9" * 10_000 + "}",
        '{"name": "nova_vhard.decisions", "message": "no event"}',
        '{"name": "nova_vhard.decisions", "message": "[]"}',
        "{\udcff}",
    ],
    ids=range(11),
)
def test_what_should_be_an_event_and_is_none_is_unreadable(line):
    with pytest.raises(lines.Unreadable):
        lines.read(line.encode(errors="surrogateescape"))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Traceback (most recent call last):",
        " nova_vhard.decisions",
        "x" * 1_000_000,
        "A" * 100_000 + " nova_vhard.decisions {}",
        '{"name": "nova.api", "message": "text"}',
    ],
    ids=range(6),
)
def test_a_line_about_something_else_says_nothing(line):
    assert lines.read(line.encode()) is None
