# SPDX-License-Identifier: Apache-2.0
"""The reporter on the real Placement: publish, sweep, withdraw."""

import datetime
import json
import os
import signal
import time
import uuid

import pytest
from oslo_config import cfg

from nova_vhard.catalogue import results, traits
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.cmd import reporter as command
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.host import report
from nova_vhard.host.check import Check, Result, Status
from nova_vhard.host.host import Host
from nova_vhard.host.processes.check_process import Isolation
from nova_vhard.host.root import HostRoot
from nova_vhard.placement import names, upkeep
from nova_vhard.reporter.publishers.base import PublishError
from nova_vhard.reporter.publishers.json_file import JsonPublisher
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from nova_vhard.reporter.service import Reporter
from tests.functional.placement.conftest import SAMPLE, Answer
from tests.trees import build, capture

NOW = datetime.datetime(2026, 6, 15, 12, 30, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
FOREIGN = {SAMPLE, "COMPUTE_NODE", "CUSTOM_OTHER"}
VTD_ON = {
    traits.of_check(name)
    for name in ("iommu", "interrupt_remapping", "kernel_aslr", "smt")
}
NONE = {traits.of_check(name) for name in ("kernel_aslr", "smt")}


@pytest.fixture(scope="session")
def captures(tmp_path_factory):
    return tmp_path_factory.mktemp("captures")


@pytest.fixture
def conf(tmp_path, monkeypatch):
    # Without ``weeks`` a reporter makes its own hour's name alone: those of
    # two weeks take a second.
    monkeypatch.setattr(names, "DAYS", 0)
    monkeypatch.setattr(names, "FEW_DAYS", 0)
    conf = cfg.ConfigOpts()
    conf([], project="test")
    reporter_conf.register(conf)
    conf.set_override("root", str(tmp_path), "vhard_reporter")
    return conf


@pytest.fixture
def weeks(conf, monkeypatch):
    """Make names as far ahead as in a cloud."""
    monkeypatch.setattr(names, "DAYS", 14)
    monkeypatch.setattr(names, "FEW_DAYS", 7)


def identify(tmp_path, text):
    build(tmp_path, {"/var/lib/nova/compute_id": text})


def inspect(captures, tree, time=NOW):
    root = Host(HostRoot(capture(tree, captures)))
    # Whatever else this machine has to do.
    run = Isolation(timeout=600).run
    return report.inspect(root, time, report.load(), run)


def test_a_report_becomes_traits(cloud, conf, tmp_path, captures):
    # with a result as an earlier version wrote it
    earlier = "CUSTOM_VHSTATUS_00_XFXX"
    host = cloud.host("compute", {*FOREIGN, earlier})
    identify(tmp_path, host + "\n")
    publisher = PlacementPublisher(conf, cloud.placement)
    publisher.publish(inspect(captures, "vtd-on"))
    mark = traits.of_hour(NOW)
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | {mark}
    assert earlier not in cloud.traits(host)[0]
    # The host loses its IOMMU, and with it the trait, in the same write.
    publisher.publish(inspect(captures, "none"))
    assert cloud.claims(host)[0] == FOREIGN | NONE | {mark}


def test_a_check_that_turns_unknown_loses_its_trait(
    cloud, conf, tmp_path, captures
):
    host = cloud.host("compute", FOREIGN)
    identify(tmp_path, host)
    publisher = PlacementPublisher(conf, cloud.placement)
    publisher.publish(inspect(captures, "vtd-on"))
    empty = report.inspect(Host(HostRoot("/nowhere")), NOW, report.load())
    publisher.publish(empty)
    assert cloud.claims(host)[0] == FOREIGN | {traits.of_hour(NOW)}


def test_nothing_is_written_while_nothing_changes(
    cloud, conf, tmp_path, captures
):
    identify(tmp_path, cloud.host("compute", FOREIGN))
    publisher = PlacementPublisher(conf, cloud.placement)
    publisher.publish(inspect(captures, "vtd-on"))
    cloud.requests.clear()
    for minute in range(20):
        later = NOW + datetime.timedelta(minutes=minute)
        publisher.publish(inspect(captures, "vtd-on", later))
    assert {method for method, _ in cloud.requests} == {"GET"}


def test_the_hour_turns(cloud, conf, tmp_path, captures):
    host = cloud.host("compute", FOREIGN)
    identify(tmp_path, host)
    publisher = PlacementPublisher(conf, cloud.placement)
    publisher.publish(inspect(captures, "vtd-on"))
    # Each host writes the new mark at a second of the hour of its own.
    spread = 3600 - 3 * conf.vhard_reporter.interval
    offset = uuid.UUID(host).int % spread
    turn = NOW.replace(minute=0) + HOUR
    due = turn + datetime.timedelta(seconds=offset)
    for moment in (turn, due - datetime.timedelta(seconds=1), due):
        publisher.publish(inspect(captures, "vtd-on", moment))
        hour = NOW if turn <= moment < due else due
        expected = FOREIGN | VTD_ON | {traits.of_hour(hour)}
        assert cloud.claims(host)[0] == expected
    # and traits lost before that are written at once
    later = due + HOUR
    publisher.publish(inspect(captures, "none", later.replace(minute=0)))
    assert cloud.claims(host)[0] & VTD_ON == NONE & VTD_ON


def test_a_program_that_reports_once_writes_the_mark_at_once(
    cloud, conf, tmp_path, captures
):
    host = cloud.host("compute", FOREIGN)
    identify(tmp_path, host)
    turn = NOW.replace(minute=0) + HOUR
    for moment in (NOW, turn):
        publisher = PlacementPublisher(conf, cloud.placement)
        publisher.publish(inspect(captures, "vtd-on", moment))
    assert traits.of_hour(turn) in cloud.claims(host)[0]


def test_with_a_long_interval_the_mark_is_written_when_the_hour_turns(
    cloud, conf, tmp_path, captures
):
    host = cloud.host("compute", FOREIGN)
    identify(tmp_path, host)
    conf.set_override("interval", 1200, "vhard_reporter")
    publisher = PlacementPublisher(conf, cloud.placement)
    publisher.publish(inspect(captures, "vtd-on"))
    turn = NOW.replace(minute=0) + HOUR
    publisher.publish(inspect(captures, "vtd-on", turn))
    assert traits.of_hour(turn) in cloud.claims(host)[0]


def test_a_report_in_the_steady_state_is_one_request(
    cloud, conf, tmp_path, captures
):
    host = cloud.host("compute", FOREIGN)
    identify(tmp_path, host)
    publisher = PlacementPublisher(conf, cloud.placement)
    publisher.publish(inspect(captures, "vtd-on"))
    cloud.requests.clear()
    publisher.publish(inspect(captures, "vtd-on"))
    url = f"/resource_providers/{host}/traits"
    assert cloud.requests == [("GET", url)]
    # and another host's id in the file is seen at once
    other = cloud.host("other", FOREIGN)
    identify(tmp_path, other)
    publisher.publish(inspect(captures, "vtd-on"))
    assert cloud.claims(other)[0] >= VTD_ON


def test_a_placement_that_is_down_loses_nothing(
    cloud, conf, tmp_path, captures
):
    host = cloud.host("compute", FOREIGN)
    identify(tmp_path, host)
    publisher = PlacementPublisher(conf, cloud.placement)
    publisher.publish(inspect(captures, "vtd-on"))
    before = cloud.claims(host)[0]
    cloud.faults.append(lambda method, url: Answer(503, "down"))
    with pytest.raises(PublishError, match="503"):
        publisher.publish(inspect(captures, "none"))
    cloud.faults.clear()
    assert cloud.claims(host)[0] == before


IOMMU = traits.of_check("iommu")
DAY = 24 * HOUR


@pytest.fixture
def host(cloud, tmp_path):
    """A host whose reporter goes by its uuid."""
    made = cloud.host("compute", FOREIGN)
    identify(tmp_path, made)
    return made


def report_of(time, **statuses):
    """Return a report of some checks."""
    return report.HostReport(
        time,
        tuple(Result(each, Status[statuses[each]], "") for each in statuses),
    )


def missing(caplog):
    """Return the warnings about names that are missing, once each."""
    result = [each.getMessage() for each in caplog.records]
    caplog.clear()
    return [each for each in result if each.startswith("Not reported")]


def test_what_has_no_name_is_left_out(cloud, host, conf, acting, caplog):
    upkeep.sweep(cloud.placement, NOW, 2)
    assert cloud.placement.delete_trait(IOMMU)
    publisher = PlacementPublisher(conf, acting("vhard-reporter"))
    current = report_of(NOW, iommu="PASS", kernel_aslr="PASS", smt="FAIL")
    publisher.publish(current)
    written = {
        traits.of_hour(NOW),
        traits.of_check("kernel_aslr"),
        *results.encode({"smt": "FAIL"}),
    }
    assert cloud.traits(host)[0] == FOREIGN | written
    (warning,) = missing(caplog)
    assert warning.count("CUSTOM_") == 1
    assert f"{IOMMU}. " in warning
    # when nothing changes, then nothing is written, and it is not said again
    generation = cloud.traits(host)[1]
    publisher.publish(current)
    assert cloud.traits(host)[1] == generation
    assert not missing(caplog)
    # when the name is there, then it is not taken for a rival's removal
    acting("admin").create_traits({IOMMU})
    acting("vhard-reporter")
    publisher.publish(current)
    assert cloud.traits(host)[0] == FOREIGN | written | {IOMMU}


def test_without_a_name_of_its_hour_a_report_has_failed(
    cloud, host, conf, weeks, acting, caplog
):
    upkeep.sweep(cloud.placement, NOW, 2)
    admin = cloud._adapter
    publisher = PlacementPublisher(conf, acting("vhard-reporter"))
    passed = {"iommu": "PASS", "smt": "PASS"}
    for days, ahead in ((0, 14), (7, 7), (8, 6), (14, 0)):
        caplog.clear()
        publisher.publish(report_of(NOW + days * DAY, **passed))
        assert publisher.record.days_ahead == ahead
        assert (f"reports of only {ahead} more days" in caplog.text) == (
            ahead < 7
        )
    # when there is no hour any more, then what is lost is lost all the same
    late = NOW + 14 * DAY + 2 * HOUR
    with pytest.raises(PublishError, match="no name for the hour"):
        publisher.publish(report_of(late, iommu="FAIL", smt="PASS"))
    assert IOMMU not in cloud.traits(host)[0]
    # and when a sweep comes by, all is well again
    cloud._adapter = admin
    upkeep.sweep(cloud.placement, late, 2)
    acting("vhard-reporter")
    publisher.publish(report_of(late, **passed))
    assert cloud.claims(host)[0] >= {IOMMU, traits.of_hour(late)}
    assert publisher.record.days_ahead == 14


def test_a_login_that_may_makes_the_names_of_two_weeks(
    cloud, host, conf, weeks
):
    publisher = PlacementPublisher(conf, cloud.placement)
    publisher.publish(report_of(NOW, iommu="PASS"))
    hours = {traits.of_hour(NOW + step * HOUR) for step in range(14 * 24 + 1)}
    assert cloud.placement.known(hours) == hours
    assert publisher.record.days_ahead == 14
    # when they are there, then a few requests look, once a day
    # a quarter before the end of an hour each host has written its mark
    for hours, requests in ((1, 1), (22, 1), (23, 6), (24, 1)):
        cloud.requests.clear()
        for minutes in (20, 23, 26):
            later = NOW + hours * HOUR + datetime.timedelta(minutes=minutes)
            publisher.publish(report_of(later, iommu="PASS"))
        asked = [
            url for _, url in cloud.requests if url.startswith("/traits?")
        ]
        assert len(asked) == requests
        assert {method for method, _ in cloud.requests[-2:]} == {"GET"}


def test_an_hour_without_a_name_is_seen_whichever_it_is(
    cloud, host, conf, weeks, acting, caplog
):
    upkeep.sweep(cloud.placement, NOW, 2)
    cloud.placement.delete_trait(traits.of_hour(NOW + 30 * HOUR))
    publisher = PlacementPublisher(conf, acting("vhard-reporter"))
    publisher.publish(report_of(NOW, iommu="PASS"))
    assert publisher.record.days_ahead == 1
    assert "reports of only 1 more days" in caplog.text


def test_without_an_answer_about_names_ahead_a_report_has_not_failed(
    cloud, host, conf, weeks, acting, caplog
):
    upkeep.sweep(cloud.placement, NOW, 2)
    publisher = PlacementPublisher(conf, acting("vhard-reporter"))
    publisher.publish(report_of(NOW, iommu="PASS"))
    assert publisher.record.days_ahead == 14
    ahead = traits.of_hour(NOW + 30 * HOUR)

    def away(method, url):
        return Answer(503, "away") if ahead in url else None

    cloud.faults.append(away)
    # a quarter before the end of an hour each host has written its mark
    later = NOW + 24 * HOUR + datetime.timedelta(minutes=25)
    publisher.publish(report_of(later, iommu="PASS", smt="PASS"))
    assert traits.of_hour(later) in cloud.traits(host)[0]
    assert publisher.record.days_ahead is None
    text = "Names of reports to come are not counted: status"
    assert [line.startswith(text) for line in caplog.messages].count(True) == 1
    # when Placement is back, then they are counted within an hour
    cloud.faults.clear()
    publisher.publish(report_of(later + HOUR, iommu="PASS"))
    assert publisher.record.days_ahead == 13


def test_a_login_that_is_for_another_provider_is_named(
    cloud, conf, tmp_path, captures
):
    identify(tmp_path, cloud.host("compute", FOREIGN))
    publisher = PlacementPublisher(conf, cloud.placement)
    cloud.faults.append(lambda method, url: Answer(401, "no"))
    with pytest.raises(PublishError, match="vhard host enroll: it is for"):
        publisher.publish(inspect(captures, "vtd-on"))
    cloud.faults[:] = [lambda method, url: Answer(403, "no")]
    with pytest.raises(PublishError, match=r"status 403: no$"):
        publisher.publish(inspect(captures, "vtd-on"))


def test_by_name_where_there_is_no_identity_file(
    cloud, conf, captures, monkeypatch
):
    monkeypatch.setattr("socket.getfqdn", lambda: "node.example.org")
    monkeypatch.setattr("socket.gethostname", lambda: "node")
    publisher = PlacementPublisher(conf, cloud.placement)
    with pytest.raises(PublishError, match="not created this host's resource"):
        publisher.publish(inspect(captures, "none"))
    host = cloud.host("node")
    publisher.publish(inspect(captures, "none"))
    assert cloud.claims(host)[0] >= NONE


@pytest.mark.parametrize("text", ["", "no uuid", "../../x"])
def test_a_damaged_identity_file_reports_for_nobody(
    cloud, conf, tmp_path, captures, monkeypatch, text
):
    monkeypatch.setattr("socket.gethostname", lambda: "node")
    host = cloud.host("node")
    identify(tmp_path, text)
    publisher = PlacementPublisher(conf, cloud.placement)
    with pytest.raises(PublishError, match="holds no uuid"):
        publisher.publish(inspect(captures, "none"))
    assert cloud.claims(host)[0] == set()


def test_an_unreadable_identity_file_reports_for_nobody(
    cloud, conf, tmp_path, captures
):
    path = "/var/lib/nova/compute_id"
    build(tmp_path, {"/ERRORS.json": json.dumps([[path, "EACCES"]])})
    publisher = PlacementPublisher(conf, cloud.placement)
    with pytest.raises(PublishError, match="Permission denied"):
        publisher.publish(inspect(captures, "none"))


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
        # by what it does, and whether it counts as passed then
        ("PASS hang hang PASS hang", (True, True, False, True, True)),
        ("hang", (False,)),
        ("FAIL hang", (False, False)),
        ("PASS crash", (True, False)),
        ("PASS UNKNOWN", (True, False)),
        ("PASS FAIL", (True, False)),
        ("PASS crash hang", (True, False, False)),
    ],
)
def test_a_check_that_runs_out_of_time_passes_once_more(
    cloud, conf, tmp_path, monkeypatch, rounds, proven
):
    identify(tmp_path, cloud.host("compute", FOREIGN))
    monkeypatch.setattr(report, "load", lambda: [Slow()])
    conf.set_override("check_timeout", 1, "vhard_reporter")
    conf.set_override("state_path", str(tmp_path), "vhard_reporter")
    targets = [PlacementPublisher(conf, cloud.placement), JsonPublisher(conf)]
    service = Reporter(conf, targets)
    shown = []
    for what in rounds.split():
        (tmp_path / "what").write_text(what)
        assert service.once()
        reported = json.loads((tmp_path / "report.json").read_text())
        (provider,) = cloud.placement.providers({"COMPUTE_NODE"})
        has = cloud.claims(provider.uuid)[0]
        shown.append(
            (
                traits.of_check("iommu") in has,
                reported["results"][0]["status"] == "PASS",
            )
        )
    assert shown == [(each, each) for each in proven]


