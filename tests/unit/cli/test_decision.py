# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard decision summary``, over what the code writes."""

import functools
import gzip
import io
import json
import logging
import sys
import tracemalloc
from types import SimpleNamespace

import pytest

from nova_vhard.osc.decision import counts as counting
from nova_vhard.osc.decision import log as decision_log
from nova_vhard.osc.decision import summary
from nova_vhard.osc.decision.summary import SummarizeDecisions
from nova_vhard.policy import events
from nova_vhard.policy.subject import BOOT, MOVE, UPLOAD, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import image
from tests.unit.cli.desk import rows, run
from tests.unit.event_lines import FORGED, written
from tests.unit.helpers import TODAY, policy

RULES = {
    "disk_bus": {"allow": ["virtio"]},
    "vif_model": {"allow": ["virtio"], "mode": "warn"},
    "video_model": {"allow": ["virtio"], "mode": "audit"},
}
IDE = {"hw_disk_bus": "ide"}
E1000 = {"hw_vif_model": "e1000"}
VGA = {"hw_video_model": "vga"}
DISK, CARD, SCREEN = (f"guest_devices.{kind}" for kind in RULES)

USUAL = ("Requests", "Refused", "Would Be Refused")


def line(form, properties, operation=BOOT, service=False, **who):
    """Return the line of one decision, as the code writes it.

    :param form: as ``written`` takes it, or "journal"
    """
    subject = Subject(operation, **{"project": "p1", "image": "i1", **who})
    rules = policy(guest_devices=RULES, mode="enforce")
    verdict = evaluate(rules, image.read(properties), subject, TODAY)
    with written("bare" if form == "journal" else form, events.LOG) as stream:
        events.write("nova-api", subject, verdict, 61e-6, service)
    text = stream.getvalue().rstrip("\n")
    if form != "journal":
        return text
    # as journalctl -o json gives it
    message = f"INFO nova_vhard.decisions [-] {text}"
    return json.dumps({"PRIORITY": "6", "MESSAGE": message})


plain = functools.partial(line, "bare")


def file(tmp_path, *lines, name="nova.log"):
    path = tmp_path / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def usual(row):
    """Return requests, refused and would-be-refused of a row."""
    return tuple(row[name] for name in USUAL)


def counts(path, *arguments, by="rule,project,image"):
    """Return the usual counts by group."""
    names = by.split(",")
    return {
        tuple(each[name.title()] for name in names): usual(each)
        for each in rows(SummarizeDecisions, path, "--by", by, *arguments)
    }


def test_counts_by_rule_project_and_image(tmp_path):
    path = file(
        tmp_path,
        plain(IDE),
        plain({**IDE, **E1000}),
        plain({**E1000, **VGA}),
        plain(E1000, project="p2"),
        plain(E1000, image="i2", project="p2"),
        plain({}),
    )
    assert counts(path) == {
        (CARD, "p1", "i1"): (2, 0, 2),
        (CARD, "p2", "i1"): (1, 0, 1),
        (CARD, "p2", "i2"): (1, 0, 1),
        (DISK, "p1", "i1"): (2, 2, 0),
        (SCREEN, "p1", "i1"): (1, 0, 1),
    }


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        # those that matter come first
        ("rule", {(CARD,): (3, 0, 3), (DISK,): (1, 1, 0)}),
        ("project", {("p1",): (2, 1, 1), ("p2",): (1, 0, 1)}),
        ("operation", {("boot",): (2, 1, 1), ("upload",): (1, 0, 1)}),
        ("mode", {("enforce",): (1, 1, 0), ("warn",): (3, 0, 3)}),
        ("outcome", {("refuse",): (1, 1, 0), ("warn",): (2, 0, 2)}),
        ("gate", {("nova-api",): (3, 1, 2)}),
        ("domain,flavor", {("d", "f"): (2, 1, 1), (None, None): (1, 0, 1)}),
        ("rule,rule", {(DISK,): (1, 1, 0), (CARD,): (3, 0, 3)}),
    ],
)
def test_groups_of_another_kind(tmp_path, by, groups):
    path = file(
        tmp_path,
        plain({**IDE, **E1000}, domain="d", flavor="f"),
        plain(E1000, domain="d", flavor="f"),
        plain(E1000, operation=UPLOAD, project="p2"),
    )
    names = [*dict.fromkeys(by.split(","))]
    found = [
        (tuple(each[name.title()] for name in names), usual(each))
        for each in rows(SummarizeDecisions, path, "--by", by)
    ]
    assert dict(found) == groups
    assert by != "rule" or found == [*groups.items()]


