# SPDX-License-Identifier: Apache-2.0
"""The reporter on the real Placement: publish, sweep, withdraw."""

import json
import os
import signal
import time
import uuid

import pytest

from nova_vhard.catalogue import results, traits
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.cmd import reporter as command
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.host import report
from nova_vhard.host.check import Check, Status
from nova_vhard.placement import upkeep
from nova_vhard.reporter.publishers.base import PublishError
from nova_vhard.reporter.publishers.json_file import JsonPublisher
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from nova_vhard.reporter.service import Reporter
from tests.functional.placement.conftest import Answer
from tests.functional.placement.reports import (
    DAY,
    FOREIGN,
    HOUR,
    IOMMU,
    MARK,
    NONE,
    NOW,
    VTD_ON,
    identify,
    inspect,
    report_of,
)
from tests.trees import build

MINUTE, SECOND = HOUR / 60, HOUR / 3600
TURN = NOW.replace(minute=0) + HOUR


def test_a_report_becomes_traits(cloud, host, publisher):
    """A check that fails, or cannot tell, loses its trait."""
    # A result as an earlier version wrote it.
    earlier = "CUSTOM_VHSTATUS_00_XFXX"
    cloud.give(host, {*FOREIGN, earlier})
    for tree, proven in (("vtd-on", VTD_ON), ("none", NONE), ("", set())):
        publisher.publish(inspect(tree))
        assert cloud.claims(host)[0] == FOREIGN | proven | MARK
        assert earlier not in cloud.traits(host)[0]


def test_a_report_in_the_steady_state_is_one_request(
    cloud, host, publisher, tmp_path
):
    publisher.publish(inspect("vtd-on"))
    cloud.requests.clear()
    for minute in range(20):
        publisher.publish(inspect("vtd-on", NOW + minute * MINUTE))
    url = f"/resource_providers/{host}/traits"
    assert cloud.requests == [("GET", url)] * 20
    # Another host's id in the file is seen at once.
    other = cloud.host("other", FOREIGN)
    identify(tmp_path, other)
    publisher.publish(inspect("vtd-on"))
    assert cloud.claims(other)[0] >= VTD_ON


def test_the_hour_turns(cloud, conf, host, publisher):
    publisher.publish(inspect("vtd-on"))
    # Each host writes the new mark at a second of the hour of its own.
    spread = 3600 - 3 * conf.vhard_reporter.interval
    due = TURN + uuid.UUID(host).int % spread * SECOND
    for moment in (TURN, due - SECOND, due):
        publisher.publish(inspect("vtd-on", moment))
        hour = NOW if TURN <= moment < due else due
        expected = FOREIGN | VTD_ON | {traits.of_hour(hour)}
        assert cloud.claims(host)[0] == expected
    # Traits that were lost before that are written at once.
    later = due + HOUR
    publisher.publish(inspect("none", later.replace(minute=0)))
    assert cloud.claims(host)[0] & VTD_ON == NONE & VTD_ON


@pytest.mark.parametrize(
    ("interval", "once"),
    [(300, True), (1200, False)],
    ids=["a program that reports once", "a long interval"],
)
def test_the_mark_is_written_when_the_hour_turns(
    cloud, conf, host, publisher, interval, once
):
    conf.set_override("interval", interval, "vhard_reporter")
    publisher.publish(inspect("vtd-on"))
    if once:
        publisher = PlacementPublisher(conf, cloud.placement)
    publisher.publish(inspect("vtd-on", TURN))
    assert traits.of_hour(TURN) in cloud.claims(host)[0]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (503, "503"),
        (403, r"status 403: no$"),
        # The login is for another provider.
        (401, "vhard host enroll: it is for"),
    ],
)
def test_a_refusal_of_placement_loses_nothing(
    cloud, host, publisher, status, said
):
    publisher.publish(inspect("vtd-on"))
    before = cloud.claims(host)[0]
    cloud.faults.append(lambda method, url: Answer(status, "no"))
    with pytest.raises(PublishError, match=said):
        publisher.publish(inspect("none"))
    cloud.faults.clear()
    assert cloud.claims(host)[0] == before


