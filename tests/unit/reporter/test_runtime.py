# SPDX-License-Identifier: Apache-2.0
"""Behavior common to a node's daemons: readiness, rounds, SIGHUP, exit.

The pause between two rounds is tested with the reporter.
"""

import os
import signal
from types import SimpleNamespace
from unittest import mock

import pytest

from nova_vhard.cmd import attestor, cleaner, exporter, guard, reporter
from nova_vhard.daemon import interrupts, runtime
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.daemon.systemd import Notifier
from nova_vhard.host.processes.check_process import in_process
from nova_vhard.placement.connect import AdapterClient
from nova_vhard.reporter import service
from nova_vhard.reporter.publishers.base import PublishError
from tests.trees import build


@pytest.fixture
def manager():
    """Return a mock of the notifications to the service manager."""
    return mock.Mock(spec=Notifier, period=None)


def heard(manager):
    return [name for name, *_ in manager.mock_calls]


class Rounds:
    """A service that sends its own process signals, one a round."""

    def __init__(self, *signals):
        self.signals = list(signals)

    def round(self):
        number = self.signals.pop(0)
        if number:
            os.kill(os.getpid(), number)
        return 0.0


def test_ready_rounds_and_the_end(manager):
    service = Rounds(None, None, signal.SIGTERM)
    before = signal.getsignal(signal.SIGTERM)
    Runtime(manager).run(service)
    assert service.signals == []
    assert heard(manager) == ["ready", *["alive"] * 3, "stopping"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_sighup_makes_the_service_anew(manager):
    fresh = Rounds(signal.SIGTERM)
    Runtime(manager).run(Rounds(signal.SIGHUP), lambda: fresh)
    assert fresh.signals == []
    assert heard(manager)[1:4] == ["alive", "reloading", "ready"]


@pytest.mark.parametrize(
    "program", [attestor, cleaner, exporter, guard, reporter]
)
def test_sighup_ends_no_daemon_that_starts(program):
    if not (pid := os.fork()):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

        def parser():
            os.kill(os.getpid(), signal.SIGHUP)
            os._exit(7)

        program._parser = parser
        program.main([])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_sighup_while_it_starts_makes_the_service_anew_once(manager):
    before = signal.getsignal(signal.SIGHUP)
    interrupts.note_hangup()
    os.kill(os.getpid(), signal.SIGHUP)
    fresh = Rounds(signal.SIGTERM)
    Runtime(manager).run(Rounds(None), lambda: fresh)
    signal.signal(signal.SIGHUP, before)
    Runtime(manager).run(Rounds(signal.SIGTERM))
    assert heard(manager).count("reloading") == 1


def test_one_that_cannot_be_made_anew_goes_on(manager, caplog):
    again = mock.Mock(side_effect=ValueError("interval: not a number"))
    service = Rounds(signal.SIGHUP, signal.SIGTERM)
    Runtime(manager).run(service, again)
    assert service.signals == []
    assert "interval: not a number" in caplog.text


def test_a_sign_of_life_before_each_request():
    heard = mock.Mock()
    client = AdapterClient(heard.adapter, heard.alive)
    client.get("/", "1.39")
    client.put("/", {"x": 1}, "1.39")
    client.delete("/", "1.39")
    how = {"microversion": "1.39", "raise_exc": False}
    assert heard.mock_calls == [
        mock.call.alive(),
        mock.call.adapter.get("/", **how),
        mock.call.alive(),
        mock.call.adapter.put("/", json={"x": 1}, **how),
        mock.call.alive(),
        mock.call.adapter.delete("/", **how),
    ]


@pytest.fixture
def pauses(conf, tmp_path, monkeypatch):
    """Return a function that returns the seconds slept after each round."""
    conf.set_override("root", build(tmp_path / "root", {}), "vhard_reporter")

    def pauses(fails):
        answers = [PublishError("down") if each else None for each in fails]
        target = mock.Mock(**{"publish.side_effect": answers})
        target.name, daemon, slept = "target", Runtime(), []

        def sleep(seconds):
            slept.append(seconds)
            if len(slept) == len(fails):
                daemon.stop()

        clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=sleep)
        monkeypatch.setattr(runtime, "time", clock)
        how = {"runtime": daemon, "run": in_process}
        daemon.run(service.Reporter(conf, [target], **how))
        return slept

    return pauses


def test_an_interval_with_jitter(pauses):
    result = pauses([False] * 30)
    assert len(result) == 30
    assert all(270 <= each <= 330 for each in result)
    assert len(set(result)) > 1


def test_the_pause_after_failures_is_short_and_grows(pauses):
    result = pauses([True] * 12 + [False, True])
    expected = [10, 20, 40, 80, 160] + [300] * 7 + [300, 10]
    assert result == [pytest.approx(each, rel=0.1001) for each in expected]