@pytest.mark.parametrize(
    ("arguments", "rules"),
    [
        (["--mode", "warn"], {CARD}),
        (["--mode", "warn", "--mode", "audit"], {CARD, SCREEN}),
        (["--mode", "enforce"], {DISK}),
        (["--outcome", "refuse"], {DISK, CARD}),
        (["--outcome", "audit"], {SCREEN}),
        (["--outcome", "refuse", "--mode", "warn"], {CARD}),
        (["--outcome", "allow"], set()),
    ],
)
def test_filters(tmp_path, arguments, rules):
    path = file(tmp_path, plain({**IDE, **E1000}), plain(VGA))
    assert {key[0] for key in counts(path, *arguments)} == rules


def test_what_enforcing_would_not_refuse(tmp_path):
    """Servers that exist are moved, and services are let pass."""
    path = file(
        tmp_path,
        plain(IDE, operation=MOVE),
        plain(E1000, operation=UPLOAD, service=True),
    )
    assert counts(path, by="rule") == {
        (CARD,): (1, 0, 0),
        (DISK,): (1, 0, 0),
    }
    passed = [each["Passed"] for each in rows(SummarizeDecisions, path)]
    assert passed == [1, 1]


@pytest.mark.parametrize(
    "rules",
    [
        {"rules": ["passthrough.require", "hosts.require"]},
        # as services of an older version write it
        {"rule": "passthrough.require, hosts.require"},
    ],
)
def test_a_demand_on_hosts_counts_for_each_of_its_rules(tmp_path, rules):
    event = json.loads(plain(IDE))
    event["violations"] = [{"mode": "enforce", **rules}]
    path = file(tmp_path, json.dumps(event))
    assert counts(path, by="rule") == {
        ("passthrough.require",): (1, 1, 0),
        ("hosts.require",): (1, 1, 0),
    }


@pytest.mark.parametrize("form", ["bare", "context", "json", "journal"])
def test_lines_of_every_kind_of_log(tmp_path, form):
    path = file(tmp_path, line(form, E1000), line(form, IDE))
    done = run(SummarizeDecisions, path, "-f", "json")
    assert {each["Rule"] for each in done.json} == {DISK, CARD}
    assert done.err.startswith("2 events, 0 lines that cannot be read, 0 ")
    for each in done.json:
        assert each["First"] == each["Last"]
        assert (each["First"] is None) == (form in ("bare", "journal"))


def test_first_and_last(tmp_path):
    stamps = ("2026-11-25 09:14:02.5", "2026-11-24T23:00:00Z", "Nov 25 09:00")
    lines = [
        f"{stamp} x nova_vhard.decisions {plain(IDE)}" for stamp in stamps
    ]
    (row,) = rows(SummarizeDecisions, file(tmp_path, *lines))
    assert row["Requests"] == 3
    assert row["First"] == "2026-11-24 23:00:00"
    assert row["Last"] == "2026-11-25 09:14:02"


PREFIX = "2026-11-25 09:14:02.1 1 INFO nova_vhard.decisions [-] "


