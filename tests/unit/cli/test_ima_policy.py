# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard host ima-policy``: what it writes, and what it refuses."""

import hashlib
import json
import os
import stat

import pytest
from osc_lib.exceptions import CommandError

from nova_vhard.osc.host import boot_reference, measured
from nova_vhard.osc.host.ima_policy import WriteImaPolicy
from tests.trees import capture
from tests.unit.cli.desk import run

QEMU = "/usr/bin/qemu-system-x86_64"
REFERENCE = '{"kernels": [{}], "scrtm_and_bios": [{"scrtm": {"a": "b"}}]}'
LOG = "sys/kernel/security/tpm0/binary_bios_measurements"


class Tree:
    """A host's tree, as somebody captured it."""

    def __init__(self, folder):
        self.root = folder / "root"
        self.output = folder / "policy.json"
        self.file(QEMU, "qemu")
        self.file("/opt/nova-vhard/bin/nova-vhard-guard", "guard")
        self.file("/etc/libvirt/hooks/qemu.d/nova-vhard", "hook")
        self.package("qemu-system-x86:amd64", "/.", "/usr", "/usr/bin", QEMU)

    def path(self, path):
        return self.root / path.lstrip("/")

    def file(self, path, text):
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def link(self, path, target):
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def package(self, name, *paths):
        listed = "".join(f"{path}\n" for path in paths)
        self.file(f"/var/lib/dpkg/info/{name}.list", listed)

    def write(self, *words):
        root = ("--root", str(self.root), "--output", str(self.output))
        return run(WriteImaPolicy, *root, *words)

    def digests(self, *words):
        self.write(*words)
        return json.loads(self.output.read_text())["digests"]


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def of(text, algorithm="sha256"):
    return [hashlib.new(algorithm, text.encode()).hexdigest()]


def test_ours_and_qemus_files(tree):
    done = tree.write()
    assert (done.status, done.out) == (0, "")
    assert done.err == f"{tree.output}: 3 files\n"
    policy = json.loads(tree.output.read_text())
    assert policy.pop("meta").keys() == {"version", "generator", "timestamp"}
    assert policy == {
        "release": 0,
        "digests": {
            "/etc/libvirt/hooks/qemu.d/nova-vhard": of("hook"),
            "/opt/nova-vhard/bin/nova-vhard-guard": of("guard"),
            QEMU: of("qemu"),
        },
        "excludes": [],
        "keyrings": {},
        "ima": {
            "ignored_keyrings": [],
            "log_hash_alg": "sha1",
            "dm_policy": None,
        },
        "ima-buf": {},
        "verification-keys": "",
    }
    assert stat.S_IMODE(tree.output.stat().st_mode) == 0o644


def test_another_algorithm_and_what_is_not_judged(tree):
    tree.write("--algorithm", "sha512", "--exclude", "/tmp/.*")
    policy = json.loads(tree.output.read_text())
    assert policy["digests"][QEMU] == of("qemu", "sha512")
    assert policy["excludes"] == ["/tmp/.*"]


def test_what_is_measured_and_not_judged_is_said(tree):
    done = tree.write("--exclude", "/usr/.*", "--exclude", "/opt/none")
    assert done.err == (
        f"{tree.output}: 3 files; 1 of them can be replaced without a word, "
        f"by --exclude: {QEMU}\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        # as by a variable of a script that is not set
        [""],
        [".*"],
        ["/usr|/opt", "/etc"],
        ["a|"],
        # Keylime looks from the start, not to the end
        ["/"],
    ],
)
def test_nothing_is_judged(tree, words):
    with pytest.raises(CommandError, match="Keylime would judge nothing"):
        tree.write(*(f"--exclude={word}" for word in words))
    assert not tree.output.exists()


@pytest.mark.parametrize(
    "words", [["(?i)/tmp"], ["a)|(b"], ["(?P<x>a)", "(?P<x>b)"], [r"/a(", ")"]]
)
def test_expressions_that_keylime_cannot_join(tree, words):
    with pytest.raises(CommandError, match="write a regular expression"):
        tree.write(*(f"--exclude={word}" for word in words))
    assert not tree.output.exists()


def test_packages_by_name_and_by_a_list(tree, tmp_path):
    tree.file("/usr/bin/bash", "bash")
    tree.file("/usr/bin/dash", "dash")
    tree.package("bash", "/usr/bin/bash", "/usr/share/doc/bash/gone")
    tree.package("dash", "/usr/bin/dash")
    listed = tmp_path / "list"
    listed.write_text("bash\nbash\n\n")
    words = ("--folder", "/opt", "--package", "dash")
    assert set(tree.digests(*words, "--package-list", str(listed))) == {
        "/opt/nova-vhard/bin/nova-vhard-guard",
        "/usr/bin/bash",
        "/usr/bin/dash",
    }
    done = tree.write(*words, "--package-list", str(listed))
    assert done.err.endswith("3 files; 1 paths of the packages lead nowhere\n")


def test_a_link_stands_for_what_it_leads_to_and_leads_nowhere_else(tree):
    # given a merged /usr, an interpreter by a link, and links out of the tree
    tree.link("/bin", "usr/bin")
    tree.file("/usr/bin/python3.13", "python")
    tree.link("/opt/nova-vhard/bin/python3", "/usr/bin/python3.13")
    tree.link("/opt/nova-vhard/out", "../../../../../../etc/passwd")
    tree.link("/opt/nova-vhard/absolute", "/etc/hostname")
    tree.link("/opt/nova-vhard/loop", "/opt/nova-vhard/loop2")
    tree.link("/opt/nova-vhard/folder", "/usr")
    tree.package("qemu-system-x86:amd64", "/bin/qemu-system-x86_64")
    assert set(tree.digests()) == {
        "/etc/libvirt/hooks/qemu.d/nova-vhard",
        "/opt/nova-vhard/bin/nova-vhard-guard",
        "/usr/bin/python3.13",
        QEMU,
    }


