# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_reporter``, for nova-vhard-reporter."""

from oslo_config import cfg

from nova_vhard.conf import groups

GROUP = cfg.OptGroup(
    "vhard_reporter",
    title="Reporter of a compute node",
    help="What nova-vhard-reporter reads on its host and where it reports "
    "to. The group placement says how it logs in; its user needs to be "
    "allowed to write traits (role admin or service).",
)

OPTS = [
    cfg.IntOpt(
        "interval",
        default=300,
        min=30,
        max=1800,
        help="Seconds between two reports, jittered by a tenth. Longer than "
        "half an hour is not accepted: a host whose report cannot arrive "
        "within the policy's max_report_age (2 hours at least) loses its "
        "status.",
    ),
    cfg.StrOpt(
        "root",
        default="/",
        help="Folder that holds the host's file system; in a container the "
        "place that it is mounted at. What cannot be read below it is "
        "UNKNOWN, and the host loses the trait of that check.",
    ),
    cfg.StrOpt(
        "compute_id_file",
        default="/var/lib/nova/compute_id",
        help="Path, below root, of the file in which nova-compute keeps the "
        "uuid of its compute node. Without such a file the host's name is "
        "taken. A file that cannot be read or holds no uuid is an error: "
        "nothing is reported, rather than for another host.",
    ),
    cfg.StrOpt(
        "provider_name",
        help="Name of the host's resource provider, which is the "
        "hypervisor's host name. Set it only where neither the identity "
        "file nor the host's own name leads there: a wrong name cannot be "
        "noticed, and gives another host this one's status.",
    ),
    cfg.ListOpt(
        "publishers",
        default=["placement"],
        help="Where reports go. A name that is not installed cannot be "
        "used: the reporter does not start.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)
