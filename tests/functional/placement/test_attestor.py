# SPDX-License-Identifier: Apache-2.0
"""The attestor on the real Placement: who is attested, and until when."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nova_vhard.attestor import service
from nova_vhard.common import log
from tests import logged
from tests.functional.placement.attestors import (
    MAX_AGE,
    START,
    Story,
)
from tests.functional.placement.conftest import killed


@pytest.fixture
def desk(cloud, tmp_path):
    return Story(cloud, tmp_path)


BEGIN = "start, attested a, "
FEW = "c2 c3 c4 c5 c6 c7 c8 c9"
#: Events of host a.
STORIES = {
    "never verified": "unverified, start, lost",
    "nothing changes": f"{BEGIN}verified_again, five_requests",
    "verified all the time": f"{BEGIN}verified_again 30, attested a, "
    "marks_are 1",
    "the first FAIL": f"{BEGIN}fails a, idle, lost, marks_are 0, passes a, "
    "verified_again, attested a",
    "an agent that vanishes": f"{BEGIN}unverified, idle, lost",
    "nothing is demanded of some": f"hosts_of {FEW}, demands a, start, "
    "attested a, verified_again 3, attested a, marks_are 3, "
    f"undemanded_are {FEW}, demands a {FEW}, verified_again, "
    f"attested a {FEW}, undemanded_are",
    "nothing is demanded of any": "demands, start, attested, undemanded_are a",
    # The attestor's clock and the verifier's; the scheduler's is right.
    "a clock that was ahead": "at 3600, verify, start, at 0, attested, "
    "at 3539, attested, at 3540, attested a",
    "a pass that is not renewed": f"{BEGIN}idle 9, attested a, idle, lost",
    "a verifier that is down for a minute": f"{BEGIN}verified_again 2, "
    "disconnect, idle, attested a, reconnect, verified_again, attested a",
    "a verifier that is down for less than the age": f"{BEGIN}"
    "verified_again 2, disconnect, idle 8, attested a, reconnect, "
    "verified_again, attested a",
    "a verifier that is down for longer": f"{BEGIN}verified_again 2, "
    "disconnect, idle 8, attested a, idle 2, lost, errors_are verifier 10",
    # No component has removed the trait, but the mark has expired.
    "an attestor that is down for longer": f"{BEGIN}sleep 600, attested, "
    "swept a, lost",
    "a new one while the verifier is down": f"{BEGIN}disconnect, start, "
    "verify, idle, attested a, sleep 600, idle, lost",
    "a bad mapping adds no host, and a host that fails is lost": f"{BEGIN}"
    "hosts_of b, damage, idle, attested a, verified_again, attested a, "
    "fails a, idle, lost, passes a, idle, lost, repair, verified_again, "
    "attested a b",
    "hosts expire during a bad mapping": f"{BEGIN}damage, start, "
    "verified_again 10, lost",
    "a host that leaves the mapping": f"{BEGIN}unmap, idle, lost, "
    "errors_are mapping 2",
    "a key is changed without a gap": f"{BEGIN}keys_are ab cd, start, "
    "verified_again, attested a, keys_are cd ab, start, verified_again 10, "
    "attested a, keys_are cd, attested a",
}


@pytest.mark.parametrize("events", STORIES.values(), ids=STORIES)
def test_a_story(desk, events):
    desk.happens(f"hosts_of a, {events}")


@pytest.mark.parametrize("peer", ["verifier", "placement"])
def test_a_peer_that_is_away_for_two_hours_has_three_lines(
    desk, caplog, monkeypatch, peer
):
    desk.happens("hosts_of a, start, attested a")
    clock = SimpleNamespace(monotonic=lambda: desk.seconds)
    monkeypatch.setattr(log, "time", clock)
    desk.down = peer == "verifier"
    if peer == "placement":
        desk.cloud.refuse("", "")
    for _ in range(24):
        assert not desk.minute(desk.running, 300)
    desk.errors_are(peer, 24)
    assert desk.running.round() <= 1.1 * service._RETRY
    desk.cloud.faults.clear()
    desk.happens("reconnect, verified_again, attested a")
    levels, texts = zip(
        *(
            line
            for line in logged.lines(caplog, service.LOG.name)
            if "attested" not in line[1]
        ),
        strict=True,
    )
    assert levels == ("ERROR", "ERROR", "WARNING")
    assert texts[-1] == f"No error of {peer} any longer"


def test_killed_at_every_request(desk):
    """A refused host never counts, and no other host loses its trait."""
    good = {desk.host(f"good{number}") for number in range(8)}
    bad = {desk.host("bad0"), desk.host("bad1")}

    def begin():
        desk.failed.clear()
        desk.verify()
        assert desk.attestor().once()
        assert desk.scheduler() == good | bad
        desk.seconds += 301
        desk.failed |= {"agent of bad0", "agent of bad1"}
        desk.verify()

    for step in killed(desk.cloud, begin, lambda _: desk.attestor().once()):
        assert desk.scheduler() >= good, step
        assert desk.attestor().once()
        assert desk.scheduler() == good, step
    assert 10 < step < 40


def test_two_attestors_do_not_fight(desk):
    desk.happens("hosts_of a, start, attested a")
    attestor, other = desk.running, desk.attestor()
    assert other.once()
    for each in (attestor, other) * 10:
        desk.verify()
        desk.cloud.requests.clear()
        assert desk.minute(each, 30)
        desk.attested("a")
        assert sum(it[0] != "GET" for it in desk.cloud.requests) <= 2
    desk.happens("marks_are 1, fails a")
    for each in (other, attestor):
        assert each.once()
        desk.attested()


def test_events_and_metrics(desk, caplog, tmp_path):
    """The log has one JSON object for each host that is added or removed."""
    caplog.set_level("INFO", "nova_vhard.attestations")
    desk.happens("hosts_of a b, start, idle, fails a, idle 2")
    messages = [
        json.loads(text)
        for _, text in logged.lines(caplog, "nova_vhard.attestations")
    ]
    refused = "the verifier refuses it: FAIL"
    until = int(START.timestamp()) + MAX_AGE
    facts = {
        (each["event"], each["host"], each["until"], each["reason"])
        for each in messages
        if each["provider"] == desk.names[each["host"]]
    }
    assert facts == {
        *(("attested", name, until, None) for name in "ab"),
        ("withdrawn", "a", None, refused),
    }
    assert len(messages) == len(facts)
    assert desk.attestor(textfile_directory=str(tmp_path)).once()
    lines = (tmp_path / "nova_vhard_attestor.prom").read_text().splitlines()
    assert {
        'nova_vhard_attested{host="a"} 0.0',
        'nova_vhard_attested{host="b"} 1.0',
        'nova_vhard_attestor_errors_total{of="verifier"} 0.0',
        "nova_vhard_attestor_void_marks_total 0.0",
        "nova_vhard_attestor_withdrawn_total 0.0",
    } <= {*lines}


def test_the_program_itself(desk, tmp_path):
    """Another process cannot reach this Placement."""
    desk.hosts_of("a")
    (tmp_path / "attestor.conf").write_text(
        "[vhard_attestor]\nsource = file\n"
        f"verdicts_file = {tmp_path}/verdicts.yaml\n"
        f"key_file = {desk.key}\nmapping_file = {desk.mapping}\n"
        "[placement]\nauth_type = none\nendpoint = http://127.0.0.1:1\n"
    )
    command = [sys.executable, "-m", "nova_vhard.cmd.attestor"]
    ended = subprocess.run(
        [*command, "--config-file=attestor.conf", "run", "--once"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert " ERROR " in ended.stderr and "Placement: " in ended.stderr


def test_many_hosts(desk):
    """The verifier is asked once, and Placement little.

    A thousand hosts: 143 marks, each made and deleted once in five minutes.
    """
    names = [f"c{number}" for number in range(35)]
    desk.hosts_of(*names)
    desk.happens("start, marks_are 5")
    desk.attested(*names)
    sent = 0
    for _ in range(10):
        desk.verified_again()
        sent += len(desk.cloud.requests)
    assert sent <= 10 * 5 + 2 * 2 * 5
    # when half of them fail, they are out within the round
    desk.failed |= {f"agent of c{number}" for number in range(17)}
    desk.idle()
    assert len(desk.scheduler()) == 18
