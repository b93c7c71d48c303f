# SPDX-License-Identifier: Apache-2.0
"""Computes with a libvirt of their own, each in namespaces of this machine.

Such a host has its own name, process ids, and files where libvirt has some:
what runs in it, QEMU included, ends with its first process. The guard is
installed in it. The network is this machine's.
"""

import dataclasses
import glob
import importlib.util
import os
import pathlib
import sys
import sysconfig

from cloud import templates
from cloud.daemons import Daemon

#: What a host has of its own, and where that is below its home.
_FOLDERS = {
    "/run": "run",
    "/etc/libvirt": "etc",
    "/var/cache/libvirt": "cache",
    "/var/lib/libvirt": "lib",
    "/var/log/libvirt": "log",
}
#: pattern of files: the Debian package that they are from
_NEEDED = {
    "/usr/sbin/libvirtd": "libvirt-daemon",
    "/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so": (
        "libvirt-daemon-driver-qemu"
    ),
    "/usr/bin/qemu-system-x86_64": "qemu-system-x86",
    "/usr/bin/qemu-img": "qemu-utils",
}
#: Debian's binding of libvirt, which need not be compiled.
_BINDING = pathlib.Path("/usr/lib/python3/dist-packages")
_BINDING_FILES = (
    "libvirt.py",
    f"libvirtmod.{sysconfig.get_config_var('SOABI')}.so",
)

#: Hundreds of the first host's ports for its guests' consoles.
_CONSOLES = 60
#: In a shell of its own: mounts, then the daemons. A shell that waits buries
#: whatever the first process of a host has to bury.
_BOOT = """\
hostname "$0"
while [ "$1" != -- ]; do mount --bind "$2" "$1"; shift 2; done
/usr/sbin/virtlogd & /usr/sbin/libvirtd & wait
"""
#: In a shell of its own: a command on a host, by the id of its first process.
_ENTER = """\
read -r pid began <"$0"
ns=/proc/$pid/ns
exec nsenter --mount="$ns/mnt" --uts="$ns/uts" \\
    --pid="$ns/pid_for_children" -- "$@"
"""


def missing():
    """Return what is missing here for such hosts, in words."""
    if os.geteuid() != 0:
        return "it needs root"
    packages = {name for path, name in _NEEDED.items() if not glob.glob(path)}
    if not all((_BINDING / name).exists() for name in _binding_files()):
        packages.add("python3-libvirt")  # for this Python
    if packages:
        return f"apt-get install {' '.join(sorted(packages))}"
    return None


def _binding_files():
    """Return the files of Debian's that this Python needs, if any."""
    return () if importlib.util.find_spec("libvirt") else _BINDING_FILES


def write(facts, machine):
    """Write the files of a host, more for its nova-compute among them."""
    place = facts.place
    home = place.home(machine.name)
    for folder in (*_FOLDERS.values(), "guard", "modules", "etc/hooks"):
        (home / folder).mkdir(parents=True)
    for name in _binding_files():
        (home / "modules" / name).symlink_to(_BINDING / name)
    # Each name has an address of its own, or it would be an alias.
    hosts = ["127.0.0.1 localhost"]
    hosts += [
        f"127.0.1.{number} {other.name}"
        for number, other in enumerate(facts.hypervisors, 1)
    ]
    (home / "hosts").write_text("\n".join(hosts) + "\n")
    instances = place.home("nova") / "instances"
    instances.mkdir(exist_ok=True)
    folder = templates.FOLDER / "hypervisor"
    for template in folder.rglob("*.conf"):
        text = templates.fill(
            template,
            bin=pathlib.Path(sys.executable).parent,
            consoles=_CONSOLES + facts.hypervisors.index(machine),
            home=home,
            instances=instances,
            logs=place.logs,
            name=machine.name,
            policy=place.policy,
            root=place.root,
            uuid=machine.node,
        )
        with open(home / template.relative_to(folder), "a") as out:
            out.write(text)


def boot(facts, machine):
    """Return the daemon that is a host, with libvirt's daemons in it."""
    home = facts.place.home(machine.name)
    places = {path: home / name for path, name in _FOLDERS.items()}
    places["/etc/hosts"] = home / "hosts"
    pairs = [str(part) for pair in places.items() for part in pair]
    unshare = ("unshare", "--mount", "--uts", "--pid", "--fork")
    shell = ("--kill-child", "--mount-proc", "sh", "-ec", _BOOT)
    command = (*unshare, *shell, machine.name, *pairs, "--")
    return Daemon(f"host-{machine.name}", command)


def inside(facts, machine, daemon):
    """Return a daemon as it is on a host that runs."""
    file = facts.place.home("run") / f"host-{machine.name}"
    modules = facts.place.home(machine.name) / "modules"
    path = f"{modules}:{daemon.environment['PYTHONPATH']}"
    return dataclasses.replace(
        daemon,
        command=("sh", "-ec", _ENTER, str(file), *daemon.command),
        environment={**daemon.environment, "PYTHONPATH": path},
    )


def socket(facts, machine):
    """Return where libvirt is reached, from outside of its host too."""
    return facts.place.home(machine.name) / "run/libvirt/libvirt-sock"
