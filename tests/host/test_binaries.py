# SPDX-License-Identifier: Apache-2.0
"""QEMU's binaries: our results and those of checksec."""

import json
import pathlib
import re
import subprocess

import pytest

from nova_vhard.host.qemu.elf import Kind, Relro, examine
from nova_vhard.host.root import HostRoot
from tests import elf_files

#: Our property: the field of checksec, and the values of that field.
CHECKSEC = {
    "relro": ("relro", {"full": True, "partial": False, "no": False}),
    "canary": ("canary", {"yes": True, "no": False}),
    "nx": ("nx", {"yes": True, "no": False}),
    "pie": ("pie", {"yes": True, "no": False, "dso": None}),
    "fortify": ("fortify_source", {"yes": True, "no": False}),
}


def checksec(path: object) -> dict[str, bool | None]:
    """Return checksec's results for a binary."""
    command = ["checksec", f"--file={path}", "--output=json"]
    # Its exit status is a result, not an error.
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=120)
    (result,) = json.loads(done.stdout).values()
    return {
        name: words[result[field]] for name, (field, words) in CHECKSEC.items()
    }


#: Property: our check of it, and its evidence for a good binary.
PROPERTIES = {
    "relro": ("qemu_relro", "RELRO full"),
    "canary": ("qemu_canary", "stack canary seen"),
    "nx": ("qemu_nx", "nothing both writable and executable"),
    "pie": ("qemu_pie", "PIE"),
    "fortify": ("qemu_fortify", "fortified functions seen"),
}


def ours(path):
    """Return what we say of a binary, as tools do."""
    facts = examine(HostRoot(), str(path))[1]
    pie = facts.kind in (Kind.PIE, Kind.STATIC_PIE)
    return {
        "relro": facts.relro is Relro.FULL,
        "canary": facts.canary,
        "nx": facts.nx,
        "pie": None if facts.kind is Kind.SHARED else pie,
        "fortify": facts.fortify,
    }


def test_the_emulators_of_this_machine(results):
    evidence = {
        name: "\n".join(results[check]["evidence"])
        for name, (check, _) in PROPERTIES.items()
    }
    start = "emulators named by libvirt: (.*)"
    for path in re.search(start, evidence["relro"])[1].split(", "):
        result = {}
        for name, (_, good) in PROPERTIES.items():
            line = re.search(rf"^{path}: (.*)", evidence[name], re.MULTILINE)
            result[name] = bool(re.search(rf"(?<!not ){good}\b", line[1]))
        assert checksec(path) == result, path


def test_the_modules_of_this_machine(results):
    """Our results match checksec's, unless ours are unknown."""
    evidence = "\n".join(results["qemu_relro"]["evidence"])
    folders = re.findall(r"^(\S+)/\*\.so: ", evidence, re.MULTILINE)
    paths = [
        path for each in folders for path in pathlib.Path(each).glob("*.so")
    ]
    assert paths
    for path in sorted(paths)[:6]:
        result = ours(path)
        for name, value in checksec(path).items():
            assert value == result[name] or result[name] is None, path


#: A program that writes to each slot of its IFUNCs the value it already has.
WRITES = """
#include <elf.h>
#include <string.h>
extern const Elf64_Rela start[] __asm__("__rela_iplt_start");
extern const Elf64_Rela end[] __asm__("__rela_iplt_end");
int main(int count, char **words) {
    for (const Elf64_Rela *each = start; each < end; each++) {
        volatile unsigned long *slot = (void *)each->r_offset;
        *slot = *slot;
    }
    return start == end || strlen(words[0]) == 0;
}
"""
SLOTS = ("-O2", "-fno-pie", "-no-pie", "-static", "-Wl,-z,relro")


@pytest.mark.parametrize("binding", ["lazy", "now"])
def test_slots_of_a_static_emulator(place, binding):
    """Our result agrees with the kernel on whether they are writable."""
    path = place / f"qemu-system-{binding}"
    elf_files.build(path, (*SLOTS, f"-Wl,-z,{binding}"), WRITES)
    ended = subprocess.run([path], timeout=60).returncode
    assert ended in (0, -11), "it has no such slots"
    relro = examine(HostRoot(), str(path))[1].relro
    assert (relro is Relro.FULL) == (ended == -11) == (binding == "now")
