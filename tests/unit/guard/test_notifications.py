# SPDX-License-Identifier: Apache-2.0
"""The guard's decisions on the message bus."""

import subprocess
import sys

import oslo_messaging
import pytest
from oslo_config import cfg

from nova_vhard.cmd import guard as program
from nova_vhard.conf import guard as guard_conf
from nova_vhard.exporter import payloads
from nova_vhard.guard.judge import Judge
from nova_vhard.guard.service import Guard
from nova_vhard.policy import notify
from nova_vhard.policy.subject import START
from tests.unit import test_notify
from tests.unit.guard import domains


@pytest.fixture
def conf():
    conf = cfg.ConfigOpts()
    conf([], project="test", default_config_files=[])
    oslo_messaging.get_notification_transport(conf, url="fake:")
    conf.set_override("transport_url", "fake:")
    guard_conf.register(conf)
    conf.set_override("notifications", True, "vhard_guard")
    return conf


def test_each_decision_is_sent_and_can_be_counted(conf, judge, policy, events):
    # given
    sender = program._sender(conf)
    judge = Judge(judge.memory, judge._proven, sender.decided)
    topic = conf.vhard_guard.notification_topic
    with test_notify.listening(conf, topic) as consumer:
        # when
        judge.judge(policy(domains.ENFORCE), domains.xml("sata"), START)
        # then
        publisher, kind, payload = consumer.next()
    assert publisher.startswith("nova-vhard-guard:")
    assert kind == notify.DECISION
    (event,) = events()
    assert {name: payload[name] for name in event} == event
    assert payloads.decision(payload).gate == "guard"


def test_they_are_off_by_default(conf):
    conf.clear_override("notifications", "vhard_guard")
    assert program._sender(conf) is None


def test_without_oslo_messaging_the_guard_does_not_start(
    conf, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "oslo_messaging", None)
    # Other tests have imported what imports it.
    monkeypatch.delitem(sys.modules, "nova_vhard.policy.notify", False)
    monkeypatch.delattr("nova_vhard.policy.notify", raising=False)
    file = tmp_path / "guard.conf"
    file.write_text("[vhard_guard]\nnotifications = true\n")
    assert program.main(["--config-file", str(file), "run"]) == 1
    printed = capsys.readouterr().err
    assert "pip install 'nova-vhard[exporter]'" in printed
    assert len(printed.splitlines()) == 1


_START = """
import sys, threading
from oslo_config import cfg
from nova_vhard.cmd import guard as program
from nova_vhard.conf import guard as guard_conf
conf = cfg.ConfigOpts()
conf([], project="test", default_config_files=[])
guard_conf.register(conf)
program._sender(conf)
print("oslo_messaging" in sys.modules)
conf.set_override("notifications", True, "vhard_guard")
program._sender(conf)
print("oslo_messaging" in sys.modules, threading.active_count())
"""


def test_oslo_messaging_is_imported_before_there_are_threads():
    """It may import eventlet, whose modules other threads would get."""
    command = [sys.executable, "-W", "ignore", "-c", _START]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["False", "True 1"]


def test_a_policy_that_cannot_be_used_is_sent_too(conf, short):
    # given
    options = {
        "policy_file": f"{short}/policy.yaml",
        "state_path": f"{short}/state",
        "run_dir": f"{short}/run",
    }
    for name, value in options.items():
        conf.set_override(name, value, "vhard_guard")
    with open(options["policy_file"], "w") as file:
        file.write("mode: [")
    topic = conf.vhard_guard.notification_topic
    with test_notify.listening(conf, topic) as consumer:
        # when
        sender = program._sender(conf)
        Guard(conf.vhard_guard, sender=sender)
        sender.decided("{}")
        # then
        consumer.next()
        _, kind, payload = consumer.next()
    assert kind == notify.POLICY
    assert "policy.yaml" in payload["refused"]
