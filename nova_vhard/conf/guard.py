# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_guard``, for nova-vhard-guard."""

from oslo_config import cfg

from nova_vhard.conf import groups
from nova_vhard.conf.vhard import NOTIFICATION_TOPIC

GROUP = cfg.OptGroup(
    "vhard_guard",
    title="Guard of a compute node",
    help="How nova-vhard-guard judges the guests that libvirt is about to "
    "start on its host, and how its hook reaches it.",
)

OPTS = [
    cfg.StrOpt(
        "policy_file",
        default="/etc/nova-vhard/policy.yaml",
        help="Policy for the guests of this host. It is reloaded when it "
        "changes. If it is invalid, the last valid one stays in force and the "
        "log says why; if there never was a valid one, guests are treated as "
        "if the guard did not answer. The hook contains this path, to see "
        "whether the policy is disabled: if you change it, run "
        "nova-vhard-guard install again.",
    ),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/nova-vhard-guard",
        help="Folder for the guard's state: the devices that each guest last "
        "ran with, the last valid policy, and what the hook does without an "
        "answer. It must survive a reboot of the host. If it cannot be "
        "written, an error is logged, and after a restart the guard uses what "
        "was written last or, without a file, treats every guest as having "
        "had its devices before. If it cannot be read, every guest counts as "
        "new. The hook contains this path: if you change it, run "
        "nova-vhard-guard install again.",
    ),
    cfg.StrOpt(
        "run_dir",
        default="/run/nova-vhard-guard",
        help="Folder of the socket guard.sock, on which the hook asks the "
        "guard, and of guard.json, which records whether the guard is in "
        "force. If nova-vhard-guard.socket or the installed hook has another "
        "path, no guest is judged: if you change it, run nova-vhard-guard "
        "install, then nova-vhard-guard probe.",
    ),
    cfg.StrOpt(
        "hooks_dir",
        default="/etc/libvirt/hooks",
        help="Folder of libvirt's hooks, as libvirt's daemon sees it: "
        "nova-vhard-guard install writes to its subfolder qemu.d. In another "
        "folder, the hook is never called; nova-vhard-guard probe reports "
        "this.",
    ),
    cfg.StrOpt(
        "libvirt_uri",
        default="qemu:///system",
        help="URI of the host's libvirt, with the right to change guests. If "
        "libvirt does not answer, guests are still judged when they start, "
        "but changes to running guests are not seen, deleted guests are not "
        "forgotten, and nothing proves that the guard is in force.",
    ),
    cfg.ListOpt(
        "libvirt_pid_files",
        default=["/run/virtqemud.pid", "/run/libvirtd.pid"],
        help="Files with the process ID of libvirt's daemon, for hosts where "
        "systemd does not run it: install and uninstall send it SIGHUP, so "
        "that it looks for hooks again. If none of them names a daemon, "
        "install says so, and libvirt calls the hook after its next start.",
    ),
    cfg.StrOpt(
        "libvirt_user",
        default="root",
        help="User that libvirt's daemon, and so the hook, runs as. The "
        "socket answers only this user and root. If the host does not know "
        "the user, the guard does not start.",
    ),
    cfg.StrOpt(
        "report_file",
        default="/var/lib/nova-vhard-reporter/report.json",
        help="The host's last report, written by the reporter's publisher "
        "json. The guard reads from it which checks the host has passed. If "
        "it is missing, damaged or older than the policy's max_report_age, "
        "the host has passed none.",
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
        help="Folders that may contain disks, the files that disks are based "
        "on or copied to, and kernels: those of nova.conf [DEFAULT] "
        "instances_path, [image_cache] subdirectory_name, [libvirt] "
        "snapshots_directory and the mount points of volumes. {uuid} stands "
        "for the ID of the guest. In mode enforce, a guest with a file "
        "elsewhere is refused, like one with a device that no rule covers; "
        "this applies to all options for files. Paths are compared as libvirt "
        "shows them; symbolic links are not followed.",
    ),
    cfg.ListOpt(
        "backing_paths",
        default=[
            "/var/lib/nova/instances/{uuid}",
            "/var/lib/nova/instances/_base",
            "/var/lib/nova/mnt",
        ],
        help="Those of disk_paths that may contain files named by an image's "
        "header: its backing file and its data file. Do not add /dev: a "
        "tenant could write a header that names a disk of the host.",
    ),
    cfg.ListOpt(
        "firmware_paths",
        default=["/usr/share"],
        help="Folders of UEFI firmware and templates of UEFI variables.",
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
        "notification vhard.decision, as with [vhard] notifications. The bus "
        "is [oslo_messaging_notifications] transport_url of this file, else "
        "[DEFAULT] transport_url: use a login that can only write there. This "
        "needs oslo.messaging, without which the guard does not start, and a "
        "network, which the unit does not have (page Guard). While the bus "
        "cannot be reached, guests are judged as usual: 1000 decisions wait, "
        "and further ones are dropped and counted in a warning. The log has "
        "all decisions.",
    ),
    cfg.StrOpt(
        "notification_topic",
        default=NOTIFICATION_TOPIC,
        regex=r"^[A-Za-z0-9_.-]{1,128}\Z",
        help="Topic of these notifications. It must equal that of "
        "nova-vhard-exporter, which otherwise counts nothing. At most 128 "
        "letters, digits, dots, hyphens and underscores; with any other "
        "value, the guard does not start.",
    ),
    cfg.StrOpt(
        "textfile_directory",
        help="Folder for nova_vhard_guard.prom, which is replaced each "
        "interval: that of node_exporter's option "
        "--collector.textfile.directory. If not set, no metrics are written. "
        "If the file cannot be written, the old one stays and an error is "
        "logged.",
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
        help="Seconds between two probes: each starts a domain that can never "
        "run, to prove that libvirt asks this guard, and leaves an error in "
        "libvirt's log. If the last proof is older than three times this, the "
        "host's check guard_in_force is UNKNOWN.",
    ),
    cfg.IntOpt(
        "threads",
        default=8,
        min=2,
        max=64,
        help="Number of guests that are judged at once. Others wait; after "
        "1.8 seconds the hook treats them as unanswered. More threads than "
        "processors do not judge faster.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)
