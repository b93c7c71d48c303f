# SPDX-License-Identifier: Apache-2.0
"""Tests of the panel's contents without Horizon: limits and missing data."""

import datetime
import json
from dataclasses import replace

import pytest

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.osc.report import summary
from nova_vhard.placement.fleet import FRESH, SILENT, STALE, HostPosture
from nova_vhard_dashboard import policy as policies
from nova_vhard_dashboard.admin import contents
from tests.dashboard.django_settings import settings
from tests.unit.helpers import policy as policy_of
from tests.unit.helpers import write

NOW = datetime.datetime(2026, 11, 25, 9, 30, tzinfo=datetime.UTC)
BIDI = "\u202eevil\x1b[31m"
HOSTS = [
    HostPosture(
        f"compute-{number:04}",
        (FRESH, FRESH, STALE, SILENT)[number % 4],
        frozenset(list(CHECKS)[: number % 7]),
        others={"smt": "FAIL"},
        attested=number == 0,
    )
    for number in range(150)
]
EXEMPTIONS = [
    {
        "id": name,
        "reason": "the vendor's image has no virtio driver",
        "projects": ["6f70656e737461636b2070726f6a6563"],
        "rules": {"guest_devices.disk_bus": ["ide"]},
        "until": until,
    }
    for name, until in (
        ("smartnic-pilot", "2027-06-30"),
        ("legacy-routers", "2026-12-01"),
        ("old-installer", "2026-05-31"),
    )
]


@pytest.fixture
def setting(monkeypatch):
    """Write settings as local_settings.py does."""

    def choose(**values):
        for name, value in values.items():
            monkeypatch.setattr(settings, name, value, raising=False)
        policies.policy_file.cache_clear()

    yield choose
    policies.policy_file.cache_clear()


def line(project="p1", time="2026-11-25 09:14:02", **more):
    """Return the line of a refusal in a log."""
    violation = {"rules": ["guest_devices.disk_bus"], "mode": "enforce"}
    event = {
        "request": "r",
        "gate": "nova-api",
        "outcome": "refuse",
        "operation": "boot",
        "subject": {"project": project},
        "violations": [violation],
        **more,
    }
    prefix = f"{time}.123 4711 INFO nova_vhard.decisions [-] "
    return f"{prefix}{json.dumps(event)}\n"


def test_a_policy(tmp_path, setting):
    path = write(
        tmp_path / "policy.yaml",
        'version: "1"\nhosts: {max_report_age: 5}\n',
    )
    setting(NOVA_VHARD_POLICY_FILE=path)
    result = contents.policy()
    assert result["policy"].hosts.max_report_age == result["max_age"] == 5
    assert result["policy_error"] == ""


def test_no_policy(tmp_path, setting):
    setting(NOVA_VHARD_POLICY_FILE=str(tmp_path / "none.yaml"))
    result = contents.policy()
    assert result["policy"] is None
    assert result["max_age"] == 2
    assert "none.yaml" in result["policy_error"]
    assert "No such file or directory" in result["policy_error"]


def test_a_policy_that_becomes_bad(tmp_path, setting):
    path = write(tmp_path / "policy.yaml", 'version: "1"\n')
    setting(NOVA_VHARD_POLICY_FILE=path)
    contents.policy()
    write(tmp_path / "policy.yaml", 'version: "9"\n')
    result = contents.policy()
    assert result["policy"] is not None
    assert "policy.yaml" in result["policy_error"]


def test_a_large_fleet():
    result = contents.fleet(HOSTS, None)
    assert result["count"] == 150
    assert result["attested"] == 1
    assert len(result["hosts"]) == contents.HOSTS == 100
    assert result["more_hosts"] == 50
    assert sum(number for _, number in result["statuses"]) == 150
    worst = summary.worst_first(HOSTS)
    for shown, host in zip(result["hosts"], worst, strict=False):
        words = [word for _, word in shown["answers"]]
        assert words == [summary.answer(host, name) for name in CHECKS]
        assert shown["name"] == host.name
        assert shown["report"][1] == host.status


def test_names_of_hosts_are_clean():
    host = replace(HOSTS[0], name=BIDI + "x" * 200)
    (shown,) = contents.fleet([host], None)["hosts"]
    assert shown["name"].startswith("evil[31mxx")
    assert len(shown["name"]) == 64


def test_no_log_is_named(setting):
    setting(NOVA_VHARD_DECISIONS=())
    result = contents.decisions(NOW)
    assert (result["logs"], result["decisions"], result["notes"]) == (
        [],
        [],
        [],
    )