def missing(caplog):
    """Return the warnings about names that are missing, once each."""
    result = [each.getMessage() for each in caplog.records]
    caplog.clear()
    return [each for each in result if each.startswith("Not reported")]


def test_what_has_no_name_is_left_out(cloud, host, publisher, acting, caplog):
    cloud.insert_swept(NOW)
    assert cloud.placement.delete_trait(IOMMU)
    acting("vhard-reporter")
    current = report_of(NOW, iommu="PASS", kernel_aslr="PASS", smt="FAIL")
    publisher.publish(current)
    aslr, failed = traits.of_check("kernel_aslr"), {"smt": "FAIL"}
    written = FOREIGN | MARK | {aslr, *results.encode(failed)}
    assert cloud.traits(host)[0] == written
    (warning,) = missing(caplog)
    assert warning.count("CUSTOM_") == 1
    assert f"{IOMMU}. " in warning
    # When nothing changes, then nothing is written, and it is not said again.
    generation = cloud.traits(host)[1]
    publisher.publish(current)
    assert cloud.traits(host)[1] == generation
    assert not missing(caplog)
    # When the name is there, then it is not taken for a rival's removal.
    acting("admin").create_traits({IOMMU})
    acting("vhard-reporter")
    publisher.publish(current)
    assert cloud.traits(host)[0] == written | {IOMMU}


def test_without_a_name_of_its_hour_a_report_has_failed(
    cloud, host, publisher, weeks, acting, caplog
):
    cloud.insert_swept(NOW)
    acting("vhard-reporter")
    passed = {"iommu": "PASS", "smt": "PASS"}
    for days, ahead in ((0, 14), (7, 7), (8, 6), (14, 0)):
        caplog.clear()
        publisher.publish(report_of(NOW + days * DAY, **passed))
        assert publisher.record.days_ahead == ahead
        text = f"reports of only {ahead} more days"
        assert (text in caplog.text) == (ahead < 7)
    # A lost check stays lost when no hour is left.
    late = NOW + 14 * DAY + 2 * HOUR
    with pytest.raises(PublishError, match="no name for the hour"):
        publisher.publish(report_of(late, iommu="FAIL", smt="PASS"))
    assert IOMMU not in cloud.traits(host)[0]
    # When a sweep comes by, all is well again.
    cloud.insert_swept(late)
    publisher.publish(report_of(late, **passed))
    assert cloud.claims(host)[0] >= {IOMMU, traits.of_hour(late)}
    assert publisher.record.days_ahead == 14


def test_a_login_that_may_makes_the_names_of_two_weeks(
    cloud, host, publisher, weeks
):
    publisher.publish(report_of(NOW, iommu="PASS"))
    hours = {traits.of_hour(NOW + step * HOUR) for step in range(14 * 24 + 1)}
    assert cloud.placement.known(hours) == hours
    assert publisher.record.days_ahead == 14
    # When they are there, then a few requests look, once a day. A quarter
    # before the end of an hour each host has written its mark.
    for hours, requests in ((1, 1), (22, 1), (23, 6), (24, 1)):
        cloud.requests.clear()
        for minutes in (20, 23, 26):
            later = NOW + hours * HOUR + minutes * MINUTE
            publisher.publish(report_of(later, iommu="PASS"))
        asked = [url for _, url in cloud.requests if "/traits?" in url]
        assert len(asked) == requests
        assert {method for method, _ in cloud.requests[-2:]} == {"GET"}


