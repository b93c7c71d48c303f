# SPDX-License-Identifier: Apache-2.0
"""Tests of the reporter's pause between two rounds."""

from types import SimpleNamespace
from unittest import mock

import pytest

from nova_vhard.daemon import runtime
from nova_vhard.host.processes.check_process import in_process
from nova_vhard.reporter import service
from nova_vhard.reporter.publishers.base import PublishError
from tests.trees import build


@pytest.fixture
def pauses(conf, tmp_path, monkeypatch):
    """Return a function that returns the seconds slept after each round."""

    def pauses(fails):
        conf.set_override(
            "root", build(tmp_path / "root", {}), "vhard_reporter"
        )
        answers = [PublishError("down") if each else None for each in fails]
        target = mock.Mock(**{"publish.side_effect": answers})
        target.name, daemon, slept = "target", runtime.Runtime(), []

        def sleep(seconds):
            slept.append(seconds)
            if len(slept) == len(fails):
                daemon.stop()

        clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=sleep)
        monkeypatch.setattr(runtime, "time", clock)
        daemon.run(
            service.Reporter(conf, [target], runtime=daemon, run=in_process)
        )
        return slept

    return pauses


def test_an_interval_with_jitter(pauses):
    result = pauses([False] * 30)
    assert len(result) == 30
    assert all(270 <= each <= 330 for each in result)
    assert len(set(result)) > 1


def test_after_failures_sooner_and_ever_later(pauses):
    result = pauses([True] * 12 + [False, True])
    expected = [10, 20, 40, 80, 160] + [300] * 7 + [300, 10]
    assert result == [pytest.approx(each, rel=0.1001) for each in expected]
