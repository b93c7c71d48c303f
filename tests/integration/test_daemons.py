# SPDX-License-Identifier: Apache-2.0
"""The processes of a cloud: what they leave behind."""

import pathlib
import sys
import time

import pytest

from cloud import place
from cloud.daemons import Daemon, Daemons

# A child in a group of its own, as a port mapper that RabbitMQ starts.
_FLEES = """
import subprocess, sys, time
command = [sys.executable, "-c", sys.argv[1]]
child = subprocess.Popen(command, start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
_SLEEPS = "import time; time.sleep(600)"
_DEAF = f"""
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
{_SLEEPS}
"""
_SECONDS = 30


@pytest.fixture
def daemons(tmp_path):
    """Give the processes of a cloud that has none."""
    stored = place.Place(tmp_path)
    stored.take()
    made = Daemons(stored)
    yield made
    assert not made.end_leftover(1)


@pytest.mark.parametrize("does", [_SLEEPS, _DEAF], ids=["asked", "forced"])
def test_what_has_fled_from_its_group_is_ended_and_no_other(
    daemons, does, tmp_path_factory
):
    # given a daemon that is stopped, and a child of it that still runs
    daemons.start(Daemon("one", (sys.executable, "-c", _FLEES, does)))
    (log,) = pathlib.Path(daemons._place.logs).glob("one-*")
    deadline = time.monotonic() + _SECONDS
    while not log.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    daemons.stop("one")
    assert daemons.leftover() == [int(log.read_text())]
    # and another cloud
    elsewhere = place.Place(tmp_path_factory.mktemp("elsewhere"))
    elsewhere.take()
    others = Daemons(elsewhere)
    others.start(Daemon("other", (sys.executable, "-c", _SLEEPS)))
    # when
    left = daemons.end_leftover(1)
    # then
    assert left == daemons.leftover() == []
    assert others.alive("other")
    others.stop("other")