def test_without_an_answer_about_names_ahead_a_report_has_not_failed(
    cloud, host, publisher, weeks, acting, caplog
):
    cloud.insert_swept(NOW)
    acting("vhard-reporter")
    publisher.publish(report_of(NOW, iommu="PASS"))
    assert publisher.record.days_ahead == 14
    ahead = traits.of_hour(NOW + 30 * HOUR)

    def away(method, url):
        return Answer(503, "away") if ahead in url else None

    cloud.faults.append(away)
    # A quarter before the end of an hour each host has written its mark.
    later = NOW + 24 * HOUR + 25 * MINUTE
    publisher.publish(report_of(later, iommu="PASS", smt="PASS"))
    assert traits.of_hour(later) in cloud.traits(host)[0]
    assert publisher.record.days_ahead is None
    text = "Names of reports to come are not counted: status"
    assert [line.startswith(text) for line in caplog.messages].count(True) == 1
    # When Placement is back, then they are counted within an hour; one that
    # is missing is seen, whichever it is.
    cloud.faults.clear()
    publisher.publish(report_of(later + HOUR, iommu="PASS"))
    assert publisher.record.days_ahead == 13
    acting("admin").delete_trait(traits.of_hour(NOW + 3 * DAY))
    acting("vhard-reporter")
    publisher.publish(report_of(later + DAY, iommu="PASS"))
    assert publisher.record.days_ahead == 1
    assert "reports of only 1 more days" in caplog.text


def test_by_name_where_there_is_no_identity_file(
    cloud, publisher, monkeypatch
):
    monkeypatch.setattr("socket.getfqdn", lambda: "node.example.org")
    monkeypatch.setattr("socket.gethostname", lambda: "node")
    with pytest.raises(PublishError, match="not created this host's resource"):
        publisher.publish(inspect("none"))
    host = cloud.host("node")
    publisher.publish(inspect("none"))
    assert cloud.claims(host)[0] >= NONE


ID = "/var/lib/nova/compute_id"


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (ID, "", "holds no uuid"),
        (ID, "no uuid", "holds no uuid"),
        (ID, "../../x", "holds no uuid"),
        ("/ERRORS.json", json.dumps([[ID, "EACCES"]]), "Permission denied"),
    ],
    ids=["empty", "no uuid", "a path", "not to be read"],
)
def test_a_damaged_identity_file_reports_for_nobody(
    cloud, publisher, tmp_path, monkeypatch, path, text, said
):
    monkeypatch.setattr("socket.gethostname", lambda: "node")
    host = cloud.host("node")
    build(tmp_path, {path: text})
    with pytest.raises(PublishError, match=said):
        publisher.publish(inspect("none"))
    assert cloud.claims(host)[0] == set()


class Slow(Check):
    """It does next what a file says."""

    name = "iommu"

    def answer(self, host):
        what = host.root.read("/what")
        time.sleep(600 if what == "hang" else 0)
        os.kill(os.getpid(), signal.SIGKILL if what == "crash" else 0)
        return Status(what), what


@pytest.mark.parametrize(
    ("rounds", "proven"),
    [
        # What it does, and whether it counts as passed then.
        ("PASS hang hang PASS hang", (True, True, False, True, True)),
        ("hang", (False,)),
        ("FAIL hang", (False, False)),
        ("PASS crash hang", (True, False, False)),
        ("PASS UNKNOWN", (True, False)),
        ("PASS FAIL", (True, False)),
    ],
)
def test_a_check_that_runs_out_of_time_passes_once_more(
    cloud, conf, host, publisher, tmp_path, monkeypatch, rounds, proven
):
    monkeypatch.setattr(report, "load", lambda: [Slow()])
    conf.set_override("check_timeout", 1, "vhard_reporter")
    conf.set_override("state_path", str(tmp_path), "vhard_reporter")
    service = Reporter(conf, [publisher, JsonPublisher(conf)])
    for what, passed in zip(rounds.split(), proven, strict=True):
        (tmp_path / "what").write_text(what)
        assert service.once()
        reported = json.loads((tmp_path / "report.json").read_text())
        assert (reported["results"][0]["status"] == "PASS") is passed
        assert (IOMMU in cloud.claims(host)[0]) is passed