@pytest.mark.parametrize(
    "odd",
    [
        PREFIX,
        PREFIX + "{",
        PREFIX + plain(IDE)[:-30],
        plain(IDE)[:60],
        PREFIX + "[]",
        PREFIX + "{}",
        PREFIX + plain(IDE).replace('"violations":[', '"violations":[1,'),
        PREFIX + plain(IDE).replace('"operation":"boot"', '"operation":7'),
        PREFIX + '{"a":' * 100_000,
        PREFIX + plain(IDE).replace('"gate"', '"g\x00te"'),
        PREFIX + "x" * (decision_log.LONGEST + 10) + plain(IDE),
    ],
    ids=range(11),
)
def test_a_line_that_cannot_be_read_is_counted(tmp_path, odd):
    path = file(tmp_path, plain(IDE), odd, plain(E1000))
    done = run(SummarizeDecisions, path, "-f", "json")
    assert done.status == 0
    assert {each["Rule"] for each in done.json} == {DISK, CARD}
    assert "2 events, 1 line that cannot be read, 0 lines about" in done.err


def test_what_is_about_something_else_is_passed_over(tmp_path):
    path = tmp_path / "nova.log"
    path.write_bytes(
        b"2026-11-25 09:14:02 1 INFO nova.api.openstack.requestlog GET /\n"
        b'{"a": 1}\n\xff\xfe\x00\x80\n\n' + plain(IDE).encode()
    )
    done = run(SummarizeDecisions, str(path), "-f", "json")
    assert len(done.json) == 1
    assert done.err == (
        "1 event, 0 lines that cannot be read, 3 lines about something else\n"
    )


@pytest.mark.parametrize("content", [b"", b"GET /\n\n"])
def test_a_file_without_any_event_is_no_log_of_a_gate(tmp_path, content):
    path = tmp_path / "access.log"
    path.write_bytes(content)
    done = run(SummarizeDecisions, str(path), "-f", "json")
    assert (done.status, done.json) == (0, [])
    counted, hint = done.err.splitlines()
    assert counted.startswith("0 events, ")
    assert hint.startswith("No event was found: name ")
    assert hint.endswith("logger nova_vhard.decisions")


@pytest.mark.parametrize("name", ["context", "json"])
def test_what_somebody_else_has_logged_is_not_counted(tmp_path, name):
    """Anyone who can make a service log a request could forge events."""
    log = logging.getLogger("nova.api.openstack.requestlog")
    with written(name, log) as stream:
        log.info('192.0.2.1 "GET /%s" status: 404', FORGED)
        log.info("INFO nova_vhard.decisions [-] %s", FORGED)
    forged = stream.getvalue().splitlines()
    entry = json.dumps({"MESSAGE": forged[0]})
    path = file(tmp_path, *forged, entry, plain(IDE))
    done = run(SummarizeDecisions, path, "-f", "json")
    assert [each["Requests"] for each in done.json] == [1]
    assert done.err.startswith("1 event, 0 lines that cannot be read, 3 ")


def test_rotated_and_compressed_files_together(tmp_path):
    old = tmp_path / "nova.log.2.gz"
    old.write_bytes(gzip.compress(f"{plain(IDE)}\n".encode()))
    # Compressed in parts, as logrotate does with copytruncate.
    parts = tmp_path / "nova.log.1"
    parts.write_bytes(old.read_bytes() * 2)
    now = file(tmp_path, plain(IDE))
    (row,) = rows(SummarizeDecisions, now, str(parts), str(old))
    assert row["Requests"] == 4


@pytest.mark.parametrize("what", ["cut", "garbled"])
def test_a_damaged_file_is_read_up_to_there(tmp_path, what):
    lines = [plain(IDE, image=f"i{number}") for number in range(2000)]
    packed = bytearray(gzip.compress("\n".join(lines).encode()))
    half = len(packed) // 2
    if what == "cut":
        del packed[half:]
    else:
        packed[half : half + 400] = b"\xff" * 400
    path = tmp_path / "nova.log.gz"
    path.write_bytes(packed)
    good = file(tmp_path, plain(E1000))
    done = run(SummarizeDecisions, str(path), good, "-f", "json")
    assert done.status == 1
    assert 1 < len(done.json) < 2001
    assert CARD in {each["Rule"] for each in done.json}
    assert f"damaged, read up to there: {path}: " in done.err


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input(monkeypatch, packed):
    data = f"{plain(IDE)}\n".encode()
    stream = io.BytesIO(gzip.compress(data) if packed else data)
    monkeypatch.setattr(
        sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(stream))
    )
    (row,) = rows(SummarizeDecisions, "-")
    assert row["Requests"] == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [("nothere", "No such file or directory"), ("", "Is a directory")],
)
def test_a_file_that_is_not_there_is_told_before_the_reading(
    tmp_path, monkeypatch, name, text
):
    good = file(tmp_path, plain(IDE))
    monkeypatch.setattr(decision_log, "events", None)
    path = str(tmp_path / name)
    with pytest.raises(summary.exceptions.CommandError) as error:
        run(SummarizeDecisions, good, path)
    assert str(error.value).startswith(f"{path}: cannot be read: {text}; name")


