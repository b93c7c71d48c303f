# SPDX-License-Identifier: Apache-2.0
"""The guard's decisions on the message bus."""

import pathlib
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


def test_each_decision_is_sent_and_can_be_counted(
    conf, short, judge, policy, events
):
    """So is a policy that cannot be used."""
    group = "vhard_guard"
    for name, path in (("policy_file", "policy.yaml"), ("run_dir", "run")):
        conf.set_override(name, f"{short}/{path}", group)
    conf.set_override("state_path", f"{short}/state", group)
    pathlib.Path(short, "policy.yaml").write_text("mode: [")
    sender = program._sender(conf)
    judge = Judge(judge.memory, judge._proven, sender.decided)
    topic = conf.vhard_guard.notification_topic
    with test_notify.listening(conf, topic) as consumer:
        Guard(conf.vhard_guard, sender=sender)
        judge.judge(policy(domains.ENFORCE), domains.xml("sata"), START)
        publisher, kind, payload = consumer.next()
        _, second, state = consumer.next()
    assert publisher.startswith("nova-vhard-guard:")
    assert (kind, second) == (notify.DECISION, notify.POLICY)
    (event,) = events()
    assert {name: payload[name] for name in event} == event
    assert payloads.decision(payload).gate == "guard"
    assert "policy.yaml" in state["refused"]


def test_without_oslo_messaging_the_guard_does_not_start(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "oslo_messaging", None)
    # Other tests have imported what imports it.
    monkeypatch.delitem(sys.modules, "nova_vhard.policy.notify", False)
    monkeypatch.delattr("nova_vhard.policy.notify", raising=False)
    file = tmp_path / "guard.conf"
    file.write_text("[vhard_guard]\nnotifications = true\n")
    assert program.main(["--config-file", str(file), "run"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "pip install 'nova-vhard[exporter]'" in err


_START = """
import sys, threading
from oslo_config import cfg
from nova_vhard.cmd import guard as program
from nova_vhard.conf import guard as guard_conf
conf = cfg.ConfigOpts()
conf([], project="test", default_config_files=[])
guard_conf.register(conf)
print(program._sender(conf), "oslo_messaging" in sys.modules)
conf.set_override("notifications", True, "vhard_guard")
program._sender(conf)
print("oslo_messaging" in sys.modules, threading.active_count())
"""


def test_oslo_messaging_is_imported_before_there_are_threads():
    """It may import eventlet, whose modules other threads would get."""
    command = [sys.executable, "-W", "ignore", "-c", _START]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    # They are off by default.
    assert ended.stdout.splitlines() == ["None False", "True 1"]
