# SPDX-License-Identifier: Apache-2.0
"""QEMU's binaries: what checksec and hardening-check say, and what we say."""

import pathlib
import re
import subprocess

import pytest

from nova_vhard.host.qemu.elf import Kind, Relro, examine
from nova_vhard.host.root import HostRoot
from tests import elf_files
from tests.elf_files import GOOD, LIBRARY, SMALL, SOURCE
from tests.host import tools

#: Property: our check of it, and what its evidence says of a good binary.
PROPERTIES = {
    "relro": ("qemu_relro", "RELRO full"),
    "canary": ("qemu_canary", "stack canary seen"),
    "nx": ("qemu_nx", "nothing both writable and executable"),
    "pie": ("qemu_pie", "PIE"),
    "fortify": ("qemu_fortify", "fortified functions seen"),
}

NO_PIE = ("-fno-pie", "-no-pie")
STATIC = (*NO_PIE, "-static")
SO = ("-fPIC", "-shared")

#: Name: flags beside those of a good build, and the source.
BUILDS = {
    "good": ((), SOURCE),
    "lazy": (("-Wl,-z,lazy",), SOURCE),
    "norelro": (("-Wl,-z,norelro",), SOURCE),
    "execstack": (("-Wl,-z,execstack",), SOURCE),
    "no-canary": (("-fno-stack-protector",), SOURCE),
    "no-fortify": (("-U_FORTIFY_SOURCE",), SOURCE),
    "no-pie": (NO_PIE, SOURCE),
    "stripped": (("-s",), SOURCE),
    "static": (STATIC, SOURCE),
    "static-no-canary": (
        (*STATIC, "-fno-stack-protector", "-U_FORTIFY_SOURCE"),
        SOURCE,
    ),
    "static-stripped": ((*STATIC, "-s"), SOURCE),
    "static-pie": (("-static-pie",), SOURCE),
    "so": (SO, LIBRARY),
    "so-small": (SO, SMALL),
}


#: Tool, build, property: what it says and what is true; None is untold. All
#: else that a tool says is true. The page checks has the reasons.
KNOWN_WRONG = {
    ("checksec", "static", "relro"): (False, True),
    ("checksec", "static-no-canary", "relro"): (False, True),
    ("checksec", "static-stripped", "relro"): (False, True),
    ("checksec", "static", "canary"): (True, None),
    ("checksec", "static-no-canary", "canary"): (True, None),
    ("checksec", "static-stripped", "canary"): (False, None),
    ("checksec", "static-pie", "canary"): (True, None),
    ("checksec", "static", "fortify"): (False, None),
    ("checksec", "static-no-canary", "fortify"): (False, None),
    ("checksec", "static-stripped", "fortify"): (False, None),
    ("checksec", "static-pie", "fortify"): (False, None),
    ("checksec", "so-small", "canary"): (False, None),
    ("checksec", "so-small", "fortify"): (False, None),
    ("hardening-check", "static", "relro"): (False, True),
    ("hardening-check", "static-no-canary", "relro"): (False, True),
    ("hardening-check", "static-stripped", "relro"): (False, True),
    ("hardening-check", "static", "canary"): (False, None),
    ("hardening-check", "static-no-canary", "canary"): (False, None),
    ("hardening-check", "static-pie", "canary"): (False, None),
    ("hardening-check", "so-small", "canary"): (False, None),
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


@pytest.mark.parametrize("tool", tools.TOOLS)
def test_the_emulators_of_this_machine(results, tool):
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
        answer = tools.TOOLS[tool](path)
        assert answer == {name: result[name] for name in answer}, path


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
        for name, value in tools.checksec(path).items():
            assert value == result[name] or result[name] is None, path


@pytest.mark.parametrize("build", BUILDS)
def test_a_binary_that_differs_in_one_thing(tmp_path, build):
    flags, source = BUILDS[build]
    path = elf_files.build(tmp_path / build, (*GOOD, *flags), source)
    result = ours(path)
    wrong = {
        (tool, build, name): (value, result[name])
        for tool, ask in tools.TOOLS.items()
        for name, value in ask(path).items()
        if value is not None and value != result[name]
    }
    assert wrong == {
        key: value for key, value in KNOWN_WRONG.items() if key[1] == build
    }


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
SLOTS = ("-O2", "-fno-pie", "-no-pie", "-static", "-Wl,-z,relro")


@pytest.mark.parametrize("binding", ["lazy", "now"])
def test_slots_of_a_static_emulator(place, binding):
    """The kernel says whether they can be written; so do we."""
    path = place / f"qemu-system-{binding}"
    elf_files.build(path, (*SLOTS, f"-Wl,-z,{binding}"), WRITES)
    ended = subprocess.run([path], timeout=60).returncode
    assert ended in (0, -11), "it has no such slots"
    relro = examine(HostRoot(), str(path))[1].relro
    assert (relro is Relro.FULL) == (ended == -11) == (binding == "now")
