# SPDX-License-Identifier: Apache-2.0
"""The answers of the host checks, to the cases in tests/unit/host/cases.

The cases for a TPM are in tests/unit/host/tpm_logs.py.

A file has groups of cases. The keys of a group count in each of its rows, and
a row that is a list has the keys in ``columns``. The keys of a case are:

``host``
    tree to begin with: a kind and a name; without it an empty one
``drop``
    guests that have ended
``pci``, ``functions``, ``words``, ``facts``, ``process``, ``guest``,
``emulators``, ``compiled``
    arguments of the builder of that name, in ``BUILDERS``
``/path``
    text of a file; ``-> target`` is a link, ``|`` a pipe, null removes the
    file, anything but a text is written as JSON; a path that ends with ``/``
    is a folder
``edit``
    path to a regular expression, which is found, and its replacement
``closed``
    paths that cannot be read
``closed_to_users``
    path of a file that users see but cannot read
``modes``
    path to the mode of a file
``times``
    path to the time of its last change in seconds, if it exists
``pre_step``
    store the pre-step's results on emulators, and then add these paths
``expected``
    fields of Expected
``policy``
    name of a shipped policy that determines Expected
``libvirt``
    reason why libvirt is unavailable
name of a check
    its status

The messages are in ``*.golden`` next to the cases. To update them, run the
tests with ``NOVA_VHARD_GOLDEN=write`` and review the difference.
"""

import errno
import functools
import json
import os
import pathlib
import re
import shutil
from dataclasses import replace

import pytest
import yaml

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Expected, Host
from nova_vhard.host.libvirt import libvirt
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.policy import document
from nova_vhard.reporter import facts, hosts
from tests import elf_files, trees
from tests.unit.host import hardened, mac_trees, tpm_logs

CASES = pathlib.Path(__file__).parent / "cases"
CHECKS = {each.name: each for each in report.load()}
#: The one in C is ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
WRITE = os.environ.get("NOVA_VHARD_GOLDEN") == "write"


def of_each(builder, **by_number):
    """Return the files of processes: number to a builder's arguments."""
    return {
        path: text
        for number, how in by_number.items()
        for path, text in builder(number, **how).items()
    }


def emulator(name, folder):
    """Build a host with a good emulator, which libvirt names, and its libc."""
    libc = [pathlib.Path(each) for each in elf_files.libraries()]
    content = {
        "/CMD/virsh-capabilities": trees.capabilities(hardened.QEMU),
        hardened.QEMU: elf_files.compiled(),
        **{str(each): each.read_bytes() for each in libc},
    }
    return trees.build(folder, content)


def compiled(**binaries):
    """Compile binaries: path to a source and flags of the compiler."""
    words = {path: text.split() for path, text in binaries.items()}
    return {
        path: elf_files.compiled(*flags, source=SOURCES[source])
        for path, (source, *flags) in words.items()
    }


SOURCES = {
    "program": elf_files.SOURCE,
    "library": elf_files.LIBRARY,
    "small": elf_files.SMALL,
}
#: Kind of an emulator to the symbols that it refers to, and the library that
#: it needs.
SYMBOLS = {
    "good": ([b"__stack_chk_fail", b"__memcpy_chk"],),
    "weak": ([],),
    "caged": ([], b"libseccomp.so.2"),
    "loose": ([], b"libother.so.2"),
}
HOSTS = {
    "apparmor": mac_trees.apparmor,
    "selinux": mac_trees.selinux,
    "capture": trees.capture,
    "hardened": lambda name, folder: trees.build(
        folder, {"good": hardened.GOOD, "bad": hardened.BAD}[name]
    ),
    "emulator": emulator,
    "empty": lambda name, folder: trees.build(folder, {}),
}
BUILDERS = {
    "pci": trees.pci_host,
    "functions": trees.functions,
    "words": hardened.words,
    "facts": lambda device_spec=(), **more: trees.facts(*device_spec, **more),
    "process": functools.partial(of_each, hardened.process),
    "guest": functools.partial(of_each, hardened.guest),
    "emulators": lambda **kinds: {
        path: elf_files.made(64, "<", *SYMBOLS[kind])
        for path, kind in kinds.items()
    },
    "compiled": compiled,
}
#: Keys of a case whose mapping is added to that of its group.
ADDED = (*BUILDERS, "edit", "expected", "modes", "pre_step", "times")
#: All keys that are not paths.
KEYS = {
    *ADDED,
    *CHECKS,
    "host",
    "drop",
    "closed",
    "closed_to_users",
    "libvirt",
    "policy",
}


