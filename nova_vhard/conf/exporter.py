# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_exporter``, for nova-vhard-exporter."""

from oslo_config import cfg

from nova_vhard.conf import groups
from nova_vhard.conf.vhard import NOTIFICATION_TOPIC

GROUP = cfg.OptGroup(
    "vhard_exporter",
    title="Exporter of decisions",
    help="Message buses that nova-vhard-exporter listens to, and the address "
    "where Prometheus reads its counts.",
)

OPTS = [
    cfg.MultiStrOpt(
        "transport_urls",
        default=[],
        secret=True,
        help="URL of a message bus to listen to, as in transport_url of "
        "nova.conf and glance-api.conf: "
        "rabbit://USER:PASSWORD@HOST:PORT/VHOST. Repeat the option for each "
        "bus. Options of the driver, such as TLS, belong in oslo.messaging's "
        "group ([oslo_messaging_rabbit]) of the same file; those of queues "
        "must equal those of the services. Without a URL, or with an invalid "
        "one, the exporter does not start. While a bus cannot be reached, its "
        "nova_vhard_bus_up is 0, the exporter retries, and decisions wait on "
        "the bus or in the services.",
    ),
    cfg.StrOpt(
        "topic",
        default=NOTIFICATION_TOPIC,
        regex=r"^[A-Za-z0-9_.-]{1,128}\Z",
        help="Topic of the notifications: [vhard] notification_topic of the "
        "services. With another one, nothing is counted, although "
        "nova_vhard_bus_up is 1. The exporter consumes all messages on this "
        "topic: do not use that of Ceilometer or another consumer. At most "
        "128 letters, digits, dots, hyphens and underscores; with any other "
        "value, the exporter does not start.",
    ),
    cfg.ListOpt(
        "exchanges",
        default=[],
        help="Exchanges to listen to in addition to the exporter's own: "
        "[DEFAULT] control_exchange of the services, nova and glance. With "
        "RabbitMQ, leave this empty: each service binds the queue to its "
        "exchange before it sends, and a login that may not configure a "
        "listed exchange cannot listen at all. With a driver that uses "
        "exchanges differently, notifications from exchanges that are not "
        "listed are not counted.",
    ),
    cfg.HostAddressOpt(
        "bind_host",
        default="127.0.0.1",
        help="Address on which the metrics are served, without login or "
        "encryption. Use an address of the management network that tenants "
        "cannot reach. If it is not an address of this host, the exporter "
        "does not start.",
    ),
    cfg.PortOpt(
        "port",
        default=9846,
        min=1,
        help="Port on which the metrics are served. If it is in use, the "
        "exporter does not start.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)
