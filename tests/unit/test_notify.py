# SPDX-License-Identifier: Apache-2.0
"""Notifications of decisions: sent by a thread, and never in the way."""

import contextlib
import itertools
import json
import logging
import os
import queue
import re
import subprocess
import sys
import threading
import time
from concurrent import futures
from types import SimpleNamespace
from unittest import mock

import oslo_messaging
import pytest
from futurist import _thread
from oslo_config import cfg
from oslo_messaging._drivers import impl_fake

from nova_vhard.conf import vhard as vhard_conf
from nova_vhard.gates.enforcer import PolicyEnforcer
from nova_vhard.policy import notify, subject, watch
from nova_vhard.request import lookups, server_request
from tests import logged
from tests.unit import helpers
from tests.unit.guard.domains import until
from tests.unit.helpers import write

_WAIT = 60
# Seconds in which an idle thread of a listener's notices that it is to end.
_thread.ThreadWorker.MAX_IDLE_FOR = 0.05
_TOPICS = itertools.count()
POLICY = (
    'version: "1"\nmode: enforce\nguest_devices: {disk_bus: {allow: [virtio]}}'
)
DOWN = "rabbit://u:secret@127.0.0.1:1/"


class Consumer:
    """Keeps what comes, as a program of somebody else's would."""

    def __init__(self):
        self.came = queue.Queue()

    def info(self, context, publisher_id, event_type, payload, metadata):
        self.came.put((context, publisher_id, event_type, payload))

    def next(self):
        self.context, *event = self.came.get(timeout=_WAIT)
        return tuple(event)

    def payload(self):
        return self.next()[-1]


def configured(url="fake:"):
    conf = helpers.configured(
        vhard_conf, notification_topic=f"topic-{next(_TOPICS)}"
    )
    oslo_messaging.get_notification_transport(conf, url="fake:")
    conf.set_override("transport_url", url)
    return conf


def sender(conf, size=notify.QUEUE_SIZE, kind=notify.Sender):
    return kind(conf, "nova-api", conf.vhard.notification_topic, size)


@contextlib.contextmanager
def listening(conf, topic=None):
    consumer = Consumer()
    topic = topic or conf.vhard.notification_topic
    listener = oslo_messaging.get_notification_listener(
        oslo_messaging.get_notification_transport(conf),
        [oslo_messaging.Target(topic=topic, exchange=conf.control_exchange)],
        [consumer],
        executor="threading",
    )
    listener.start()
    try:
        yield consumer
    finally:
        listener.stop()
        listener.wait()


@pytest.fixture
def conf():
    return configured()


@pytest.fixture
def consumer(conf):
    with listening(conf) as result:
        yield result


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING)
    return lambda: logged.lines(caplog, notify.LOG.name)