def test_the_service_goes_on_after_a_failure_and_stops_at_once(
    cloud, conf, tmp_path
):
    host = cloud.host("compute", FOREIGN)
    identify(tmp_path, host)
    publisher = PlacementPublisher(conf, cloud.placement)
    runtime = Runtime()
    service = Reporter(conf, [publisher], runtime=runtime)
    cloud.faults.append(lambda method, url: Answer(503, "down"))
    assert not service.once()
    cloud.faults.clear()
    assert service.once()
    runtime.stop()
    runtime.run(service)


def test_sweep_takes_our_traits_from_silent_hosts_only(cloud):
    fresh = {*VTD_ON, traits.of_hour(NOW)}
    aging = {*VTD_ON, traits.of_hour(NOW - HOUR)}
    hosts = {
        "fresh": cloud.host("fresh", FOREIGN | fresh),
        "aging": cloud.host("aging", FOREIGN | aging),
        "silent": cloud.host(
            "silent", FOREIGN | VTD_ON | {traits.of_hour(NOW - 2 * HOUR)}
        ),
        "unmarked": cloud.host("unmarked", FOREIGN | VTD_ON),
        "foreign": cloud.host("foreign", FOREIGN),
    }
    done = upkeep.sweep(cloud.placement, NOW, 2)
    assert set(done.silent) == {"silent", "unmarked"}
    left = {name: cloud.claims(uuid)[0] for name, uuid in hosts.items()}
    assert left == {
        "fresh": FOREIGN | fresh,
        "aging": FOREIGN | aging,
        "silent": FOREIGN,
        "unmarked": FOREIGN,
        "foreign": FOREIGN,
    }