def test_decisions_of_the_last_day(tmp_path, setting):
    log = tmp_path / "nova-api.log"
    log.write_text(
        line(time="2026-11-24 09:29:59")
        + line(time="2026-11-24 09:30:00")
        + "2026-11-25 09:00:00.1 4711 INFO nova.api [-] about something\n"
        + line()
        + line("p2", time="2026-11-25 09:20:00")
    )
    setting(NOVA_VHARD_DECISIONS=str(log))
    result = contents.decisions(NOW)
    assert result["logs"] == [str(log)]
    assert result["since"] == "2026-11-24 09:30:00"
    assert [
        (rule, project, group.requests, group.refused, group.last)
        for rule, project, group in result["decisions"]
    ] == [
        ("guest_devices.disk_bus", "p1", 2, 2, "2026-11-25 09:14:02"),
        ("guest_devices.disk_bus", "p2", 1, 1, "2026-11-25 09:20:00"),
    ]
    assert (result["notes"], result["more_decisions"]) == ([], 0)


def test_very_many_decisions(tmp_path, setting):
    log = tmp_path / "nova-api.log"
    log.write_text("".join(line(f"p{number}") for number in range(30)))
    setting(NOVA_VHARD_DECISIONS=[log])
    result = contents.decisions(NOW)
    assert len(result["decisions"]) == contents.ROWS == 20
    assert result["more_decisions"] == 10


def test_refusals_by_the_scheduler(tmp_path, setting):
    log, other = tmp_path / "scheduler.log", tmp_path / "nova-api.log"
    reason = {"rule": "a.b", "rules": ["a.b"], "mode": "enforce"}
    reason |= {"source": BIDI, "value": "ide"}
    refused = {"gate": "scheduler", "violations": [reason]}
    times = [f"2026-11-25 09:00:{second}" for second in range(10, 40)]
    log.write_text(
        "".join(
            line(
                time=time, subject={"server": "s1", "project": "p1"}, **refused
            )
            for time in times
        )
        + line(**refused | {"outcome": "warn"})
    )
    other.write_text(line())
    setting(NOVA_VHARD_DECISIONS=[str(log), str(other)])
    shown = contents.decisions(NOW)["scheduled"]
    assert [item["time"] for item in shown] == times[:-21:-1]
    assert shown[0] | {"time": None} == {
        "time": None,
        "server": "s1",
        "project": "p1",
        "reasons": [("a.b", "evil[31m", "ide")],
    }


def test_of_large_logs_the_end_is_read(tmp_path, setting, monkeypatch):
    logs = [tmp_path / name for name in ("nova.log", "glance.log")]
    for log in logs:
        log.write_text(line("p1") + line("p2"))
    setting(NOVA_VHARD_DECISIONS=[str(log) for log in logs])
    monkeypatch.setattr(contents, "BYTES", 2 * len(line("p1")))
    result = contents.decisions(NOW)
    ((_, project, group),) = result["decisions"]
    assert (project, group.requests) == ("p2", 2)
    assert result["notes"] == [
        f"{log}: only the end of it was read" for log in logs
    ]


def test_a_log_that_cannot_be_read(tmp_path, setting):
    good, gone = tmp_path / "nova.log", tmp_path / "gone.log"
    good.write_text(line() + line(violations=[1]))
    setting(NOVA_VHARD_DECISIONS=[str(gone), str(good)])
    result = contents.decisions(NOW)
    assert len(result["decisions"]) == 1
    assert result["notes"] == [
        f"{gone}: No such file or directory",
        "lines that cannot be read: 1",
    ]


def test_outsiders_text_is_clean(tmp_path, setting):
    log = tmp_path / "nova-api.log"
    log.write_text(line(BIDI + "x" * 200))
    setting(NOVA_VHARD_DECISIONS=[str(log)])
    ((_, project, _),) = contents.decisions(NOW)["decisions"]
    assert project.startswith("evil[31mxx")
    assert len(project) == 64


def test_exemptions_that_end():
    policy = policy_of(exemptions=EXEMPTIONS)
    result = contents.exemptions(policy, NOW.date())
    assert result["exemption_count"] == 3
    shown = [(item["id"], item["state"][1]) for item in result["exemptions"]]
    assert shown == [
        ("old-installer", "has ended"),
        ("legacy-routers", "ends in 6 days"),
    ]


def test_very_many_exemptions():
    policy = policy_of(exemptions=EXEMPTIONS)
    policy = replace(policy, exemptions=policy.exemptions * 30)
    result = contents.exemptions(policy, NOW.date())
    assert len(result["exemptions"]) == 20
    assert result["more_exemptions"] == 40


def test_exemptions_without_a_policy():
    assert contents.exemptions(None, NOW.date())["exemptions"] == []
