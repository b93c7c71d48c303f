# SPDX-License-Identifier: Apache-2.0
"""Tests of notifications to a service manager, over real sockets."""

import contextlib
import os
import re
import socket
from unittest import mock

import pytest

from nova_vhard.daemon import systemd
from nova_vhard.daemon.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """Return a socket that listens, and the address for a service."""
    if request.param == "path":
        address = name = str(tmp_path / "notify")
    else:
        address = f"@nova-vhard-test-{os.getpid()}"
        name = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        listener.settimeout(5)
        yield listener, address


def heard(listener):
    return listener.recv(4096).decode().split("\n")


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("ready", (), "READY=1"),
        ("reloading", (), r"RELOADING=1\nMONOTONIC_USEC=[1-9]\d*"),
        ("stopping", (), "STOPPING=1"),
        ("status", ("two\nlines  of text",), "STATUS=two lines of text"),
        ("alive", (True,), "WATCHDOG=1"),
    ],
)
def test_each_message(manager, method, arguments, message):
    listener, address = manager
    getattr(Notifier(address, watchdog=10), method)(*arguments)
    assert re.fullmatch(message, "\n".join(heard(listener)))


def test_a_sign_of_life_each_half_of_the_watchdogs_time(manager):
    listener, address = manager
    clock = mock.Mock(return_value=100)
    notifier = Notifier(address, watchdog=10, clock=clock)
    assert notifier.period == 5
    listener.setblocking(False)
    steps = []
    for step in range(40):
        clock.return_value = 100 + step / 2
        notifier.alive()
        with contextlib.suppress(BlockingIOError):
            assert heard(listener) == ["WATCHDOG=1"]
            steps.append(step)
    assert steps == [0, 10, 20, 30]


def test_of_the_environment(manager):
    listener, address = manager
    environment = {
        "NOTIFY_SOCKET": address,
        "WATCHDOG_USEC": "180000000",
        "WATCHDOG_PID": str(os.getpid()),
        "PATH": "/bin",
    }
    notifier = systemd.of_environment(environment)
    # No child may take itself for the service.
    assert environment == {"PATH": "/bin"}
    assert notifier.period == 90
    notifier.ready()
    assert heard(listener) == ["READY=1"]


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1", "@there"])
@pytest.mark.parametrize(
    "watchdog",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "1000000"},
    ],
)
def test_no_manager_that_watches_this_process(address, watchdog):
    notifier = systemd.of_environment({"NOTIFY_SOCKET": address, **watchdog})
    watches = address == "@there" and watchdog == {"WATCHDOG_USEC": "1000000"}
    assert notifier.period == (0.5 if watches else None)
    notifier.ready()
    notifier.alive(now=True)


def test_a_manager_that_is_gone_is_a_warning(tmp_path, caplog):
    Notifier(str(tmp_path / "nobody")).ready()
    assert "not told READY=1: No such file" in caplog.text.replace(
        "[Errno 2] ", ""
    )


def test_the_sockets_that_the_manager_holds(monkeypatch):
    with socket.socket(socket.AF_UNIX) as listener:
        copy = os.dup(listener.fileno())
        os.set_inheritable(copy, True)
        monkeypatch.setattr(systemd, "_FIRST_SOCKET", copy)
        environment = {
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": "1",
            "LISTEN_FDNAMES": "guard.sock",
        }
        (result,) = systemd.listeners(environment)
        with result:
            assert result.fileno() == copy
            assert result.family is socket.AF_UNIX
            assert not result.get_inheritable()
        assert environment == {}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid())},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"},
    ],
)
def test_no_socket_is_handed_over(environment):
    assert systemd.listeners(dict(environment)) == []
