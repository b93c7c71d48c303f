# SPDX-License-Identifier: Apache-2.0
"""The service as its manager sees it: a process, signals, a socket."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

from nova_vhard.cmd import reporter as command
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
        self.process = None
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
        """Send SIGTERM; what hangs would hang for longer than this waits."""
        self.process.terminate()
        assert self.process.wait(LONG) == 0

    def report(self):
        return json.loads((self.state / "report.json").read_text())

    def close(self):
        self.socket.close()
        if self.process:
            self.process.kill()
            self.process.communicate()


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


def test_ready_reloaded_and_stopped(manager):
    manager.start()
    assert manager.heard() == "READY=1"
    status = manager.until("STATUS=")
    assert " UTC: " in status and " PASS" in status
    first = manager.report()
    assert len(first["results"]) > 3
    assert os.listdir(manager.state) == ["report.json"]
    # A broken configuration changes nothing.
    manager.configure(publishers="jsno")
    manager.process.send_signal(signal.SIGHUP)
    manager.until("RELOADING=1")
    manager.until("STATUS=")
    assert manager.report()["time"] > first["time"]
    assert "Not reloaded" in manager.log.read_text()
    assert "no jsno" in manager.log.read_text()
    # A good one is taken up at once.
    manager.state = manager.folder / "other"
    manager.state.mkdir()
    manager.configure()
    manager.process.send_signal(signal.SIGHUP)
    manager.until("RELOADING=1")
    assert manager.heard() == "READY=1"
    manager.until("STATUS=")
    assert manager.report()["results"]
    manager.stop()
    manager.until("STOPPING=1")


def test_a_stop_while_a_check_hangs_ends_what_it_started(manager):
    manager.start("check", WATCHDOG_USEC="1000000")
    _, *pids = manager.process.stdout.readline().split()
    # There are signs of life while it is waited for.
    for _ in range(3):
        manager.until("WATCHDOG=1")
    assert all(alive(pid) for pid in pids)
    manager.stop()
    # They are killed; on a busy machine they end a little later.
    end = time.monotonic() + LONG
    while any(map(alive, pids)):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert os.listdir(manager.state) == []


@pytest.mark.parametrize("what", ["publish", "deep"])
def test_a_stop_while_a_publisher_hangs(manager, what):
    manager.start(what)
    assert manager.process.stdout.readline() == "hangs\n"
    manager.stop()
    # No `except Exception` of a library can swallow it.
    assert manager.process.stdout.read() == ""


@pytest.mark.parametrize(
    ("limit", "watchdog"),
    [(1, {}), (600, {"WATCHDOG_USEC": "2000000"})],
    ids=["its limit", "half of the watchdog's time"],
)
def test_a_publisher_that_hangs_is_broken_off_and_named(
    manager, limit, watchdog
):
    manager.configure(limit=limit)
    manager.start("publish", **watchdog)
    assert manager.until("STATUS=").endswith("not to json: it took too long")


def test_once_ends_by_itself(manager):
    path = str(manager.config)
    assert command.main(["--config-file", path, "run", "--once"]) == 0
    assert manager.report()["results"]