def cases():
    """Yield each case, with the name of its file."""
    for path in sorted(CASES.glob("*.yaml")):
        for group in yaml.load(path.read_text(), LOADER):
            name, rows = group.pop("name"), group.pop("rows", [{}])
            columns = group.pop("columns", ())
            for number, row in enumerate(rows):
                if isinstance(row, list):
                    row = dict(zip(columns, row, strict=True))
                both = {
                    key: group[key] | row[key]
                    for key in ADDED
                    if key in group and key in row
                }
                title = f"{path.stem}: {name} {number}"
                yield pytest.param(path.stem, group | row | both, id=title)


ALL = [
    *cases(),
    *(
        pytest.param("tpm", case, id=f"tpm: {number}")
        for number, case in enumerate(tpm_logs.CASES)
    ),
]


class Tree:
    """A host's tree, which is put back after each case."""

    def __init__(self, root, kept):
        self.root, self._kept, self._moved = pathlib.Path(root), kept, []

    def clear(self, path):
        """Take a file or folder away; return its place."""
        place = first = self.root / path.strip("/")
        while not first.parent.exists():
            first = first.parent
        kept = self._kept / str(len(self._moved))
        if os.path.lexists(first):
            first.rename(kept)
        self._moved.append((first, kept))
        return place

    def put(self, path, content):
        """Write a file, a link or a folder, or take a file away."""
        if path.endswith("/"):
            if not (self.root / path[1:]).is_dir():
                self.clear(path).mkdir(parents=True)
            return
        self.clear(path)
        if content is not None:
            is_text = isinstance(content, str | bytes)
            text = content if is_text else json.dumps(content)
            trees.build(self.root, {path: text})

    def drop(self, names):
        """Let guests end."""
        listed = []
        for uuid in (self.root / "CMD/virsh-list").read_text().split():
            text = (self.root / f"CMD/virsh-dumpxml-{uuid}").read_text()
            name = re.search("<name>(.*)</name>", text)[1]
            if name in names:
                process = mac_trees.process(self.root, name)
                self.clear(f"proc/{process.name}")
            else:
                listed.append(uuid)
        self.put("/CMD/virsh-list", "\n".join(listed) + "\n")

    def lay(self, case):
        """Lay the files of a case over the tree."""
        if "drop" in case:
            self.drop(case["drop"])
        for key, builder in BUILDERS.items():
            if key not in case:
                continue
            given = {str(name): how for name, how in case[key].items()}
            for path, text in builder(**given).items():
                self.put(path if text is not None else f"{path}/", text)
        for path in case:
            if path.startswith("/"):
                self.put(path, case[path])
        for path, (old, new) in case.get("edit", {}).items():
            text, times = re.subn(old, new, (self.root / path[1:]).read_text())
            assert times, f"{path} has no {old}"
            self.put(path, text)
        if "closed" in case:
            self.put("/ERRORS.json", [[x, "EACCES"] for x in case["closed"]])
        times, modes = case.get("times", {}), case.get("modes", {})
        for path in (*times, *modes):
            if (self.root / path[1:]).is_file():
                self.put(path, (self.root / path[1:]).read_bytes())
        for path in modes:
            (self.root / path[1:]).chmod(modes[path])
        # After all files: writing one changes the time of its folder.
        for path in times:
            if (self.root / path[1:]).exists():
                os.utime(self.root / path[1:], (times[path], times[path]))
        if "pre_step" in case:
            found = facts.binaries(HostRoot(str(self.root)))
            left = {"/run/nova-vhard/binaries.json": found}
            for path, text in (left | case["pre_step"]).items():
                self.put(path, text)

    def put_back(self):
        """Undo all that was laid over the tree."""
        for place, kept in reversed(self._moved):
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
            if os.path.lexists(kept):
                kept.rename(place)
        self._moved.clear()


