# SPDX-License-Identifier: Apache-2.0
"""The cage of a QEMU, beside cases/confinement.yaml: a compiled emulator."""

import re
import shutil

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import libvirt
from nova_vhard.host.root import HostRoot
from tests import elf_files
from tests.unit.host import mac_trees
from tests.unit.host.test_cases import Tree


@pytest.mark.skipif(elf_files.COMPILER is None, reason="gcc is missing")
@pytest.mark.parametrize(
    ("library", "status"),
    [("seccomp", Status.PASS), ("other", Status.UNKNOWN)],
)
def test_a_qemu_that_cannot_filter_system_calls(tmp_path, library, status):
    """libvirt starts it all the same, and without a filter."""
    (tmp_path / "kept").mkdir()
    root = mac_trees.apparmor("require-confined", tmp_path)
    no_guest = {
        "drop": ["dom-a"],
        "/etc/libvirt/qemu.conf": "",
        "/proc/2/comm": "kthreadd\n",
    }
    Tree(root, tmp_path / "kept").lay(no_guest)
    shared = tmp_path / f"lib{library}.so.2"
    flags = ("-fPIC", "-shared", f"-Wl,-soname,{shared.name}")
    elf_files.build(shared, flags, elf_files.LIBRARY)
    flags = (*elf_files.GOOD, "-Wl,--no-as-needed", str(shared))
    program = elf_files.build(tmp_path / "qemu", flags, elf_files.SOURCE)
    capabilities = (root / "CMD/virsh-capabilities").read_text()
    for path in re.findall("<emulator>(.*)</emulator>", capabilities):
        place = root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(program, place)
    host = HostRoot(str(root))
    (check,) = [each for each in report.load() if each.name == "guest_cage"]
    result = check.run(Host(host, libvirt.of_tree(host, None)))
    assert result.status is status
    assert (status is Status.PASS) or "--enable-seccomp" in result.remediation
