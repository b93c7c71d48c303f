# SPDX-License-Identifier: Apache-2.0
"""Options of nova-vhard-status, given on its command line."""

from oslo_config import cfg

OPTS = [
    cfg.MultiStrOpt(
        "nova-config-file",
        metavar="FILE",
        default=["/etc/nova/nova.conf"],
        help="Configuration file of nova-scheduler and nova-api; again for "
        "each that they read, in their order. FILE's folder is searched for "
        "nova.conf.d as well. A missing file is reported, and what it "
        "would have shown is a warning; a wrong file leads to wrong results.",
    ),
    cfg.MultiStrOpt(
        "glance-config-file",
        metavar="FILE",
        default=[
            "/etc/glance/glance-image-import.conf",
            "/etc/glance/glance-api.conf",
        ],
        help="Configuration file of glance-api; again for each that it "
        "reads, in its order, the one beside which its paste file lies "
        "last. What is missing or wrong is handled as with Nova's.",
    ),
    cfg.MultiStrOpt(
        "placement-config-file",
        metavar="FILE",
        default=["/etc/placement/placement.conf"],
        help="Configuration file of the Placement API; again for each that it "
        "reads, in its order. What is missing or wrong is handled as with "
        "Nova's.",
    ),
    cfg.StrOpt(
        "reporter-config-file",
        metavar="FILE",
        default="/etc/nova-vhard/reporter.conf",
        help="Configuration file of nova-vhard-reporter, whose login to "
        "Placement is tried as well, or that of reporter-placement.conf "
        "beside it. Where there is no such file it is not tried.",
    ),
    cfg.StrOpt(
        "os-cloud",
        metavar="NAME",
        help="Cloud of clouds.yaml to ask for flavors and hypervisors. "
        "Without it Nova's own login to Placement is used. A login without "
        "the role admin does not see all of them: that is a warning, never "
        "a success.",
    ),
    cfg.StrOpt(
        "user",
        metavar="NAME",
        help="User of the service: nova, glance, or the user of the "
        "container. The command reads all files as this user, and so finds a "
        "file that the service cannot read, or a folder that it cannot write "
        "to. It needs root. A file that only the user of another service may "
        "read is then a warning. Without this option, the command reads as "
        "the user who runs it.",
    ),
    cfg.StrOpt(
        "policy",
        metavar="FILE",
        help="Policy that should be in force, if no nova.conf or "
        "glance-api.conf on this node names it. If the services use another "
        "policy, probe sends requests that they allow, and reports a missing "
        "gate.",
    ),
    cfg.IntOpt(
        "times",
        metavar="N",
        default=1,
        min=1,
        max=100,
        help="Number of requests of probe to each endpoint, each on a new "
        "connection. Use at least the number of workers behind a load "
        "balancer; otherwise a worker without a gate can be missed.",
    ),
    cfg.StrOpt(
        "probe-image",
        metavar="ID",
        help="Image of the server that probe-scheduler boots and deletes. "
        "One that the policy refuses is refused: nothing is told by it.",
    ),
    cfg.StrOpt(
        "probe-flavor",
        metavar="ID",
        help="Flavor of that server; the smallest that the image boots with. "
        "If no host has room for it, nothing is checked.",
    ),
    cfg.MultiStrOpt(
        "scheduler-log",
        metavar="FILE",
        default=[],
        help="Log of nova-scheduler, in which its decision events are; again "
        "for each scheduler of the cloud. Where that of the one which got the "
        "boot is missing, probe-scheduler says that none has judged it.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register them for the command line."""
    conf.register_cli_opts(OPTS)