def test_sweep_spares_a_host_that_reports_meanwhile(cloud):
    host = cloud.host("a", FOREIGN | VTD_ON)
    mark = traits.of_hour(NOW)

    def report_meanwhile(method, url):
        if method == "GET" and url.endswith("/traits"):
            cloud.faults.clear()
            cloud.give(host, FOREIGN | VTD_ON | {mark})

    cloud.faults.append(report_meanwhile)
    assert not upkeep.sweep(cloud.placement, NOW, 2).silent
    assert cloud.claims(host)[0] == FOREIGN | VTD_ON | {mark}


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


def test_sweep_deletes_names_of_hours_and_no_other(cloud):
    hours = {traits.of_hour(NOW + age * HOUR): AGES[age] for age in AGES}
    cloud.placement.create_traits({*hours, *STRANGE})
    # Those that have nothing but an hour's mark are silent, too.
    cloud.host("silent", {traits.of_hour(NOW - 500 * HOUR)})
    cloud.host("ahead", {traits.of_hour(NOW + 15 * 24 * HOUR + HOUR)})
    # A report that counts stays, without the other hour.
    fresh = {*VTD_ON, traits.of_hour(NOW)}
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
    fresh = {*VTD_ON, traits.of_hour(NOW)}
    hours = (16 * 24 + step for step in range(100))
    void = {traits.of_hour(NOW + hour * HOUR) for hour in hours}
    host = cloud.host("a", fresh | void)

    def refuse(method, url):
        asked = "required=in:" in url and max(void) in url
        return Answer(504, "too slow") if asked else None

    cloud.faults += [] if answers else [refuse]
    cloud.requests.clear()
    done = upkeep.sweep(cloud.placement, NOW, 2)
    writes = [
        url for way, url in cloud.requests if way == "PUT" and host in url
    ]
    assert len(writes) == len(done.silent) == answers
    assert set(done.deleted if answers else done.failed) == void
    cloud.faults.clear()
    assert cloud.traits(host)[0] == (fresh if answers else fresh | void)


