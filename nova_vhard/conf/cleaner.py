# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_cleaner``, for nova-vhard-cleaner."""

from oslo_config import cfg

from nova_vhard.conf import groups

#: Where the cleaner keeps what it knows, by default.
STATE_PATH = "/var/lib/nova-vhard-cleaner"

GROUP = cfg.OptGroup(
    "vhard_cleaner",
    title="Cleaner of a compute node's passthrough devices",
    help="How nova-vhard-cleaner finds the one-time-use devices of its host, "
    "cleans them and releases them. The group placement says how it logs "
    "in, or that of cleaner-placement.conf, which openstack vhard host enroll "
    "makes for one host; its user needs to be allowed to write inventories "
    "and traits (role vhard-cleaner, admin or service).",
)

OPTS = [
    cfg.IntOpt(
        "interval",
        default=60,
        min=5,
        max=3600,
        help="Seconds between two rounds, jittered by a tenth. A device waits "
        "for its cleaning, and a request of an operator for its answer, as "
        "long at most, and while other devices are cleaned.",
    ),
    cfg.StrOpt(
        "root",
        default="/",
        help="Folder that holds the host's file system; in a container the "
        "place that it is mounted at. Below it the cleaner reads /proc and "
        "/sys, and writes to /sys. What cannot be read there keeps a device "
        "reserved.",
    ),
    cfg.StrOpt(
        "compute_id_file",
        default="/var/lib/nova/compute_id",
        help="Path, below root, of the file in which nova-compute keeps the "
        "uuid of its compute node. Without such a file the host's name is "
        "taken. A file that cannot be read or holds no uuid is an error: "
        "nothing is cleaned, rather than for another host.",
    ),
    cfg.StrOpt(
        "provider_name",
        help="Name of the host's resource provider, which is the "
        "hypervisor's host name. By default the provider that the identity "
        "file names must carry one of the host's own names; otherwise "
        "nothing is cleaned. Set it only where it carries another: with a "
        "wrong name the devices of another host are judged by what this one "
        "has at their addresses, and released.",
    ),
    cfg.StrOpt(
        "libvirt_uri",
        help="Where the host's libvirt is reached, such as qemu:///system; "
        "the connection is read-only. By default that of this machine if "
        "root is /, and none otherwise. Without an answer every device "
        "counts as held by a guest, and none is cleaned.",
    ),
    cfg.StrOpt(
        "rules_file",
        default="/etc/nova-vhard/cleaning.yaml",
        help="Which devices are cleaned by which steps. Read at the start of "
        "each round. While it is missing or has a fault, and for a device "
        "that no entry of it names, nothing is cleaned and nothing "
        "released.",
    ),
    cfg.StrOpt(
        "state_path",
        default=STATE_PATH,
        help="Folder of the cleaner's state: below devices, the history of "
        "each device. It must survive a restart of the host. If it cannot be "
        "written, nothing is cleaned; if it is lost, uses that are recorded "
        "only there are lost.",
    ),
    cfg.StrOpt(
        "run_dir",
        default="/run/nova-vhard-cleaner",
        help="Folder on this machine for locks, one for each device. If "
        "processes that clean on this host have different ones, another lock, "
        "on a file of the device in sysfs, keeps them apart. It does not hold "
        "between network namespaces: there the cleaner does not start.",
    ),
    cfg.BoolOpt(
        "release_automatically",
        default=True,
        help="Whether a clean device is released at once. Otherwise it stays "
        "reserved until 'openstack vhard device release'; its steps then run "
        "once more.",
    ),
    cfg.BoolOpt(
        "trust_placement_requests",
        default=False,
        help="Whether requests that reach this host through Placement may "
        "release a device without proof (FORCED). Anybody who can write "
        "traits can make such a request, every reporter of the cloud among "
        "them: with true, the password of one host makes the cleaners of all "
        "hosts release dirty devices. Otherwise it is refused, and done on "
        "the host itself, with nova-vhard-cleaner.",
    ),
    cfg.BoolOpt(
        "trust_new",
        default=False,
        help="Whether a device without a journal that is not reserved counts "
        "as clean: for the first start of a cleaner on a host with unused "
        "devices. Otherwise it is reserved and cleaned once. Remove the "
        "option after the first round: with true, a host that is reinstalled, "
        "or has lost its state_path, offers used devices without cleaning.",
    ),
    cfg.ListOpt(
        "keep_reserved",
        default=[],
        help="Addresses of devices, such as 0000:3b:00.0, that are left as "
        "they are: for one that an operator has reserved by hand, which "
        "nothing in Placement tells from a used one. An address that is "
        "misspelled keeps nothing.",
    ),
    cfg.IntOpt(
        "attempts",
        default=3,
        min=1,
        max=100,
        help="Cleanings that are begun after one use of a device. If all of "
        "them are broken off (by a crash of the host, say, or because "
        "Placement's record of the device changed) it stays reserved until "
        "an operator asks for another one. A step that fails is never tried "
        "again by itself.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)
