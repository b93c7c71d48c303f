# SPDX-License-Identifier: Apache-2.0
"""The service as its manager sees it: a process, signals, a socket."""

import datetime
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.trees import capture

ROOT = pathlib.Path(__file__).parents[3]
#: Seconds for what takes moments, on a machine that is busy.
LONG = 60
CONFIG = """\
[vhard_reporter]
root = {root}
state_path = {state}
publishers = {publishers}
interval = 1800
check_timeout = {limit}
publish_timeout = {limit}
"""


class Manager:
    """A service manager: starts the reporter and listens to it."""

    def __init__(self, folder):
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir()
        self.config = folder / "reporter.conf"
        self.log = folder / "log"
        self.configure()
        address = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(LONG)
        self.environment = {**os.environ, "NOTIFY_SOCKET": address}

    def configure(self, publishers="json", limit=600):
        self.config.write_text(
            CONFIG.format(
                root=capture("vtd-on", self.folder),
                state=self.state,
                publishers=publishers,
                limit=limit,
            )
        )

    def start(self, what=None, **environment):
        command = [sys.executable, "-m"]
        if what:
            command += ["tests.unit.reporter.running", str(self.config), what]
        else:
            command += ["nova_vhard.cmd.reporter"]
            command += ["--config-file", str(self.config), "run"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**self.environment, **environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def heard(self):
        return self.socket.recv(4096).decode()

    def until(self, beginning):
        """Listen until a message begins so; return it."""
        while not (message := self.heard()).startswith(beginning):
            assert self.process.poll() is None, self.log.read_text()
        return message

    def stop(self):
        """Send SIGTERM; return the seconds until the end.

        It promises one. A busy machine may need more, but what hangs here
        hangs for a minute or for ever: less than a few is at once.
        """
        begun = time.monotonic()
        self.process.terminate()
        self.process.wait(LONG)
        return time.monotonic() - begun

    def report(self):
        return json.loads((self.state / "report.json").read_text())

    def close(self):
        self.socket.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def manager(tmp_path):
    result = Manager(tmp_path)
    yield result
    result.close()


def alive(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def test_ready_report_stop(manager):
    manager.start()
    assert manager.heard() == "READY=1"
    status = manager.until("STATUS=")
    assert " UTC: " in status
    assert " PASS" in status
    assert len(manager.report()["results"]) > 3
    assert manager.stop() < 5
    assert manager.process.returncode == 0
    assert manager.heard() == "STOPPING=1"
    assert os.listdir(manager.state) == ["report.json"]


def test_sighup_takes_up_a_changed_configuration_at_once(manager):
    manager.start()
    manager.until("STATUS=")
    manager.state = manager.folder / "other"
    manager.state.mkdir()
    manager.configure()
    manager.process.send_signal(signal.SIGHUP)
    manager.until("RELOADING=1")
    assert manager.heard() == "READY=1"
    manager.until("STATUS=")
    assert manager.report()["results"]


def test_sighup_with_a_broken_configuration_changes_nothing(manager):
    manager.start()
    manager.until("STATUS=")
    first = manager.report()["time"]
    manager.configure(publishers="jsno")
    manager.process.send_signal(signal.SIGHUP)
    manager.until("RELOADING=1")
    manager.until("STATUS=")
    assert manager.report()["time"] > first
    assert "Not reloaded" in manager.log.read_text()
    assert "no jsno" in manager.log.read_text()


def test_a_stop_while_a_check_hangs_ends_what_it_started(manager):
    manager.start("check")
    _, *pids = manager.process.stdout.readline().split()
    assert all(alive(pid) for pid in pids)
    assert manager.stop() < 5
    assert manager.process.returncode == 0
    # They are killed; on a busy machine they end a little later. By themselves
    # they would run for a minute.
    end = time.monotonic() + 30
    while any(map(alive, pids)):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert os.listdir(manager.state) == []


@pytest.mark.parametrize("what", ["publish", "deep"])
def test_a_stop_while_a_publisher_hangs(manager, what):
    manager.start(what)
    assert manager.process.stdout.readline() == "hangs\n"
    assert manager.stop() < 5
    assert manager.process.returncode == 0
    # No `except Exception` of a library can swallow it.
    assert manager.process.stdout.read() == ""


def test_what_hangs_is_ended_after_its_time(manager):
    manager.configure(limit=1)
    manager.start("check")
    assert "1 PASS, 1 UNKNOWN" in manager.until("STATUS=")
    first, second = manager.report()["results"]
    assert first["reason"] == "no answer within 1 seconds"
    assert first["seconds"] >= 1
    assert second["status"] == "PASS"


def test_a_publisher_that_hangs_is_broken_off_and_named(manager):
    manager.configure(limit=1)
    manager.start("publish")
    assert manager.until("STATUS=").endswith("not to json: it took too long")


def test_signs_of_life_while_a_check_is_waited_for(manager):
    manager.start("check", WATCHDOG_USEC="1000000")
    for _ in range(4):
        manager.until("WATCHDOG=1")


def test_a_publisher_gets_half_of_the_watchdogs_time(manager):
    manager.start("publish", WATCHDOG_USEC="2000000")
    assert "it took too long" in manager.until("STATUS=")


def test_no_sign_of_life_from_one_that_is_stopped(manager):
    manager.start("check", WATCHDOG_USEC="1000000")
    manager.until("WATCHDOG=1")
    manager.process.send_signal(signal.SIGSTOP)
    manager.socket.settimeout(0.1)
    with pytest.raises(TimeoutError):
        while True:
            manager.heard()
    manager.socket.settimeout(1.5)
    with pytest.raises(TimeoutError):
        manager.heard()
    manager.process.send_signal(signal.SIGCONT)


def test_once_is_no_service(manager):
    command = [sys.executable, "-m", "nova_vhard.cmd.reporter"]
    command += ["--config-file", str(manager.config), "run", "--once"]
    manager.process = subprocess.Popen(
        command, cwd=ROOT, env=manager.environment, stdout=subprocess.PIPE
    )
    assert manager.process.wait(LONG) == 0
    now = datetime.datetime.now(datetime.UTC).isoformat()
    assert manager.report()["time"] < now