class Waiting(notify.Sender):
    """A sender whose bus is down, until somebody sets ``up``."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.up = threading.Event()
        self.waits = threading.Event()

    def _connect(self):
        self.waits.set()
        assert self.up.wait(_WAIT)
        return super()._connect()


@pytest.mark.parametrize("host", [None, "controller.example"])
def test_a_decision_is_sent_as_it_is_logged(conf, consumer, host):
    """The publisher is on the host that the service names."""
    conf.register_opt(cfg.StrOpt("host", default=host))
    sender(conf).decided('{"gate": "nova-api", "outcome": "allow"}')
    assert consumer.next() == (
        f"nova-api:{host or os.uname().nodename}",
        "vhard.decision",
        {
            **{"gate": "nova-api", "outcome": "allow"},
            **{"version": "1.0", "dropped": 0},
        },
    )
    # no token goes with it
    assert consumer.context == {}


def test_the_services_own_bus_of_notifications_is_taken(conf, consumer):
    conf.set_override("transport_url", DOWN)
    for name, value in {
        "transport_url": "fake:",
        # the service's own notifications do not matter
        "driver": ["noop"],
        "topics": ["notifications"],
        "retry": 0,
    }.items():
        conf.set_override(name, value, "oslo_messaging_notifications")
    result = sender(conf)
    result.decided("{}")
    assert consumer.next()[1] == "vhard.decision"
    assert result._connect().retry == -1


def test_what_waits_is_bounded_and_what_is_dropped_is_counted(
    conf, consumer, warnings
):
    waiting = sender(conf, 3, Waiting)
    waiting.decided('{"number": 0}')
    assert waiting.waits.wait(_WAIT)
    for number in range(1, 9):
        waiting.decided(json.dumps({"number": number}))
    waiting.up.set()
    came = [consumer.payload() for _ in range(4)]
    assert [(each["number"], each["dropped"]) for each in came] == [
        (0, 0),
        (1, 5),
        (2, 0),
        (3, 0),
    ]
    # the log says in the end how many it were
    until(lambda: len(warnings()) == 2)
    waiting.decided('{"number": 9}')
    assert consumer.payload()["dropped"] == 0
    assert [text for _, text in warnings()] == [
        "Notifications cannot be sent to the message bus; this process "
        "has dropped 1 so far (the log has all decisions): 3 wait for it",
        "Notifications are sent to the message bus again; this process has "
        "dropped 5 so far (the log has all decisions)",
    ]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense://x", "nonsense"),
        ("no url", "No scheme specified"),
        # what comes first
        (DOWN, "wait for it|Connection"),
    ],
)
def test_a_bus_that_is_not_there_holds_no_request_up(
    url, why, warnings, monkeypatch
):
    """It is logged once, and what is dropped is counted."""
    monkeypatch.setattr(notify, "_PAUSE", 10**6)
    monkeypatch.setattr(notify, "_LONGEST_PAUSE", 10**6)
    result = sender(configured(url), size=2)
    result.decided("{}")
    if url != DOWN:
        until(warnings)
    for _ in range(7):
        result.decided("{}")
    (worker,) = result._workers.values()
    # another one may be with the thread
    assert worker._queue.full() and worker._total >= 5
    ((_, message),) = warnings()
    assert re.search(why, message)


def test_what_cannot_be_sent_is_tried_again_and_not_logged_whole(
    conf, consumer, warnings, monkeypatch, caplog
):
    # given
    monkeypatch.setattr(notify, "_PAUSE", 0)
    fault = oslo_messaging.MessageDeliveryFailure("no such queue\nx")
    # DEFAULT calls the real method.
    send = mock.Mock(
        wraps=oslo_messaging.get_notification_transport(
            conf
        )._driver.send_notification,
        side_effect=[*[fault] * 3, *[mock.DEFAULT] * 3],
    )
    monkeypatch.setattr(impl_fake.FakeDriver, "send_notification", send)
    # when
    result = sender(conf)
    for number in range(3):
        result.decided(json.dumps({"private": number}))
    # then
    assert [consumer.payload()["private"] for _ in range(3)] == [0, 1, 2]
    until(lambda: len(warnings()) == 2)
    (_, message), (_, end) = warnings()
    assert "MessageDeliveryFailure: no such queue x" in message
    assert "to the message bus again; this process has dropped 0" in end
    assert "private" not in caplog.text


def test_the_longer_it_fails_the_longer_it_waits(monkeypatch):
    sleep = mock.Mock(side_effect=[None] * 7 + [SystemExit])
    monkeypatch.setattr(
        notify, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
    )
    monkeypatch.setattr(notify, "CapturedErrors", list)
    info = mock.Mock(side_effect=OSError)
    worker = notify._Worker(lambda: SimpleNamespace(info=info), 1, dict)
    worker._queue = mock.Mock()
    worker._queue.get.return_value = notify.DECISION, "{}"
    with pytest.raises(SystemExit):
        worker._run()
    assert [call.args for call in sleep.mock_calls] == [
        (each,) for each in (1, 2, 4, 8, 16, 30, 30, 30)
    ]
    # the first beat waits for nothing
    assert worker._queue.mock_calls == [mock.call.get(timeout=0)]
    # RabbitMQ's driver takes no other context than an empty one.
    about = {"version": notify.VERSION, "dropped": 0}
    assert info.mock_calls == [mock.call({}, notify.DECISION, about)] * 8


def test_without_a_thread_the_next_one_tries_again(
    conf, consumer, warnings, monkeypatch
):
    result = sender(conf)
    with monkeypatch.context() as patch:
        patch.setattr(
            threading.Thread,
            "start",
            mock.Mock(side_effect=RuntimeError("can't start new thread")),
        )
        result.decided('{"number": 1}')
    ((_, message),) = warnings()
    assert "can't start new thread" in message
    result.decided('{"number": 2}')
    assert [consumer.payload()["number"] for _ in range(2)] == [1, 2]


def test_many_threads_share_one_queue_and_one_thread(conf, consumer):
    before = {*threading.enumerate()}
    result = sender(conf)
    with futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(result.decided, ["{}"] * 400))
    assert [consumer.payload()["dropped"] for _ in range(400)] == [0] * 400
    assert len(result._workers) == 1
    # the service can end without it
    assert [
        thread.daemon
        for thread in {*threading.enumerate()} - before
        if thread.name == "vhard-notifications"
    ] == [True]


@pytest.mark.parametrize(
    ("reason", "shown"),
    [("x" * 1024, "x" * 1024), ("x" * 1025, "x" * 1021 + "…")],
    ids=["fits", "long"],
)
def test_reasons_are_bounded(conf, consumer, warnings, reason, shown):
    notify._Worker(None, 1, dict)._complain(reason)
    ((_, message),) = warnings()
    assert message.endswith(f" has all decisions): {shown}")
    result = sender(conf)
    result.runs = lambda: {"refused": reason}
    result.decided("{}")
    consumer.next()
    assert consumer.payload()["refused"] == shown


def test_what_another_thread_has_dropped_is_no_fault(conf, consumer):
    """It names a process that is dropped in the meantime."""
    raced = type("Raced", (dict,), {"__iter__": lambda _: iter([1])})
    result = sender(conf)
    result._workers = raced()
    result.decided("{}")
    assert consumer.payload() is not None


def test_after_a_fork_a_process_has_a_thread_of_its_own(
    conf, consumer, monkeypatch
):
    """Only the process ID changes: a process with threads must not fork."""
    result = sender(conf)
    result.decided("{}")
    (parents,) = result._workers.values()
    assert consumer.payload()
    monkeypatch.setattr(notify, "os", mock.Mock(getpid=lambda: 1))
    result.decided("{}")
    assert [*result._workers] == [1] and result._workers[1] is not parents
    assert consumer.payload()


_JUDGE = """
import sys, threading
{before}
import oslo_messaging
from oslo_config import cfg
from nova_vhard.conf import vhard as vhard_conf
from nova_vhard.gates.enforcer import PolicyEnforcer
from nova_vhard.policy.subject import UPLOAD, Subject
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import of_image
conf = cfg.ConfigOpts()
conf([], project="test", default_config_files=[])
vhard_conf.register(conf)
oslo_messaging.get_notification_transport(conf, url="fake:")
conf.set_override("transport_url", {url!r})
conf.set_override("policy_file", {path!r}, "vhard")
conf.set_override("state_path", {state!r}, "vhard")
conf.set_override("notifications", {on}, "vhard")
enforcer = PolicyEnforcer("nova-api", "nova-api", conf)
def judge():
    request = of_image(Image({{"hw_disk_bus": "ide"}}), Subject(UPLOAD))
    refused = enforcer.refusal(enforcer.policy(), request)
    print("refuse" if refused else "allow")
