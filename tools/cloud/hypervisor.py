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

_LIBVIRTD = """\
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "{uuid}"
"""
_QEMU = """\
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
# Apart from the other host's: neither knows what the other is about to take.
remote_display_port_min = {consoles}00
remote_display_port_max = {consoles}99
shared_filesystems = ["{instances}"]
"""
_GUARD = """\
[DEFAULT]
log_file = {logs}/guard-{name}.log
use_stderr = false
[vhard_guard]
policy_file = {policy}
state_path = {home}/guard
disk_paths = {instances}/{{uuid}},{instances}/_base,{root}/cinder/mounts,/dev
backing_paths = {instances}/{{uuid}},{instances}/_base,{root}/cinder/mounts
port_paths = {instances}/{{uuid}},/var/lib/libvirt/qemu,/run/libvirt/qemu
interval = 5
"""
#: Of nova-compute: the guests are there at once, and listen to nobody who
#: would have them shut down.
_COMPUTE = """\
[DEFAULT]
compute_driver = libvirt.LibvirtDriver
instances_path = {instances}
graceful_shutdown_timeout = 1
shutdown_timeout = 2
[libvirt]
cpu_mode = none
hw_machine_type = x86_64=q35
live_migration_uri = qemu+unix:///system?socket={root}/%s/run/libvirt/libvirt-sock
virt_type = qemu
wait_soft_reboot_seconds = 2
[nova_sys_admin]
helper_command = {bin}/privsep-helper
[privsep_osbrick]
helper_command = {bin}/privsep-helper
[vnc]
enabled = true
server_listen = 127.0.0.1
"""
_FILES = {
    "etc/libvirtd.conf": _LIBVIRTD,
    "etc/qemu.conf": _QEMU,
    "guard.conf": _GUARD,
    "nova-compute.conf": _COMPUTE,
}


def missing():
    """Return what is missing here for such hosts, in words."""
    if os.geteuid() != 0:
        return "it needs root"
    packages = {name for path, name in _NEEDED.items() if not glob.glob(path)}
    if not _has_binding() and not all(
        (_BINDING / name).exists() for name in _BINDING_FILES
    ):
        packages.add("python3-libvirt")  # for this Python
    if packages:
        return f"apt-get install {' '.join(sorted(packages))}"
    return None


def _has_binding():
    return importlib.util.find_spec("libvirt") is not None


def write(facts, machine):
    """Write the files of a host, more for its nova-compute among them."""
    place = facts.place
    home = place.home(machine.name)
    for folder in (*_FOLDERS.values(), "guard", "modules", "etc/hooks"):
        (home / folder).mkdir(parents=True)
    binding = () if _has_binding() else _BINDING_FILES
    for name in binding:
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
    for file, template in _FILES.items():
        text = template.format(
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
        with open(home / file, "a") as out:
            out.write(text)


def boot(facts, machine):
    """Return the command that is a host, with libvirt's daemons in it."""
    home = facts.place.home(machine.name)
    places = {path: home / name for path, name in _FOLDERS.items()}
    places["/etc/hosts"] = home / "hosts"
    pairs = [str(part) for pair in places.items() for part in pair]
    unshare = ("unshare", "--mount", "--uts", "--pid", "--fork")
    shell = ("--kill-child", "--mount-proc", "sh", "-ec", _BOOT)
    return (*unshare, *shell, machine.name, *pairs, "--")


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
