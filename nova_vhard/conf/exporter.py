# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_exporter``, for nova-vhard-exporter."""

from oslo_config import cfg

from nova_vhard.conf import groups
from nova_vhard.conf.vhard import NOTIFICATION_TOPIC

GROUP = cfg.OptGroup(
    "vhard_exporter",
    title="Exporter of decisions",
    help="Which message buses nova-vhard-exporter listens to, and where it "
    "serves what it has counted there to Prometheus.",
)

OPTS = [
    cfg.MultiStrOpt(
        "transport_urls",
        default=[],
        secret=True,
        help="URLs of the message buses to listen to, again for each further "
        "one: rabbit://USER:PASSWORD@HOST:PORT/VHOST, as in transport_url of "
        "nova.conf and glance-api.conf. Options of the driver, such as TLS, "
        "are in oslo.messaging's group ([oslo_messaging_rabbit]) of the same "
        "file; those of queues must equal those of the services. Without a "
        "URL, or with an invalid one, the exporter does not start. A bus that "
        "cannot be reached has nova_vhard_bus_up 0 and is tried again; its "
        "decisions wait there, or in the services.",
    ),
    cfg.StrOpt(
        "topic",
        default=NOTIFICATION_TOPIC,
        regex=r"^[A-Za-z0-9_.-]{1,128}\Z",
        help="Topic of the notifications: [vhard] notification_topic of the "
        "services. With another one nothing is counted, while "
        "nova_vhard_bus_up says 1. Everything on this topic is taken off the "
        "bus: do not name the one of Ceilometer or of anybody else. A value "
        "of other characters: the exporter does not start.",
    ),
    cfg.ListOpt(
        "exchanges",
        default=[],
        help="Exchanges to listen to, beside the exporter's own: [DEFAULT] "
        "control_exchange of the services, nova and glance. With RabbitMQ "
        "none needs to be here, because each service ties the queue to its "
        "exchange before it sends; a login that may not configure an "
        "exchange that is here cannot listen at all. With a driver for "
        "which exchanges are something else, nothing is counted of those "
        "that are missing.",
    ),
    cfg.HostAddressOpt(
        "bind_host",
        default="127.0.0.1",
        help="Address to serve the metrics on. They are served without "
        "login and without encryption to everybody who can reach it: name "
        "an address of the management network, not one that tenants reach. "
        "An address that is not this host's: the exporter does not start.",
    ),
    cfg.PortOpt(
        "port",
        default=9846,
        min=1,
        help="Port to serve the metrics on. If it is in use the exporter "
        "does not start.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)
