# SPDX-License-Identifier: Apache-2.0
"""Hosts on which a path does not lead to the file that is in use.

Each of these had a wrong PASS before checks looked at processes.
"""

import contextlib
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


@pytest.fixture
def weak(place):
    """Return an emulator that runs, with neither RELRO nor NX."""
    folder = place / f"weak-{os.urandom(4).hex()}"
    folder.mkdir()
    path = folder / "qemu-weak"
    shutil.copy(QEMU, path)
    elf_files.change_header(path, elf_files.PT_GNU_STACK, flags=7)
    elf_files.change_header(path, PT_GNU_RELRO, type=elf_files.PT_NULL)
    return path


@contextlib.contextmanager
def guest(libvirtd, name, emulator):
    """Run a guest on a given emulator for a while."""
    libvirtd.start(name, devices=f"<emulator>{emulator}</emulator>")
    try:
        yield
    finally:
        libvirtd.end(name)


def text(result):
    return "\n".join([result["reason"], *result["evidence"]])


@pytest.fixture
def unprivileged(reporter, libvirtd, place):
    """Return a reporter without rights, on what root has left for it."""

    class Unprivileged(Reporter):
        """Runs without any capability, and so without root's sight."""

        def command(self, *words):
            """Return the command line of a subcommand."""
            sets = ["--bounding-set=-all", "--inh-caps=-all"]
            own = super().command(*words)
            return own if "facts" in words else ["setpriv", *sets, *own]

    return Unprivileged(place / os.urandom(4).hex(), libvirtd.uri)


def test_a_binary_that_was_replaced(
    reporter, unprivileged, libvirtd, place, weak
):
    with guest(libvirtd, "old", weak):
        good = place / "good"
        shutil.copy(QEMU, good)
        os.replace(good, weak)
        result, theirs = reporter.check(), unprivileged.check()
    for name in ("qemu_relro", "qemu_nx"):
        assert result[name]["status"] == "FAIL", result[name]
        line = f"{weak} (deleted) (guest old, process "
        assert line in text(result[name])
        # Only root can open what nobody else can any more.
        assert theirs[name]["status"] == "UNKNOWN", theirs[name]
        since = "(replaced|changed) since guest old, process"
        assert re.search(since, text(theirs[name]))
        assert "Stop and start the guest" in theirs[name]["remediation"]


def test_libvirt_in_a_mount_namespace(unprivileged, libvirtd, weak):
    """An accessible file of the same name is not judged instead."""
    with libvirtd.covered(QEMU, weak):
        before = unprivileged.check()["qemu_relro"]
        unprivileged.facts()
        after = unprivileged.check()["qemu_relro"]
    assert before["status"] == "UNKNOWN", before
    assert "facts as root" in before["remediation"]
    assert after["status"] == "FAIL", after
    assert f"{QEMU} (libvirtd, " in text(after)


def test_a_qemu_conf_that_only_the_daemon_sees(reporter, libvirtd, place):
    own = place / "qemu.conf"
    own.write_text("security_default_confined = 0\n")
    line = "/etc/libvirt/qemu.conf: security_default_confined = {}"
    assert line.format(1) in text(reporter.check()["mac_confinement"])
    with libvirtd.covered("/etc/libvirt/qemu.conf", own):
        result = reporter.check()["mac_confinement"]
    assert result["status"] in ("FAIL", "UNKNOWN")
    assert line.format(1) not in text(result)


def test_a_library_that_makes_the_stack_executable(reporter, libvirtd, place):
    folder = place / "stack"
    folder.mkdir()
    library = folder / "libstack.so"
    flags = ("-O2", "-fPIC", "-shared", "-Wl,-z,execstack")
    elf_files.build(library, flags, elf_files.SMALL)
    emulator = folder / "qemu-good"
    shutil.copy(QEMU, emulator)
    change = ["patchelf", "--add-needed", library, emulator]
    subprocess.run(change, check=True)
    with guest(libvirtd, "stack", emulator):
        result = reporter.check()["qemu_nx"]
    assert result["status"] == "FAIL", result
    assert f"{library}: stack or a segment both writable" in text(result)
    assert "[stack]" in text(result)
    assert "rwxp" in text(result)


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
