# SPDX-License-Identifier: Apache-2.0
"""The service as its manager sees it: a process, signals, a socket."""

import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

from tests.trees import capture
from tests.unit.guard.domains import until

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
        self.folder, self.state = folder, folder / "state"
        self.config, self.log = folder / "reporter.conf", folder / "log"
        self.configure()
        address = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(LONG)
        self.environment = {**os.environ, "NOTIFY_SOCKET": address}

    def configure(self, publishers="json", limit=600):
        self.state.mkdir(exist_ok=True)
        self.config.write_text(
            CONFIG.format(
                root=capture("vtd-on", self.folder),
                state=self.state,
                publishers=publishers,
                limit=limit,
            )
        )

    def start(self, what, **environment):
        """Start it with something that goes wrong; "" for nothing."""
        command = [sys.executable, "-m", "tests.unit.reporter.running"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, str(self.config), what],
                cwd=ROOT,
                env={**self.environment, **environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def until(self, beginning):
        """Listen until a message begins so; return it."""
        while not (message := self.socket.recv(4096).decode()).startswith(
            beginning
        ):
            assert self.process.poll() is None, self.log.read_text()
        return message

    def stop(self):
        """Send SIGTERM; what hangs would hang for longer than this waits."""
        self.process.terminate()
        assert self.process.wait(LONG) == 0


@pytest.fixture
def manager(tmp_path):
    result = Manager(tmp_path)
    yield result
    result.socket.close()
    result.process.kill()
    result.process.communicate()


def test_ready_reloaded_and_stopped(manager):
    manager.start("")
    manager.until("READY=1")
    status = manager.until("STATUS=")
    assert " UTC: " in status and " PASS" in status
    assert os.listdir(manager.state) == ["report.json"]
    # Another configuration is taken up at once, if it is not broken.
    manager.state = manager.folder / "other"
    for publishers in ("jsno", "json"):
        manager.configure(publishers)
        manager.process.send_signal(signal.SIGHUP)
        for message in ("RELOADING=1", "READY=1", "STATUS="):
            manager.until(message)
        reported = os.listdir(manager.state)
        assert reported == ["report.json"] * (publishers == "json")
    assert "no jsno" in manager.log.read_text()
    manager.stop()
    manager.until("STOPPING=1")


def test_a_stop_while_a_check_hangs_ends_what_it_started(manager):
    manager.start("check", WATCHDOG_USEC="1000000")
    _, *pids = manager.process.stdout.readline().split()
    # There are signs of life while it is waited for.
    for _ in range(3):
        manager.until("WATCHDOG=1")
    places = [f"/proc/{pid}/exe" for pid in pids]
    assert all(map(os.path.exists, places))
    manager.stop()
    # They are killed; on a busy machine they end a little later.
    until(lambda: not any(map(os.path.exists, places)))
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
