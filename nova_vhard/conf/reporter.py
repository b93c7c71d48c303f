# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_reporter``, for nova-vhard-reporter."""

from oslo_config import cfg, types

from nova_vhard.conf import groups
from nova_vhard.conf.vhard import POLICY_FILE

GROUP = cfg.OptGroup(
    "vhard_reporter",
    title="Reporter of a compute node",
    help="What nova-vhard-reporter reads on its host and where it reports. It "
    "logs in to Placement with the group placement of this file, or of "
    "reporter-placement.conf if openstack vhard host enroll created one. Its "
    "user must be allowed to write traits (role vhard-reporter, admin or "
    "service).",
)

# A vulnerability's name, as the kernel's file has it, and a reason.
_ACCEPTED = types.String(regex=r"[a-z][a-z0-9_]{0,63}:\s*\S.*")

OPTS = [
    cfg.IntOpt(
        "interval",
        default=300,
        min=30,
        max=1800,
        help="Seconds between two reports, with 10 percent jitter. With more "
        "than half an hour, the reporter does not start: a host without a "
        "report within the policy's max_report_age (at least 2 hours) loses "
        "its status.",
    ),
    cfg.StrOpt(
        "root",
        default="/",
        help="Root folder of the host's file system; in a container, the path "
        "where it is mounted. If a check cannot read something below it, the "
        "check is UNKNOWN and the host loses its trait.",
    ),
    cfg.StrOpt(
        "compute_id_file",
        default="/var/lib/nova/compute_id",
        help="Path, below root, of the file in which nova-compute keeps the "
        "UUID of its compute node. If there is no such file, the host's name "
        "is used. If it cannot be read or contains no UUID, nothing is "
        "reported, because the name could be another host's.",
    ),
    cfg.StrOpt(
        "libvirt_uri",
        help="URI of the host's libvirt, such as qemu:///system; the "
        "connection is read-only. The default is this machine's libvirt if "
        "root is /, otherwise none. If libvirt does not answer, checks that "
        "need it are UNKNOWN.",
    ),
    cfg.StrOpt(
        "run_dir",
        default="/run/nova-vhard",
        help="Path, below root, of the folder in which the root pre-step "
        "(nova-vhard-reporter facts) stores the few facts that an "
        "unprivileged user cannot read. If they are missing, checks that need "
        "them are UNKNOWN.",
    ),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/nova-vhard-reporter",
        help="Folder for the reporter's cache, which holds results by file "
        "identity, and its report file. If it cannot be written, one warning "
        "is logged and each round reads everything again.",
    ),
    cfg.StrOpt(
        "policy_file",
        default=POLICY_FILE,
        help="Policy whose refused devices and assumed settings are compared "
        "with the host. If it cannot be read, the checks that compare them "
        "are UNKNOWN.",
    ),
    cfg.ListOpt(
        "selinux_booleans",
        default=[],
        help="SELinux booleans that this host needs, such as virt_use_nfs for "
        "instances on NFS. Each opens something to every guest; one that is "
        "on but not listed here is a FAIL.",
    ),
    cfg.MultiOpt(
        "accepted_vulnerabilities",
        item_type=_ACCEPTED,
        help="Vulnerability of the processor that is accepted on this host, "
        "and the reason, such as 'retbleed: one customer on this host'. May "
        "be given several times. The name is that of the kernel's file in "
        "/sys/devices/system/cpu/vulnerabilities. The check cpu_mitigations "
        "ignores it on every host with this configuration; the evidence has "
        "the reason. Without a reason, the reporter does not start.",
    ),
    cfg.StrOpt(
        "provider_name",
        help="Name of the host's resource provider, which is the hypervisor's "
        "host name. Set it only if the provider has neither the UUID in "
        "compute_id_file nor the host's own name. A wrong name is not "
        "detected, and gives another host this one's status.",
    ),
    cfg.ListOpt(
        "publishers",
        default=["placement"],
        help="Publishers of the reports: placement, json, prometheus or a "
        "plug-in. If one is not installed, the reporter does not start.",
    ),
    cfg.FloatOpt(
        "check_timeout",
        default=60,
        min=1,
        max=600,
        help="Seconds that one check may take. A slower check is stopped. If "
        "it passed in the previous round, it stays PASS in this one; "
        "otherwise it is UNKNOWN, and the host loses its trait.",
    ),
    cfg.FloatOpt(
        "publish_timeout",
        default=60,
        min=1,
        max=600,
        help="Seconds that one publisher may take, at most half of the "
        "service manager's watchdog. If it takes longer, the report counts as "
        "not published, and the next one comes sooner. The timeout in group "
        "placement is for one request.",
    ),
    cfg.StrOpt(
        "report_file",
        help="File that the publisher json replaces with each report; by "
        "default, report.json in state_path. If its folder does not exist or "
        "is not writable, the old file stays and an error is logged and "
        "counted.",
    ),
    cfg.StrOpt(
        "textfile_directory",
        default="/var/lib/prometheus/node-exporter",
        help="Folder for nova_vhard.prom, which the publisher prometheus "
        "replaces with each report: that of node_exporter's option "
        "--collector.textfile.directory. If the file cannot be written, the "
        "old one stays and an error is logged and counted.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)