def test_the_service_goes_on_after_a_failure_and_stops_at_once(
    cloud, conf, host, publisher
):
    runtime = Runtime()
    service = Reporter(conf, [publisher], runtime=runtime)
    cloud.faults.append(lambda method, url: Answer(503, "down"))
    assert not service.once()
    cloud.faults.clear()
    assert service.once()
    runtime.stop()
    runtime.run(service)


def test_sweep_takes_our_traits_from_silent_hosts_only(cloud):
    aging = {traits.of_hour(NOW - HOUR)}
    old = {traits.of_hour(NOW - 2 * HOUR)}
    #: What a host has, and what a sweep leaves of it.
    hosts = {
        "fresh": (FOREIGN | VTD_ON | MARK, FOREIGN | VTD_ON | MARK),
        "aging": (FOREIGN | VTD_ON | aging, FOREIGN | VTD_ON | aging),
        "silent": (FOREIGN | VTD_ON | old, FOREIGN),
        "unmarked": (FOREIGN | VTD_ON, FOREIGN),
        "foreign": (FOREIGN, FOREIGN),
    }
    made = {name: cloud.host(name, has) for name, (has, _) in hosts.items()}
    done = upkeep.sweep(cloud.placement, NOW, 2)
    assert set(done.silent) == {"silent", "unmarked"}
    for name, (_, left) in hosts.items():
        assert cloud.claims(made[name])[0] == left
    assert upkeep.withdraw(cloud.placement, made["fresh"]) == VTD_ON | MARK
    assert cloud.claims(made["fresh"])[0] == FOREIGN


def test_sweep_spares_a_host_that_reports_meanwhile(cloud):
    host = cloud.host("a", FOREIGN | VTD_ON)

    def report_meanwhile(method, url):
        if method == "GET" and url.endswith("/traits"):
            cloud.faults.clear()
            cloud.give(host, FOREIGN | VTD_ON | MARK)

    cloud.faults.append(report_meanwhile)
    assert not upkeep.sweep(cloud.placement, NOW, 2).silent
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | MARK


#: Hours from now to whether a sweep deletes their name.
AGES = {
    -60 * 24: True,
    -500: True,
    -49: True,
    -47: False,
    14 * 24 + 20: False,
    15 * 24 + 1: True,
    100 * 24: True,
}
#: Names of somebody else's, which a flavor may ask for.
STRANGE = {"CUSTOM_VHARD_LATER", "CUSTOM_VHARD_REPORTED_2026"}


def test_sweep_deletes_names_of_hours_and_no_other(cloud, weeks):
    hours = {traits.of_hour(NOW + age * HOUR): AGES[age] for age in AGES}
    cloud.placement.create_traits({*hours, *STRANGE})
    # Those that have nothing but an hour's mark are silent, too.
    cloud.host("silent", {traits.of_hour(NOW - 500 * HOUR)})
    cloud.host("ahead", {traits.of_hour(NOW + 15 * DAY + HOUR)})
    # A report that counts stays, without the other hour.
    fresh = VTD_ON | MARK
    host = cloud.host("fresh", {*fresh, traits.of_hour(NOW - 49 * HOUR)})
    done = upkeep.sweep(cloud.placement, NOW, 2)
    assert set(done.deleted) == {name for name in hours if hours[name]}
    kept = {name for name in hours if not hours[name]}
    assert cloud.names() >= kept | STRANGE
    assert set(done.silent) == {"silent", "ahead", "fresh"}
    assert cloud.traits(host)[0] == fresh
    assert not done.failed