judge()
{after}
"""


_DAEMONS = "print([each.daemon for each in threading.enumerate()][1:])"
_NOT_LOADED = """
print('nova_vhard.policy.notify' in sys.modules)
import nova_vhard.policy.notify
print(threading.active_count())
"""
_GREEN = """
import eventlet
eventlet.monkey_patch()
"""
_GREEN_CONSUMER = """
import eventlet.queue
class Consumer:
    came = eventlet.queue.Queue()
    def info(self, context, publisher_id, event_type, payload, metadata):
        self.came.put(payload["outcome"])
target = oslo_messaging.Target(
    topic=conf.vhard.notification_topic, exchange=conf.control_exchange)
listener = oslo_messaging.get_notification_listener(
    oslo_messaging.get_notification_transport(conf), [target], [Consumer()],
    executor="eventlet")
listener.start()
judge()
print(Consumer.came.get(timeout=30))
"""
_MANY = "for _ in range(100): judge(); eventlet.sleep(0)"


@pytest.mark.parametrize(
    ("on", "url", "before", "after", "lines"),
    [
        # by default nothing is loaded, and no thread begun
        (False, "fake:", "", _NOT_LOADED, ["refuse", "False", "1"]),
        # the process ends while the bus is down
        (True, DOWN, "", _DAEMONS, ["refuse", "[True]"]),
        # as in the services of Nova before 34
        (True, "fake:", _GREEN, _GREEN_CONSUMER, ["refuse"] * 3),
        (True, DOWN, _GREEN, _MANY, ["refuse"] * 101),
    ],
    ids=["default", "down", "eventlet", "eventlet and down"],
)
def test_in_a_process_of_its_own(tmp_path, on, url, before, after, lines):
    code = _JUDGE.format(
        url=url,
        path=write(tmp_path / "policy.yaml", POLICY),
        state=str(tmp_path / "state"),
        on=on,
        before=before,
        after=after,
    )
    output = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", code], text=True, timeout=_WAIT
    )
    assert output.splitlines() == lines


def test_gates_that_are_made_again_share_a_sender(conf):
    """As that of Glance's imports was made for each import."""
    made = notify.sender(conf, "nova-api", "a topic")
    assert notify.sender(conf, "nova-api", "a topic") is made
    assert notify.sender(conf, "glance-api", "a topic") is not made
    assert notify.sender(configured(), "nova-api", "a topic") is not made