def test_sweep_makes_the_names_of_two_weeks(cloud):
    first = upkeep.sweep(cloud.placement, NOW, 2)
    names = {traits.of_hour(NOW + step * HOUR) for step in range(14 * 24 + 1)}
    names.update(map(traits.of_check, CHECKS), results.TRAITS)
    assert first == upkeep.Sweep(made=names)
    assert cloud.placement.known(names) == names
    assert upkeep.sweep(cloud.placement, NOW, 2) == upkeep.Sweep()
    last = upkeep.sweep(cloud.placement, NOW + HOUR, 2)
    assert last.made == {traits.of_hour(NOW + 14 * 24 * HOUR + HOUR)}


@pytest.mark.parametrize("size", [None, 5000])
def test_sweep_does_the_rest_where_there_are_too_many_names(
    cloud, monkeypatch, size
):
    """Placement does not answer, or with more than anybody reads."""
    old = traits.of_hour(NOW - 49 * HOUR)
    far = traits.of_hour(NOW + 30 * 24 * HOUR)
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
    assert traits.of_hour(NOW + 14 * 24 * HOUR) in done.made
    cloud.faults.clear()
    assert cloud.traits(host)[0] == set()
    assert far in cloud.names()


def test_sweep_goes_on_after_a_host_that_fails(cloud):
    first = cloud.host("first", VTD_ON)
    second = cloud.host("second", VTD_ON)

    def refuse(method, url):
        wanted = method == "PUT" and first in url
        return Answer(403, "no") if wanted else None

    cloud.faults.append(refuse)
    done = upkeep.sweep(cloud.placement, NOW, 2)
    assert done.silent == ["second"]
    assert done.failed == ["first"]
    assert cloud.claims(second)[0] == set()


def test_withdraw(cloud):
    host = cloud.host("a", FOREIGN | VTD_ON)
    assert upkeep.withdraw(cloud.placement, host) == VTD_ON
    assert cloud.claims(host)[0] == FOREIGN


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
