# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_exporter``, for nova-vhard-exporter."""

from oslo_config import cfg

from nova_vhard.conf import groups

GROUP = cfg.OptGroup(
    "vhard_exporter",
    title="Exporter of decisions",
    help="Which logs nova-vhard-exporter follows, and where it serves what "
    "it has counted there to Prometheus.",
)

OPTS = [
    cfg.ListOpt(
        "files",
        default=[],
        help="Logs to follow, by their absolute paths: those of "
        "nova-scheduler, nova-api and glance-api on this host, or the files "
        "that decision events go to. Without any the exporter does not "
        "start. One that is not there or cannot be read is counted in "
        "nova_vhard_log_errors_total and tried again each time; meanwhile "
        "its decisions are missing from the counts.",
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
    cfg.FloatOpt(
        "poll_interval",
        default=1.0,
        min=0.1,
        max=60,
        help="Seconds between two looks at the logs. Longer than half of "
        "the interval at which Prometheus asks makes its graphs jump; what "
        "is copied away and truncated between two looks is not counted.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)