def test_what_is_no_plain_file_is_left_out(tree):
    os.mkfifo(tree.path("/opt/nova-vhard/pipe"))
    assert len(tree.digests()) == 3


def test_rpm(tree, monkeypatch, tmp_path):
    tree.file("/usr/libexec/qemu-kvm", "kvm")
    tree.path("/var/lib/dpkg/info/qemu-system-x86:amd64.list").unlink()
    tree.file("/usr/lib/sysimage/rpm/rpmdb.sqlite", "")
    commands = []

    def output(command, seconds):
        commands.append(command)
        return "qemu-kvm\n" if "-qa" in command else "/usr/libexec/qemu-kvm\n"

    monkeypatch.setattr(measured, "output", output)
    assert "/usr/libexec/qemu-kvm" in tree.digests()
    place = str(tree.path("/usr/lib/sysimage/rpm"))
    assert all(
        it[:3] == ("/usr/bin/rpm", "--dbpath", place) for it in commands
    )

    def failed(command, seconds):
        raise measured.Failed("ended with 1: error: cannot open Packages")

    monkeypatch.setattr(measured, "output", failed)
    with pytest.raises(CommandError, match="cannot open Packages"):
        tree.write()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--package", "none"), "package 'none' is not installed in "),
        (("--package", "../bash"), "package '../bash' is not installed in "),
        (("--package", "--root=/"), "'--root=/' is not installed"),
        (
            ("--folder", "/none"),
            "/none: cannot be read: No such file or directory; name what",
        ),
        (("--exclude", "("), "write a regular expression"),
        (("--package-list", "/none"), "/none: cannot be read: No such"),
        (("--package-list", "/dev/null"), "/dev/null names no package"),
        (("--root", "/dev"), "/dev: /opt/nova-vhard: cannot be read: No such"),
        (
            ("--output", "/none/policy"),
            "/none/policy: cannot be written: No such",
        ),
        (("--boot-log", "/none"), "/none: cannot be read: No such file"),
        (("--boot-log", "/etc/passwd"), "/etc/passwd is no boot event log"),
    ],
)
def test_what_is_refused_is_a_line(tree, words, text):
    words = [f"{words[0]}={words[1]}"]
    with pytest.raises(CommandError) as refused:
        tree.write(*words)
    assert text in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not tree.output.exists()


def test_a_host_without_qemu_and_one_without_a_database(tree):
    listed = tree.path("/var/lib/dpkg/info/qemu-system-x86:amd64.list")
    listed.rename(listed.with_name("bash.list"))
    with pytest.raises(CommandError, match=r"no package of .* begins with"):
        tree.write()
    listed.with_name("bash.list").unlink()
    with pytest.raises(CommandError, match="it is no host, or of another"):
        tree.write()


@pytest.mark.parametrize(
    ("name", "limit"), [("_MOST", 2), ("_SIZE", 3), ("_LIST", 9)]
)
def test_limits(tree, monkeypatch, name, limit):
    monkeypatch.setattr(measured, name, limit)
    with pytest.raises(CommandError, match=f"more than {limit}"):
        tree.write()


def test_a_folder_that_is_too_deep(tree, monkeypatch):
    monkeypatch.setattr(measured, "_DEPTH", 1)
    with pytest.raises(CommandError, match="has more than 1 levels"):
        tree.write()


@pytest.fixture
def log(tmp_path):
    return os.path.join(capture("vtd-tpm", tmp_path / "captured"), LOG)


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Have a keylime-policy in the PATH that does what a test wants."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def make(script):
        path = folder / "keylime-policy"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return make


def test_a_boot_reference_is_keylimes_own(tree, log, tool, tmp_path):
    tool(f"""echo "$*" >{tmp_path}/words; echo '{REFERENCE}' >"$6" """)
    done = tree.write("--boot-log", log, "--without-secure-boot")
    assert done.err == f"{tree.output}: a boot reference\n"
    assert json.loads(tree.output.read_text()) == json.loads(REFERENCE)
    words = (tmp_path / "words").read_text().split()
    assert words[:4] == ["create", "measured-boot", "--eventlog-file", log]
    assert words[-1] == "--without-secureboot"


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("echo no tpm2_eventlog; exit 1", "ended with 1: no tpm2_eventlog"),
        ("echo hello", "it wrote no reference: .*hello"),
        ('echo "[]" >"$6"', "it wrote no reference"),
        ('echo "{" >"$6"', "it wrote no reference"),
        (r"""echo '{"kernels": [{}]}' >"$6" """, "lacks the firmware"),
        (r"""echo '{"scrtm_and_bios": []}' >"$6" """, "lacks the firmware"),
    ],
)
def test_a_tool_that_writes_none(tree, log, tool, script, text):
    tool(script)
    with pytest.raises(CommandError, match=text):
        tree.write("--boot-log", log)
    assert not tree.output.exists()


def test_without_keylimes_tool(tree, log, monkeypatch):
    monkeypatch.setattr(boot_reference.shutil, "which", lambda name: None)
    with pytest.raises(CommandError, match="keylime-policy is not in the"):
        tree.write("--boot-log", log)
