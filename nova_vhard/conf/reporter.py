# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_reporter``, for nova-vhard-reporter."""

from oslo_config import cfg, types

from nova_vhard.conf import groups
from nova_vhard.conf.vhard import POLICY_FILE

GROUP = cfg.OptGroup(
    "vhard_reporter",
    title="Reporter of a compute node",
    help="What nova-vhard-reporter reads on its host and where it reports "
    "to. The group placement says how it logs in, or that of "
    "reporter-placement.conf, which openstack vhard host enroll makes for "
    "one host; its user needs to be allowed to write traits (role "
    "vhard-reporter, admin or service).",
)

# A vulnerability's name, as the kernel's file has it, and a reason.
_ACCEPTED = types.String(regex=r"[a-z][a-z0-9_]{0,63}:\s*\S.*")

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
        "libvirt_uri",
        help="Where the host's libvirt is reached, such as qemu:///system; "
        "the connection is read-only. By default that of this machine if "
        "root is /, and none otherwise. Without an answer, what only libvirt "
        "can tell is UNKNOWN.",
    ),
    cfg.StrOpt(
        "run_dir",
        default="/run/nova-vhard",
        help="Path, below root, of the folder in which the root pre-step "
        "(nova-vhard-reporter facts) leaves the few facts that an ordinary "
        "user cannot read. What is missing there is UNKNOWN.",
    ),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/nova-vhard-reporter",
        help="Folder of the reporter's own, for results that are kept by "
        "file identity and for its report file. If it cannot be written, "
        "one warning is logged and each round reads everything again.",
    ),
    cfg.StrOpt(
        "policy_file",
        default=POLICY_FILE,
        help="Policy that the host is compared with: the devices that it "
        "refuses and the settings that it assumes. Without a policy that can "
        "be read the checks that compare with it are UNKNOWN.",
    ),
    cfg.ListOpt(
        "selinux_booleans",
        default=[],
        help="SELinux booleans that this host wants on, such as "
        "virt_use_nfs where instances are on NFS. Each opens something to "
        "every guest; one that is on and not named here is a FAIL.",
    ),
    cfg.MultiOpt(
        "accepted_vulnerabilities",
        item_type=_ACCEPTED,
        help="Vulnerability of the processor that this host is open to and "
        "may be, and why, such as 'retbleed: one customer on this host'. May "
        "be given several times. The name is that of the kernel's file in "
        "/sys/devices/system/cpu/vulnerabilities. cpu_mitigations passes "
        "over it, on every host with this configuration; the evidence has "
        "the reason. Without a reason the reporter does not start.",
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
    cfg.FloatOpt(
        "check_timeout",
        default=60,
        min=1,
        max=600,
        help="Seconds that one check may take. One that takes longer is "
        "ended. If it passed in the round before it stays PASS in this one; "
        "otherwise it is UNKNOWN, and the host loses its trait.",
    ),
    cfg.FloatOpt(
        "publish_timeout",
        default=60,
        min=1,
        max=600,
        help="Seconds that one publisher may take, and half of the service "
        "manager's watchdog at most. If it takes longer the report counts as "
        "not published, and the next one comes sooner. timeout in the group "
        "placement is for one request.",
    ),
    cfg.StrOpt(
        "report_file",
        help="File that the publisher json replaces with each report; by "
        "default report.json in state_path. Its folder must be there and the "
        "reporter must be able to write to it, else the old file stays and "
        "an error is logged and counted.",
    ),
    cfg.StrOpt(
        "textfile_directory",
        default="/var/lib/prometheus/node-exporter",
        help="Folder, as in node_exporter's option "
        "--collector.textfile.directory, in which the publisher prometheus "
        "replaces nova_vhard.prom with each report. If it is not there or "
        "cannot be written, the old file stays and an error is logged and "
        "counted.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)
