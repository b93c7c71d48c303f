# SPDX-License-Identifier: Apache-2.0
"""Tests of the reporter's pause between two rounds."""

from types import SimpleNamespace

import pytest
from oslo_config import cfg

from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.daemon import runtime
from nova_vhard.host.processes.check_process import in_process
from nova_vhard.reporter import service
from nova_vhard.reporter.publishers.base import Publisher, PublishError
from tests.trees import build


class Sometimes(Publisher):
    """Fails as it is told to."""

    def __init__(self, conf, fails):
        super().__init__(conf)
        self.fails = list(fails)

    def publish(self, report):
        if self.fails.pop(0):
            raise PublishError("down")


def pauses(fails, tmp_path, monkeypatch):
    """Return the seconds slept after each round."""
    conf = cfg.ConfigOpts()
    conf([], project="test")
    reporter_conf.register(conf)
    root = build(tmp_path / "root", {})
    conf.set_override("root", root, "vhard_reporter")
    target, daemon, slept = Sometimes(conf, fails), runtime.Runtime(), []

    def sleep(seconds):
        slept.append(seconds)
        if not target.fails:
            daemon.stop()

    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=sleep)
    monkeypatch.setattr(runtime, "time", clock)
    daemon.run(
        service.Reporter(conf, [target], runtime=daemon, run=in_process)
    )
    return slept


def test_an_interval_with_jitter(tmp_path, monkeypatch):
    result = pauses([False] * 30, tmp_path, monkeypatch)
    assert len(result) == 30
    assert all(270 <= each <= 330 for each in result)
    assert len(set(result)) > 1


def test_after_failures_sooner_and_ever_later(tmp_path, monkeypatch):
    result = pauses([True] * 12 + [False, True], tmp_path, monkeypatch)
    expected = [10, 20, 40, 80, 160] + [300] * 7 + [300, 10]
    assert result == [pytest.approx(each, rel=0.1001) for each in expected]
