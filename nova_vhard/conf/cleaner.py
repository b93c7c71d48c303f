# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_cleaner``, for nova-vhard-cleaner."""

from oslo_config import cfg

from nova_vhard.conf import groups

#: Where the cleaner keeps what it knows, by default.
STATE_PATH = "/var/lib/nova-vhard-cleaner"

GROUP = cfg.OptGroup(
    "vhard_cleaner",
    title="Cleaner of a compute node's passthrough devices",
    help="How nova-vhard-cleaner finds, cleans and releases the one-time-use "
    "devices of its host. It logs in to Placement with the group placement of "
    "this file, or of cleaner-placement.conf if openstack vhard host enroll "
    "created one. Its user must be allowed to write inventories and traits "
    "(role vhard-cleaner, admin or service).",
)

OPTS = [
    cfg.IntOpt(
        "interval",
        default=60,
        min=5,
        max=3600,
        help="Seconds between two rounds, with 10 percent jitter. A used "
        "device, or an operator's request, waits up to this long, plus the "
        "time to clean other devices.",
    ),
    cfg.StrOpt(
        "root",
        default="/",
        help="Root folder of the host's file system; in a container, the path "
        "where it is mounted. The cleaner reads /proc and /sys below it, and "
        "writes to /sys. If something there cannot be read, the device stays "
        "reserved.",
    ),
    cfg.StrOpt(
        "compute_id_file",
        default="/var/lib/nova/compute_id",
        help="Path, below root, of the file in which nova-compute keeps the "
        "UUID of its compute node. If there is no such file, the host's name "
        "is used. If it cannot be read or contains no UUID, nothing is "
        "cleaned, because the name could be another host's.",
    ),
    cfg.StrOpt(
        "provider_name",
        help="Name of the host's resource provider, which is the hypervisor's "
        "host name. By default, the provider with the UUID in compute_id_file "
        "must have one of the host's own names; otherwise nothing is cleaned. "
        "Set this only if it has another name. With a wrong name, devices of "
        "another host are released, judged by this host's devices at the same "
        "addresses.",
    ),
    cfg.StrOpt(
        "libvirt_uri",
        help="URI of the host's libvirt, such as qemu:///system; the "
        "connection is read-only. The default is this machine's libvirt if "
        "root is /, otherwise none. If libvirt does not answer, every device "
        "counts as held by a guest, and none is cleaned.",
    ),
    cfg.StrOpt(
        "rules_file",
        default="/etc/nova-vhard/cleaning.yaml",
        help="File with the rules: which steps clean which devices. It is "
        "read in each round. If it is missing, invalid or writable by others, "
        "no device is cleaned or released; a device that matches no entry "
        "stays reserved.",
    ),
    cfg.StrOpt(
        "state_path",
        default=STATE_PATH,
        help="Folder for the cleaner's state; its subfolder devices holds "
        "each device's history. It must survive a reboot of the host. If it "
        "cannot be written, nothing is cleaned; if it is lost, uses recorded "
        "only there are lost.",
    ),
    cfg.StrOpt(
        "run_dir",
        default="/run/nova-vhard-cleaner",
        help="Folder on this machine for locks, one per device. A second "
        "lock, on a file of the device in sysfs, also separates cleaners with "
        "different folders. It does not work across network namespaces: "
        "without the host's /sys, the cleaner does not start.",
    ),
    cfg.BoolOpt(
        "release_automatically",
        default=True,
        help="Whether a clean device is released at once. Otherwise it stays "
        "reserved until 'openstack vhard device release', which runs its "
        "steps again.",
    ),
    cfg.BoolOpt(
        "trust_placement_requests",
        default=False,
        help="Whether requests through Placement may release a device without "
        "proof that it is clean (FORCED). Anyone who can write traits can "
        "make such a request, including every reporter in the cloud: if true, "
        "one host's password is enough to release dirty devices of all hosts. "
        "Otherwise such a request is refused; use nova-vhard-cleaner on the "
        "host.",
    ),
    cfg.BoolOpt(
        "trust_new",
        default=False,
        help="Whether a device that is not reserved and has no journal counts "
        "as clean, for the first start of a cleaner on a host with unused "
        "devices. Otherwise it is reserved and cleaned once. Remove the "
        "option after the first round: if true, a host that is reinstalled or "
        "has lost its state_path offers used devices without cleaning.",
    ),
    cfg.ListOpt(
        "keep_reserved",
        default=[],
        help="Addresses of devices, such as 0000:3b:00.0, that the cleaner "
        "ignores. List devices that an operator has reserved by hand: "
        "Placement cannot distinguish them from used ones. If an address is "
        "misspelled, its device is cleaned like any other.",
    ),
    cfg.IntOpt(
        "attempts",
        default=3,
        min=1,
        max=100,
        help="Maximum number of cleanings after one use of a device. If all "
        "are interrupted (for example, by a crash of the host or a change of "
        "the device's provider in Placement), the device stays reserved until "
        "an operator requests another one. A step that fails is not retried "
        "automatically.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)