@pytest.fixture
def enforcer(conf, tmp_path):
    conf.set_override(
        "policy_file", write(tmp_path / "policy.yaml", POLICY), "vhard"
    )
    conf.set_override("state_path", str(tmp_path / "state"), "vhard")
    conf.set_override("notifications", True, "vhard")
    return PolicyEnforcer("nova-api", "nova-api", conf)


@pytest.mark.parametrize(
    ("level", "logs"), [(logging.INFO, 1), (logging.WARNING, 0)]
)
def test_a_gate_sends_what_it_logs(enforcer, consumer, caplog, level, logs):
    """It sends events that the log level drops, too."""
    caplog.set_level(level, logged.DECISIONS)
    request = server_request.of_image(
        lookups.Image({"hw_disk_bus": "ide"}),
        subject.Subject(subject.UPLOAD, "p1"),
    )
    enforcer.refusal(enforcer.policy(), request)
    events = logged.decisions(caplog)
    payload = consumer.payload()
    assert payload["outcome"] == "refuse"
    about = {"version": "1.0", "dropped": 0}
    assert [{**event, **about} for event in events] == [payload] * logs


@pytest.mark.refused_policy
def test_a_gate_sends_what_it_runs_again_and_again(
    enforcer, consumer, tmp_path, monkeypatch
):
    monkeypatch.setattr(notify, "BEAT", 0.1)
    path = write(tmp_path / "policy.yaml", 'version: "1"\nmode: strict\n')
    with pytest.raises(watch.PolicyUnavailable):
        enforcer.policy()
    enforcer.unjudged()
    assert consumer.payload()["outcome"] == "unjudged"
    publisher, event_type, payload = consumer.next()
    assert publisher.startswith("nova-api:") and event_type == "vhard.policy"
    assert (payload["file"], payload["process"]) == (path, os.getpid())
    assert payload["policy"] is None and path in payload["refused"]
    # a corrected file is noticed without a request
    write(tmp_path / "policy.yaml", POLICY)
    while payload["refused"]:
        payload = consumer.payload()
    assert payload["policy"] == enforcer.policy().digest
    assert payload.keys() == {
        *("file", "release", "policy", "refused", "since"),
        *("process", "version", "dropped"),
    }
