# SPDX-License-Identifier: Apache-2.0
"""Hosts on which a path does not lead to the file that is in use.

Each of these had a wrong PASS before checks looked at processes.
"""

import os
import re
import shutil
import subprocess

import pytest

from nova_vhard.host.qemu.elf import Relro, examine
from nova_vhard.host.root import HostRoot
from tests import elf_files
from tests.host.reporter import Reporter

QEMU = "/usr/bin/qemu-system-x86_64"
PT_GNU_RELRO = 0x6474E552

#: Writes to each slot of its IFUNCs what is there already.
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
STATIC = ("-O2", "-fno-pie", "-no-pie", "-static", "-Wl,-z,relro")


class Unprivileged(Reporter):
    """Runs without any capability, and so without root's sight."""

    def command(self, *words):
        """Return the command line of a subcommand."""
        sets = ["--bounding-set=-all", "--inh-caps=-all"]
        own = super().command(*words)
        return own if "facts" in words else ["setpriv", *sets, *own]


def test_a_binary_that_was_replaced(reporter, libvirtd, place):
    """It had neither RELRO nor NX; the one in its place is good."""
    weak, good = place / "replaced/qemu-weak", place / "replaced/good"
    weak.parent.mkdir()
    shutil.copy(QEMU, weak)
    shutil.copy(QEMU, good)
    elf_files.change_header(weak, elf_files.PT_GNU_STACK, flags=7)
    elf_files.change_header(weak, PT_GNU_RELRO, type=elf_files.PT_NULL)
    libvirtd.start("old", devices=f"<emulator>{weak}</emulator>")
    try:
        os.replace(good, weak)
        result = reporter.check()
        theirs = Unprivileged(place / "user", libvirtd.uri).check()
    finally:
        libvirtd.end("old")
    for name in ("qemu_relro", "qemu_nx"):
        assert result[name]["status"] == "FAIL", result[name]
        line = f"{weak} (deleted) (guest old, process "
        assert any(line in fact for fact in result[name]["evidence"])
        # Only root can open what nobody else can any more.
        assert theirs[name]["status"] == "UNKNOWN", theirs[name]
        since = "(replaced|changed) since guest old, process"
        said = [theirs[name]["reason"], *theirs[name]["evidence"]]
        assert re.search(since, "\n".join(said))
        assert "Stop and start the guest" in theirs[name]["remediation"]


@pytest.mark.parametrize("binding", ["lazy", "now"])
def test_slots_of_a_static_emulator(place, binding):
    """The kernel says whether they can be written; so do we."""
    path = place / f"qemu-system-{binding}"
    elf_files.build(path, (*STATIC, f"-Wl,-z,{binding}"), WRITES)
    ended = subprocess.run([path], timeout=60).returncode
    assert ended in (0, -11), "it has no such slots"
    relro = examine(HostRoot(), str(path))[1].relro
    assert (relro is Relro.FULL) == (ended == -11)
    assert (relro is Relro.FULL) == (binding == "now")
