# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_guard``, for nova-vhard-guard."""

from oslo_config import cfg

from nova_vhard.conf import groups
from nova_vhard.conf.vhard import NOTIFICATION_TOPIC

GROUP = cfg.OptGroup(
    "vhard_guard",
    title="Guard of a compute node",
    help="How nova-vhard-guard judges what libvirt is about to start on its "
    "host, and where its hook finds it.",
)

OPTS = [
    cfg.StrOpt(
        "policy_file",
        default="/etc/nova-vhard/policy.yaml",
        help="Policy for the guests of this host. It is reloaded when it "
        "changes. If it is invalid, the last valid one stays in force and "
        "the log says why; if there never was a valid one, guests are treated "
        "as if the guard did not answer. The hook contains this path, to see "
        "whether the policy is disabled: run nova-vhard-guard install again "
        "after a change.",
    ),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/nova-vhard-guard",
        help="Folder of the guard's own: what each guest last ran with, the "
        "last valid policy, and what the hook does without an answer. It must "
        "outlive a restart of the host. Where it cannot be written an error "
        "is logged and counted, and after a restart the guard knows what was "
        "written last, or, without a file, takes every guest for one that "
        "had its devices before. Where it cannot be read every guest counts "
        "as new. The hook has this path in it: run nova-vhard-guard install "
        "again after a change.",
    ),
    cfg.StrOpt(
        "run_dir",
        default="/run/nova-vhard-guard",
        help="Folder of the socket guard.sock, at which the hook asks, and "
        "of guard.json, which says whether the guard is in force. If "
        "nova-vhard-guard.socket names another place than this, or the hook "
        "was installed with another one, no guest is judged: run "
        "nova-vhard-guard install again after a change, then "
        "nova-vhard-guard probe.",
    ),
    cfg.StrOpt(
        "hooks_dir",
        default="/etc/libvirt/hooks",
        help="Folder of libvirt's hooks, as libvirt's daemon sees it: "
        "nova-vhard-guard install writes below qemu.d in it. In another "
        "folder the hook is never called; nova-vhard-guard probe shows it.",
    ),
    cfg.StrOpt(
        "libvirt_uri",
        default="qemu:///system",
        help="Where libvirt is reached with the right to change guests. "
        "Without an answer guests are judged all the same when they start; "
        "what changes in a running one is not seen, deleted guests are "
        "not forgotten, and nothing proves that the guard is in force.",
    ),
    cfg.ListOpt(
        "libvirt_pid_files",
        default=["/run/virtqemud.pid", "/run/libvirtd.pid"],
        help="Files with the process id of libvirt's daemon, for install and "
        "uninstall where systemd does not run the daemon: it gets SIGHUP to "
        "look for hooks again. If none of them names a daemon, install says "
        "so and libvirt calls the hook from its next start.",
    ),
    cfg.StrOpt(
        "libvirt_user",
        default="root",
        help="User that libvirt's daemon, and so the hook, runs as. Beside "
        "root only this user is answered at the socket. A name that this "
        "host does not know: the guard does not start.",
    ),
    cfg.StrOpt(
        "report_file",
        default="/var/lib/nova-vhard-reporter/report.json",
        help="The host's last report, as the reporter's publisher json "
        "leaves it: by this a guest with devices of the host is judged. If "
        "it is missing, damaged or older than the policy's max_report_age, "
        "the host has passed no check.",
    ),
    cfg.ListOpt(
        "disk_paths",
        default=[
            "/var/lib/nova/instances/{uuid}",
            "/var/lib/nova/instances/_base",
            "/var/lib/nova/instances/snapshots",
            "/var/lib/nova/mnt",
            "/dev",
        ],
        help="Folders of disks, of what these are based on or copied to, and "
        "of kernels: of nova.conf [DEFAULT] instances_path, "
        "[image_cache] subdirectory_name, [libvirt] snapshots_directory and "
        "the mount points of volumes. {uuid} stands for the id of the guest. "
        "A guest with a file elsewhere is refused in mode enforce, as one "
        "with a device that no rule is about; so it is in all options on "
        "files. Names are compared as libvirt shows them, and symbolic links "
        "are not followed.",
    ),
    cfg.ListOpt(
        "backing_paths",
        default=[
            "/var/lib/nova/instances/{uuid}",
            "/var/lib/nova/instances/_base",
            "/var/lib/nova/mnt",
        ],
        help="Of these folders, those of the files that the header of an "
        "image may name: its backing file and its data file. Without /dev: a "
        "header that a tenant wrote could name a disk of the host.",
    ),
    cfg.ListOpt(
        "firmware_paths",
        default=["/usr/share"],
        help="Folders of UEFI firmware and of the templates of its variables.",
    ),
    cfg.ListOpt(
        "nvram_paths",
        default=["/var/lib/libvirt/qemu/nvram"],
        help="Folders of guests' UEFI variables.",
    ),
    cfg.ListOpt(
        "rng_paths",
        default=["/dev/urandom"],
        help="Sources of random numbers: nova.conf [libvirt] rng_dev_path.",
    ),
    cfg.ListOpt(
        "port_paths",
        default=[
            "/var/lib/nova/instances/{uuid}",
            "/var/lib/libvirt/qemu",
            "/run/libvirt/qemu",
        ],
        help="Folders of the logs and sockets of serial ports, consoles and "
        "channels.",
    ),
    cfg.ListOpt(
        "tpm_paths",
        default=["/var/lib/libvirt/swtpm"],
        help="Folders of the state of emulated TPMs.",
    ),
    cfg.ListOpt(
        "share_paths",
        default=["/var/lib/nova/mnt"],
        help="Folders of Manila shares: nova.conf [libvirt] "
        "nfs_mount_point_base and ceph_mount_point_base.",
    ),
    cfg.BoolOpt(
        "notifications",
        default=False,
        help="Whether each decision is also sent to the message bus, as the "
        "notification vhard.decision, as the gates do with [vhard] "
        "notifications. The bus is [oslo_messaging_notifications] "
        "transport_url of this file, else [DEFAULT] transport_url: use a "
        "login that may only write there. It needs oslo.messaging, without "
        "which the guard does not start, and a network, which the unit does "
        "not give it (page Guard). While the bus cannot be reached guests are "
        "judged as ever: 1000 decisions wait, those beyond are dropped, "
        "counted, and named in a warning of the log, which has all of them.",
    ),
    cfg.StrOpt(
        "notification_topic",
        default=NOTIFICATION_TOPIC,
        regex=r"^[A-Za-z0-9_.-]{1,128}\Z",
        help="Topic of these notifications. nova-vhard-exporter must have the "
        "same, else it counts nothing. At most 128 letters, digits, dots, "
        "hyphens and underscores; with any other value the guard does not "
        "start.",
    ),
    cfg.StrOpt(
        "textfile_directory",
        help="Folder, as in node_exporter's option "
        "--collector.textfile.directory, in which nova_vhard_guard.prom is "
        "replaced each interval. Without one there are no metrics. If it "
        "cannot be written the old file stays and an error is logged.",
    ),
    cfg.IntOpt(
        "interval",
        default=60,
        min=5,
        max=600,
        help="Seconds between two writes of the metrics, and between two "
        "probes while libvirt does not ask this guard. Guests do not wait for "
        "it.",
    ),
    cfg.IntOpt(
        "probe_interval",
        default=600,
        min=60,
        max=3600,
        help="Seconds between two proofs that libvirt asks this guard: a "
        "domain that can never start. The host's check guard_in_force is "
        "UNKNOWN when the last proof is older than three of these. Each "
        "leaves an error in libvirt's log.",
    ),
    cfg.IntOpt(
        "threads",
        default=8,
        min=2,
        max=64,
        help="Guests that are judged at once; the others wait for their turn "
        "within the two seconds that the hook has. More of them does not "
        "judge faster than the host's processors.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)
