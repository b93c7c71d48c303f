# SPDX-License-Identifier: Apache-2.0
"""A bus is listened to: oslo.messaging's own, within this process."""

import itertools

import oslo_messaging
import pytest
from futurist import _thread
from oslo_messaging._drivers import impl_fake

from nova_vhard.conf import exporter as exporter_conf
from nova_vhard.conf import vhard as vhard_conf
from nova_vhard.exporter import bus, service
from nova_vhard.policy.notify import Sender
from tests import logged
from tests.unit.exporter.sent import event
from tests.unit.guard import domains
from tests.unit.helpers import configured

# Seconds in which an idle thread of a listener's notices that it is to end.
_thread.ThreadWorker.MAX_IDLE_FOR = 0.05

_TOPICS = itertools.count()


@pytest.fixture
def conf():
    """The options of a service and of the exporter, on the same bus."""
    topic = f"exporter-{next(_TOPICS)}"
    conf = configured(
        exporter_conf,
        "vhard_exporter",
        topic=topic,
        transport_urls=["fake:"],
        # oslo.messaging's fake ties no queue to an exchange
        exchanges=["nova", "glance"],
    )
    vhard_conf.register(conf)
    conf.set_override("notification_topic", topic, "vhard")
    oslo_messaging.get_notification_transport(conf, url="fake:")
    conf.set_override("transport_url", "fake:")
    return conf


@pytest.fixture
def exporter(conf):
    result = service.Exporter(service.buses(conf))
    yield result
    result.close()


def value(exporter, name, **labels):
    registry = exporter.metrics.registry
    return registry.get_sample_value(f"nova_vhard_{name}", labels)


def until(number, exporter, name, **labels):
    """Wait until a sample has a value."""
    domains.until(lambda: value(exporter, name, **labels) == number)


REFUSED = {"gate": "nova-api", "mode": "enforce", "outcome": "refuse"}


@pytest.mark.parametrize("exchange", ["nova", "glance"])
def test_counts_what_a_service_sends_and_no_other(conf, exporter, exchange):
    # given: a service has an exchange of its own
    exporter.start()
    conf.set_override("control_exchange", exchange)
    topic = conf.vhard.notification_topic
    notifier = oslo_messaging.Notifier(
        oslo_messaging.get_notification_transport(conf),
        "compute.host",
        "messagingv2",
        topics=[topic],
    )
    # when
    for kind in ("compute.instance.create.end", "x.vhard.decision"):
        notifier.info({}, kind, {"outcome": "refuse"})
    sender = Sender(conf, "nova-api", topic)
    for _ in range(10):
        sender.decided(event({"hw_disk_bus": "ide"}))
    # then
    until(10, exporter, "decisions_total", **REFUSED)
    assert value(exporter, "notifications_unreadable_total", bus="fake") == 0


def test_its_heartbeats_come_back(exporter):
    assert value(exporter, "bus_up", bus="fake") == 0
    exporter.start()
    until(1, exporter, "bus_up", bus="fake")


def test_a_bus_that_does_not_let_listen_is_tried_again(
    exporter, monkeypatch, caplog
):
    # given
    monkeypatch.setattr(bus, "_RETRY", 0.01)
    real = impl_fake.FakeDriver.listen_for_notifications
    tries = []

    def listen(*arguments):
        tries.append(1)
        if len(tries) < 3:
            raise oslo_messaging.MessageDeliveryFailure("406: not equivalent")
        return real(*arguments)

    monkeypatch.setattr(
        impl_fake.FakeDriver, "listen_for_notifications", listen
    )
    # when
    exporter.start()
    # then
    until(1, exporter, "bus_up", bus="fake")
    text = "Cannot listen to fake, trying again: 406: not equivalent"
    assert logged.lines(caplog, bus.LOG.name) == [
        ("WARNING", text),
        ("WARNING", "Listening to fake"),
    ]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("rabbit://u:p@one:5672,u:p@two:5673/vh", "one:5672,two:5673/vh"),
        ("rabbit://u:p@one:5672/", "one:5672"),
        ("rabbit://u:p@[2001:db8::1]:5672//", "2001:db8::1:5672//"),
        ("fake:", "fake"),
    ],
)
def test_a_bus_is_named_without_its_password(conf, url, name):
    assert bus.name_of(bus.parse(conf, url)) == name


def test_rabbitmq_hands_over_some_and_not_everything(conf):
    limit = "rabbit_qos_prefetch_count"
    assert bus.parse(conf, "rabbit://h:1/").query == {limit: "100"}
    own = bus.parse(conf, f"rabbit://h:1/?{limit}=7")
    assert own.query == {limit: "7"}
    assert bus.parse(conf, "fake:").query == {}


def test_a_bus_that_is_named_twice_is_one_clear_error(conf):
    urls = ["rabbit://a:x@h:1/", "rabbit://b:y@h:1/"]
    conf.set_override("transport_urls", urls, "vhard_exporter")
    with pytest.raises(ValueError, match="transport_urls: h:1 is there twice"):
        service.buses(conf)
