# SPDX-License-Identifier: Apache-2.0
"""The processes of a cloud: what they leave behind."""

import os
import signal
import subprocess
import sys

import pytest

from cloud import infrastructure, place
from cloud.daemons import Daemon, Daemons
from tests.integration.people import until

# A child in a group of its own, as a port mapper that RabbitMQ starts.
_FLEES = """
import subprocess, sys, time
command = [sys.executable, "-c", sys.argv[1]]
child = subprocess.Popen(command, start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
_SLEEPS = "import time; time.sleep(600)"
# To give so much memory back takes longer than to look.
_LISTENS = """
import socket, sys, time
memory = b"x" * (1 << 29)
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(600)
"""
_DEAF = f"""
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
{_SLEEPS}
"""


def of_a_cloud(folder):
    stored = place.Place(folder)
    stored.take()
    return stored, Daemons(stored)


@pytest.mark.parametrize("does", [_SLEEPS, _DEAF], ids=["asked", "forced"])
def test_a_process_that_left_its_group_is_ended_and_no_other(does, tmp_path):
    # given a daemon that is stopped, and a child of it that still runs
    stored, daemons = of_a_cloud(tmp_path / "one")
    daemons.start(Daemon("one", (sys.executable, "-c", _FLEES, does)))
    (log,) = stored.logs.glob("one-*")
    until(lambda: log.read_text().endswith("\n"))
    daemons.stop("one")
    assert daemons.leftover() == [int(log.read_text())]
    # and another cloud
    _, others = of_a_cloud(tmp_path / "other")
    others.start(Daemon("other", (sys.executable, "-c", _SLEEPS)))
    # when
    left = daemons.end_leftover(1)
    # then
    assert left == daemons.leftover() == []
    assert others.alive("other")
    others.stop("other")


def test_a_host_is_stopped_though_nobody_reaps_what_was_in_it(tmp_path):
    """The first process of its namespace waits for that."""
    _, daemons = of_a_cloud(tmp_path)
    daemons.start(
        Daemon("host", ("unshare", "--pid", "--fork", "sleep", "600"))
    )
    namespace = f"/proc/{daemons.id('host')}/ns/pid_for_children"
    outside = os.path.realpath("/proc/self/ns/pid")
    until(
        lambda: (
            os.path.realpath(namespace) != outside
            and os.path.exists(namespace)
        )
    )
    enter = ["nsenter", f"--pid={namespace}", "sh", "-c", "echo; read x"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(enter, **pipes) as guest:
        guest.stdout.readline()
        guest.send_signal(signal.SIGSTOP)
        daemons.stop("host", seconds=1)
        guest.kill()
    assert not daemons.alive("host")


def test_what_is_stopped_does_not_listen(tmp_path):
    stored, daemons = of_a_cloud(tmp_path)
    daemons.start(Daemon("one", (sys.executable, "-c", _LISTENS)))
    (log,) = stored.logs.glob("one-*")
    until(lambda: log.read_text().endswith("\n"))
    daemons.stop("one")
    assert not infrastructure.listens(int(log.read_text()))
