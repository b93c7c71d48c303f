# SPDX-License-Identifier: Apache-2.0
"""Hosts with running guests, laid out from what was captured of them.

The captures of domains have files of procfs, libvirt's XML and outputs of
commands, by states of one host. Each state is laid over the capture of that
host here. Nothing in it is made up but where things stand.
"""

import pathlib
import re
import shutil

from tests.trees import capture

# The checks read no more of it; the whole of it takes its time to unpack.
_OF_HOST = (
    r"(\./)?(ERRORS|CMD/virsh-cap|etc|proc/(1|self|cmdline|filesystems)"
    r"|sys/(kernel/security|module/apparmor"
    r"|fs/selinux/(\w+$|booleans/virt)))"
)
_OF_DOMAINS = (
    r"(\./)?(aa/[\w.-]+$|aa/.*(/proc/|dom-|profiles)"
    r"|se2/|se/[\w.-]+$|se/permissive/(proc|dom|images))"
)


def apparmor(state: str, folder: pathlib.Path) -> pathlib.Path:
    """Return the tree of a host with AppArmor in a captured state."""
    root, taken = _host("apparmor-host", "apparmor-domains", folder)
    _guests(root, taken / "aa" / state)
    (root / "sys/kernel/security/apparmor/profiles").write_text(
        (taken / "aa" / state / "profiles").read_text()
    )
    none = "-driver-none" if state == "driver-none" else ""
    shutil.copy(
        taken / "aa" / f"capabilities{none}.xml",
        root / "CMD/virsh-capabilities",
    )
    if state != "require-confined":
        # It was captured with mode 0600.
        text = (taken / "aa/qemu.conf.default").read_text()
        (root / "etc/libvirt/qemu.conf").write_text(text)
    return root


def selinux(state: str, folder: pathlib.Path) -> pathlib.Path:
    """Return the tree of a host with SELinux, which is enforced.

    The host was permissive when its guests were captured.

    :param state: ``before`` svirt_t was made permissive, or ``after``
    """
    root, taken = _host(
        "selinux-host-permissive", "selinux-domains-permissive", folder
    )
    _guests(root, taken / "se/permissive")
    shutil.copy(taken / "se/capabilities.xml", root / "CMD/virsh-capabilities")
    shutil.copy(
        taken / "se/permissive/images.getfattr", root / "CMD/getfattr-selinux"
    )
    shutil.copy(taken / f"se2/access-{state}.txt", root / "CMD/selinux-access")
    (root / "sys/fs/selinux/enforce").write_text("1")
    return root


def process(root: pathlib.Path, name: str) -> pathlib.Path:
    """Return the folder of a guest's process."""
    word = f"\0guest={name},".encode()
    (result,) = [
        each.parent
        for each in (root / "proc").glob("[0-9]*/cmdline")
        if word in each.read_bytes()
    ]
    return result


def _host(host: str, domains: str, folder: pathlib.Path) -> tuple:
    root = pathlib.Path(capture(host, folder, _OF_HOST))
    return root, pathlib.Path(capture(domains, folder, _OF_DOMAINS))


def _guests(root: pathlib.Path, state: pathlib.Path) -> None:
    """Lay the processes and the domains of a state over a host."""
    for each in (state / "proc").iterdir():
        to = root / "proc" / each.name
        shutil.copytree(each, to)
        if (each / "exe.link").exists():
            (to / "exe").symlink_to((each / "exe.link").read_text().strip())
    uuids = []
    for each in sorted(state.glob("dom-*.xml")):
        uuid = re.search("<uuid>(.*)</uuid>", each.read_text())[1]
        shutil.copy(each, root / f"CMD/virsh-dumpxml-{uuid}")
        uuids.append(uuid)
    (root / "CMD/virsh-list").write_text("\n".join(uuids) + "\n")
