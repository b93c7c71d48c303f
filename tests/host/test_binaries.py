# SPDX-License-Identifier: Apache-2.0
"""QEMU's binaries: what checksec and hardening-check say, and what we say."""

import pathlib
import re
import shutil

import pytest

from nova_vhard.host.qemu.elf import Kind, Relro, examine
from nova_vhard.host.root import HostRoot
from tests import elf_files
from tests.elf_files import (
    DT_BIND_NOW,
    DT_FLAGS,
    DT_FLAGS_1,
    GOOD,
    LIBRARY,
    PT_LOAD,
    SMALL,
    SOURCE,
)
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
_RELACOUNT = 0x6FFFFFF9
_PIE = 0x08000000

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


def no_sections(path):
    """Take the section headers away; neither kernel nor loader reads them."""
    data = bytearray(path.read_bytes())
    data[40:48] = bytes(8)
    data[58:64] = bytes(6)
    path.write_bytes(data)


def bind_now(**kept):
    """Leave one of the three flags of early binding."""

    def change(path):
        changes = {
            DT_FLAGS: (DT_FLAGS, 8 * ("flags" in kept)),
            DT_FLAGS_1: (DT_FLAGS_1, _PIE | ("flags_1" in kept)),
        }
        if "tag" in kept:
            # In place of a tag that only saves the loader some time.
            changes[_RELACOUNT] = (DT_BIND_NOW, 0)
        elf_files.change_tags(path, changes)

    return change


#: Name: what is done to a good build.
CHANGES = {
    "no-sections": no_sections,
    "only-bind-now": bind_now(tag=True),
    "only-df-bind-now": bind_now(flags=True),
    "only-df-1-now": bind_now(flags_1=True),
    "writable-code": lambda path: elf_files.change_header(
        path, PT_LOAD, flags=7
    ),
}

#: Tool, build, property: what it says and what is true; None is untold. All
#: else that a tool says is true. The page checks has the reasons.
KNOWN_WRONG = {
    ("checksec", "only-df-1-now", "relro"): (False, True),
    ("checksec", "no-sections", "canary"): (False, True),
    ("checksec", "no-sections", "fortify"): (False, True),
    ("checksec", "writable-code", "nx"): (True, False),
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
    return {
        "relro": facts.relro is Relro.FULL,
        "canary": facts.canary,
        "nx": facts.nx,
        "pie": {
            Kind.PIE: True,
            Kind.STATIC_PIE: True,
            Kind.SHARED: None,
        }.get(facts.kind, False),
        "fortify": facts.fortify,
    }


def emulators(results):
    (line,) = [
        each
        for each in results["qemu_relro"]["evidence"]
        if each.startswith("emulators named by libvirt: ")
    ]
    return line.partition(": ")[2].split(", ")


@pytest.mark.parametrize("tool", tools.TOOLS)
def test_the_emulators_of_this_machine(results, tool):
    for path in emulators(results):
        result = {}
        for name, (check, good) in PROPERTIES.items():
            (line,) = [
                each
                for each in results[check]["evidence"]
                if each.startswith(f"{path}: ")
            ]
            result[name] = bool(re.search(rf"(?<!not ){good}\b", line))
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("elf")


@pytest.fixture(scope="module")
def good(folder):
    return elf_files.build(folder / "good-itself", GOOD)


@pytest.mark.parametrize("build", [*BUILDS, *CHANGES])
def test_a_binary_that_differs_in_one_thing(folder, good, build):
    path = folder / build
    if build in BUILDS:
        flags, source = BUILDS[build]
        elf_files.build(path, (*GOOD, *flags), source)
    else:
        shutil.copy(good, path)
        CHANGES[build](path)
    result = ours(path)
    wrong = {}
    for tool, ask in tools.TOOLS.items():
        for name, value in ask(path).items():
            if value is not None and value != result[name]:
                wrong[tool, build, name] = (value, result[name])
    assert wrong == {
        key: value for key, value in KNOWN_WRONG.items() if key[1] == build
    }