@pytest.fixture(scope="module")
def tree_of(tmp_path_factory):
    """Return what makes a host's tree, each once."""
    made = {}

    def tree(kind="empty", name=""):
        if (kind, name) not in made:
            folder = tmp_path_factory.mktemp(kind)
            root = HOSTS[kind](name, folder / "host")
            (folder / "kept").mkdir()
            made[kind, name] = Tree(root, folder / "kept")
        return made[kind, name]

    return tree


@functools.cache
def sentences(file):
    """Return the results of the checks in each case of a file."""
    path = CASES / f"{file}.golden"
    return json.loads(path.read_text()) if path.exists() else {}


class Closed(HostRoot):
    """A host with a file that this user cannot read."""

    path = None

    def open(self, path):
        if path == self.path:
            raise Unreadable(path, PermissionError(errno.EACCES, "closed"))
        return super().open(path)


def shipped(name):
    """Return the Expected of a shipped policy."""
    policy = document.load(document.shipped(name))
    refused, machines = hosts.refused(policy), hosts.machines(policy)
    return Expected(policy=True, refused=refused, machines=machines)


def host_of(tree, case):
    """Return the Host of a tree, with the settings of a case."""
    root = Closed(str(tree.root))
    root.path = case.get("closed_to_users")
    asked = libvirt.of_tree(root, None)
    if "libvirt" in case:
        asked = libvirt.NoLibvirt(case["libvirt"])
    expected = {
        name: frozenset(value) if isinstance(value, list) else value
        for name, value in case.get("expected", {}).items()
    }
    by_policy = shipped(case["policy"]) if "policy" in case else Expected()
    return Host(root, asked, replace(by_policy, **expected))


def answer(name, host):
    """Return the result of a check, and its messages."""
    result, own = CHECKS[name].run(host), CHECKS[name].remediation
    assert "check failed" not in result.reason
    doubted = result.status in (Status.FAIL, Status.UNKNOWN)
    assert bool(result.remediation) is doubted
    # A check's own remediation is only for a host that fails the check.
    assert result.status is not Status.UNKNOWN or result.remediation != own
    said = [result.reason, *result.evidence]
    if result.remediation not in (None, own):
        said.append(f"-> {result.remediation}")
    return result.status.value, said


@pytest.mark.parametrize(("file", "case"), ALL)
def test_a_case(tree_of, request, file, case):
    tree = tree_of(*case.get("host", ()))
    wanted = {name: case[name] for name in CHECKS if name in case}
    assert wanted
    assert {key for key in case if not key.startswith("/")} <= KEYS
    try:
        tree.lay(case)
        host = host_of(tree, case)
        found = {name: answer(name, host) for name in wanted}
    finally:
        tree.put_back()
    assert {name: status for name, (status, _) in found.items()} == wanted
    said = {name: text for name, (_, text) in found.items()}
    kept, title = sentences(file), request.node.callspec.id
    if WRITE:
        kept[title] = said
        text = json.dumps(kept, indent=1, ensure_ascii=False)
        (CASES / f"{file}.golden").write_text(f"{text}\n")
    assert said == kept[title]


def test_no_sentences_are_left_of_a_case_that_is_gone():
    files = [path.stem for path in CASES.glob("*.golden")]
    titles = {title for file in files for title in sentences(file)}
    assert titles == {each.id for each in ALL}
