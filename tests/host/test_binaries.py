# SPDX-License-Identifier: Apache-2.0
"""QEMU's binaries: what checksec and hardening-check say, and what we say."""

import json
import pathlib
import re
import subprocess

import pytest

from nova_vhard.host.qemu.elf import Kind, Relro, examine
from nova_vhard.host.root import HostRoot
from tests import elf_files
from tests.elf_files import GOOD, LIBRARY, SMALL, SOURCE

#: Our property: the field of checksec, and the values of that field.
CHECKSEC = {
    "relro": ("relro", {"full": True, "partial": False, "no": False}),
    "canary": ("canary", {"yes": True, "no": False}),
    "nx": ("nx", {"yes": True, "no": False}),
    "pie": ("pie", {"yes": True, "no": False, "dso": None}),
    "fortify": ("fortify_source", {"yes": True, "no": False}),
}

#: Our property: the lines of hardening-check, which all have to say yes. It
#: does not check NX.
HARDENING_CHECK = {
    "relro": ("Read-only relocations", "Immediate binding"),
    "canary": ("Stack protected",),
    "pie": ("Position Independent Executable",),
    "fortify": ("Fortify Source functions",),
}
_WORDS = {"yes": True, "no": False, "unknown": None}

Said = dict[str, bool | None]


def checksec(path: object) -> Said:
    """Return checksec's results for a binary."""
    text = _output("checksec", f"--file={path}", "--output=json")
    (result,) = json.loads(text).values()
    return {
        name: words[result[field]] for name, (field, words) in CHECKSEC.items()
    }


def hardening_check(path: object) -> Said:
    """Return hardening-check's results for a binary."""
    text = _output("hardening-check", path)
    result = dict(re.findall(r"^ (.+?): (.+)", text, re.MULTILINE))
    said: Said = {}
    for name, lines in HARDENING_CHECK.items():
        words = [_word(result[line]) for line in lines]
        said[name] = False if False in words else all(words) or None
    return said


def _word(answers: str) -> bool | None:
    """Parse "yes", "no, not found!", "no, … (ignored)" or "unknown, …"."""
    said = re.match(r"\w+", answers)[0]
    return None if answers.endswith("(ignored)") else _WORDS[said]


TOOLS = {"checksec": checksec, "hardening-check": hardening_check}


def virt_host_validate() -> dict[str, tuple[str, str]]:
    """Run virt-host-validate; return check to (word, reason)."""
    result = re.findall(
        r"QEMU: Checking (?:for|if) (.+?) *: (PASS|WARN|FAIL)(?: \((.*)\))?$",
        re.sub(r"\x1b\[[\d;]*m", "", _output("virt-host-validate", "qemu")),
        re.MULTILINE,
    )
    return {what: (word, reason) for what, word, reason in result}


def _output(*command: object) -> str:
    """Return a command's output; its exit status is a result, not an error."""
    return subprocess.run(
        [str(each) for each in command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    ).stdout


#: Property: our check of it, and its evidence for a good binary.
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


@pytest.mark.parametrize("tool", TOOLS)
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
        answer = TOOLS[tool](path)
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
        for name, value in checksec(path).items():
            assert value == result[name] or result[name] is None, path


@pytest.mark.parametrize("build", BUILDS)
def test_a_binary_that_differs_in_one_thing(tmp_path, build):
    flags, source = BUILDS[build]
    path = elf_files.build(tmp_path / build, (*GOOD, *flags), source)
    result = ours(path)
    wrong = {
        (tool, build, name): (value, result[name])
        for tool, ask in TOOLS.items()
        for name, value in ask(path).items()
        if value is not None and value != result[name]
    }
    assert wrong == {
        key: value for key, value in KNOWN_WRONG.items() if key[1] == build
    }


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
