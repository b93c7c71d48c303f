# SPDX-License-Identifier: Apache-2.0
"""Options of nova-vhard-status, given on its command line."""

from oslo_config import cfg

OPTS = [
    cfg.MultiStrOpt(
        "nova-config-file",
        metavar="FILE",
        default=["/etc/nova/nova.conf"],
        help="Configuration file of nova-scheduler and nova-api; repeat the "
        "option for each file that they read, in their order. nova.conf.d "
        "next to the last FILE is read as well. If the last FILE is missing, "
        "checks that need it are warnings; with a wrong file, their results "
        "are wrong.",
    ),
    cfg.MultiStrOpt(
        "glance-config-file",
        metavar="FILE",
        default=[
            "/etc/glance/glance-image-import.conf",
            "/etc/glance/glance-api.conf",
        ],
        help="Configuration file of glance-api; repeat the option for each "
        "file that it reads, the one next to its paste file last. Missing or "
        "wrong files are handled as with Nova's.",
    ),
    cfg.MultiStrOpt(
        "placement-config-file",
        metavar="FILE",
        default=["/etc/placement/placement.conf"],
        help="Configuration file of the Placement API; repeat the option for "
        "each file that it reads, in its order. Missing or wrong files are "
        "handled as with Nova's.",
    ),
    cfg.StrOpt(
        "reporter-config-file",
        metavar="FILE",
        default="/etc/nova-vhard/reporter.conf",
        help="Configuration file of nova-vhard-reporter. Its login to "
        "Placement, or that of reporter-placement.conf next to it, is tested "
        "as well. Without such a file, no login is tested.",
    ),
    cfg.StrOpt(
        "os-cloud",
        metavar="NAME",
        help="Cloud in clouds.yaml to query for flavors and hypervisors. The "
        "default is Nova's own login to Placement. A login without the role "
        "admin does not see all of them: that is a warning, never a success.",
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
        help="Policy that should be in force; by default, that of nova.conf "
        "or glance-api.conf on this node. If the services use another policy, "
        "probe can send requests that they allow, and report a missing gate.",
    ),
    cfg.IntOpt(
        "times",
        metavar="N",
        default=1,
        min=1,
        max=100,
        help="Number of requests that probe sends to each endpoint, each on a "
        "new connection. Use at least the number of workers behind a load "
        "balancer; otherwise a worker without a gate can be missed.",
    ),
    cfg.StrOpt(
        "probe-image",
        metavar="ID",
        help="Image of the server that probe-scheduler boots and deletes. If "
        "the policy refuses it, nothing is checked.",
    ),
    cfg.StrOpt(
        "probe-flavor",
        metavar="ID",
        help="Flavor of that server; use the smallest that the image boots "
        "with. If no host has room for it, the probe fails.",
    ),
    cfg.MultiStrOpt(
        "scheduler-log",
        metavar="FILE",
        default=[],
        help="Log of nova-scheduler with its decision events; repeat the "
        "option for each scheduler of the cloud. Without the log of the one "
        "that handled the boot, probe-scheduler reports that no scheduler "
        "judged it.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register them for the command line."""
    conf.register_cli_opts(OPTS)