@pytest.mark.parametrize("answers", [True, False])
def test_a_host_loses_all_void_hours_in_one_write(cloud, answers):
    """It may have made thousands, each of which makes a write longer."""
    fresh = VTD_ON | MARK
    hours = (16 * 24 + step for step in range(100))
    void = {traits.of_hour(NOW + hour * HOUR) for hour in hours}
    host = cloud.host("a", fresh | void)

    def refuse(method, url):
        asked = "required=in:" in url and max(void) in url
        return Answer(504, "too slow") if asked else None

    cloud.faults += [] if answers else [refuse]
    cloud.requests.clear()
    done = upkeep.sweep(cloud.placement, NOW, 2)
    url = f"/resource_providers/{host}/traits"
    assert cloud.requests.count(("PUT", url)) == len(done.silent) == answers
    assert set(done.deleted if answers else done.failed) == void
    cloud.faults.clear()
    assert cloud.traits(host)[0] == (fresh if answers else fresh | void)


def test_sweep_makes_the_names_of_two_weeks(cloud, weeks):
    first = upkeep.sweep(cloud.placement, NOW, 2)
    made = {traits.of_hour(NOW + step * HOUR) for step in range(14 * 24 + 1)}
    made.update(map(traits.of_check, CHECKS), results.TRAITS)
    assert first == upkeep.Sweep(made=made)
    assert cloud.placement.known(made) == made
    assert upkeep.sweep(cloud.placement, NOW, 2) == upkeep.Sweep()
    last = upkeep.sweep(cloud.placement, NOW + HOUR, 2)
    assert last.made == {traits.of_hour(NOW + 14 * DAY + HOUR)}


@pytest.mark.parametrize("size", [None, 5000])
def test_sweep_does_the_rest_where_there_are_too_many_names(
    cloud, weeks, monkeypatch, size
):
    """Placement does not answer, or with more than anybody reads."""
    old = traits.of_hour(NOW - 49 * HOUR)
    far = traits.of_hour(NOW + 30 * DAY)
    host = cloud.host("silent", {*VTD_ON, old})
    cloud.placement.create_traits({far})

    def refuse(method, url):
        asked = method == "GET" and "startswith:CUSTOM_VHARD_" in url
        return Answer(504, "too slow") if asked else None

    if size is None:
        cloud.faults.append(refuse)
    else:
        monkeypatch.setattr("nova_vhard.placement.client._MOST_BYTES", size)
    done = upkeep.sweep(cloud.placement, NOW, 2)
    assert (done.silent, done.deleted) == (["silent"], [old])
    assert done.failed == ["names of hours to come"]
    assert traits.of_hour(NOW + 14 * DAY) in done.made
    cloud.faults.clear()
    assert cloud.traits(host)[0] == set()
    assert far in cloud.names()


def test_sweep_goes_on_after_a_host_that_fails(cloud):
    first, second = cloud.host("first", VTD_ON), cloud.host("second", VTD_ON)

    def refuse(method, url):
        wanted = method == "PUT" and first in url
        return Answer(403, "no") if wanted else None

    cloud.faults.append(refuse)
    done = upkeep.sweep(cloud.placement, NOW, 2)
    assert (done.silent, done.failed) == (["second"], ["first"])
    assert cloud.claims(second)[0] == set()


def test_commands(cloud, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "connect", lambda conf: cloud.placement)
    host = cloud.host("a", FOREIGN | VTD_ON)
    config = tmp_path / "reporter.conf"
    config.write_text("[vhard_reporter]\n")
    base = ["--config-file", str(config)]
    assert command.main([*base, "sweep"]) == 0
    assert "whose traits were removed: a\n" in capsys.readouterr().out
    cloud.give(host, VTD_ON)
    assert command.main([*base, "withdraw", "a"]) == 0
    assert "a lost CUSTOM_VHARD_" in capsys.readouterr().out
    assert command.main([*base, "withdraw", "b"]) == 1
    assert capsys.readouterr().err.endswith(
        "nova-vhard-reporter: no resource provider with name=b\n"
    )