@pytest.mark.parametrize(
    "arguments",
    [["--by", "colour"], ["--mode", "none"]],
)
def test_a_wrong_option_is_an_error_of_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        run(SummarizeDecisions, "x", *arguments)
    assert ended.value.code == 2
    assert arguments[1] in capsys.readouterr().err


def test_outsiders_text_is_cleaned_again(tmp_path):
    event = json.loads(plain(IDE))
    event["subject"]["image"] = "\u202e\x1b[31m" + "x" * 200
    event["violations"][0]["rules"] = ["a\nb"]
    out = run(SummarizeDecisions, file(tmp_path, json.dumps(event))).out
    assert "\x1b" not in out and "\u202e" not in out
    assert "x" * 65 not in out
    assert "ab" in out


def test_groups_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "GROUPS", 3)
    lines = [plain(IDE, image=f"i{number}") for number in range(10)]
    path = file(tmp_path, *lines, lines[0])
    done = run(SummarizeDecisions, path, "-f", "json")
    result = {each["Image"]: each["Requests"] for each in done.json}
    assert result == {"i0": 2, "i1": 1, "i2": 1, "(others)": 7}
    assert "more than 3 groups" in done.err


@pytest.mark.parametrize(
    ("most", "events"), [(0, 0), (1, 0), (None, 1), (10**6, 3)]
)
def test_the_end_of_a_file_that_is_written(tmp_path, most, events):
    """Whole lines only: the bytes of one line bring that line."""
    lines = [plain(IDE, image=f"i{number}") for number in range(3)]
    path = file(tmp_path, *lines)
    if most is None:
        most = len(lines[-1]) + 1
    read = decision_log.Read()
    result = list(decision_log.recent(path, read, most))
    assert [each.data["subject"]["image"] for each in result] == [
        *("i0", "i1", "i2")[3 - events :]
    ]
    assert read.events == events
    assert read.cut == ([] if events == 3 else [path])


def test_the_end_of_a_file_is_where_it_was(tmp_path):
    """Lines that are appended during the read are not followed."""
    path = file(tmp_path, plain(IDE))
    read = decision_log.Read()
    for _ in decision_log.recent(path, read, 10**6):
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(f"{plain(IDE)}\n" * 5)
    assert read.events == 1


def test_the_end_of_a_compressed_file_is_not_read(tmp_path):
    path = tmp_path / "nova.log.gz"
    path.write_bytes(gzip.compress(f"{plain(IDE)}\n".encode()))
    read = decision_log.Read()
    assert list(decision_log.recent(str(path), read, 10**6)) == []
    assert read.damaged == [f"{path}: compressed; name the log itself"]


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Ten times the events, and one line without an end, in as much memory."""
    event = f"{line('context', IDE)}\n".encode()

    def peak(count):
        path = tmp_path / "nova.log.gz"
        endless = b"x" * (4 * decision_log.LONGEST)
        path.write_bytes(gzip.compress(event * count + endless, 1))
        tracemalloc.start()
        try:
            (row,) = rows(SummarizeDecisions, str(path))
            assert row["Requests"] == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small = peak(200)
    assert peak(2000) < 1.2 * small
    assert small < 8 * decision_log.LONGEST
