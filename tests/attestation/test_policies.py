# SPDX-License-Identifier: Apache-2.0
"""What ``openstack vhard host ima-policy`` writes, in Keylime's own hands."""

import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys

import pytest
from osc_lib.exceptions import CommandError

from nova_vhard.osc.host.ima_policy import WriteImaPolicy
from tests.attestation.conftest import row
from tests.attestation.keylime import debians_gpg, environment
from tests.trees import capture
from tests.unit.cli.desk import run

LOG = "sys/kernel/security/tpm0/binary_bios_measurements"
QEMU = "/usr/bin/qemu-system-x86_64"
#: Judges a list of IMA's by a policy, as the verifier does.
JUDGE = """\
import json, sys
from keylime.agentstates import AgentAttestState
from keylime.common.algorithms import Hash
from keylime.ima import ima

policy = ima.deserialize_runtime_policy(open(sys.argv[1]).read())
ima.validate_runtime_policy(policy)
ima.verify_runtime_policy(open(sys.argv[1], "rb").read(), verify_sig=False)
ima.runtime_policy_db_contents("ours", json.dumps(policy))
lines = open(sys.argv[2]).read().splitlines()
_, failure = ima.process_measurement_list(
    AgentAttestState("agent"), lines, policy, hash_alg=Hash.SHA1
)
print([event.event_id for event in failure.events])
"""
#: The same of a reference of the boot, by Keylime's policy "example".
BOOT = """\
import json, sys
from keylime.mba import mba
from keylime.mba.elchecking import example, policies

mba.load_imports()
reference = mba.policy_load(sys.argv[1])
assert mba.policy_is_valid(reference)
policies.refstate_to_test("example", json.loads(reference))
print("taken")
"""
KERNEL = hashlib.sha256(b"vmlinuz").digest()


@pytest.fixture
def judged(tmp_path, keylime):
    """Have Keylime's own code judge files; return what it says."""

    def judge(script, *files):
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, files)],
            env=environment(
                tmp_path,
                KEYLIME_DIR=tmp_path,
                KEYLIME_VERIFIER_CONFIG=keylime.folder / "verifier.conf",
            ),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip().splitlines()[-1]

    return judge


def line(path, digest):
    """Return a line of IMA's list, of a file that was started."""
    field = b"sha256:\0" + bytes.fromhex(digest)
    name = path.encode() + b"\0"
    template = hashlib.sha1()
    for part in (field, name):
        template.update(len(part).to_bytes(4, "little") + part)
    return f"10 {template.hexdigest()} ima-ng sha256:{digest} {path}\n"


def write(output, *words):
    return run(WriteImaPolicy, "--output", str(output), *words)


def test_keylime_takes_this_hosts_runtime_policy(judged, tmp_path):
    """Of QEMU and libvirt as Debian's packages have put them here."""
    ours = tmp_path / "opt"
    ours.mkdir()
    (ours / "nova-vhard-guard").write_text("#!/bin/sh\n")
    policy = tmp_path / "policy.json"
    done = write(policy, "--folder", str(ours))
    assert done.status == 0
    digests = json.loads(policy.read_text())["digests"]
    assert str(ours / "nova-vhard-guard") in digests
    assert any(path.endswith("sbin/libvirtd") for path in digests)
    real = hashlib.sha256(pathlib.Path(QEMU).read_bytes()).hexdigest()
    assert digests[QEMU] == [real]
    started = tmp_path / "list"
    # when QEMU is started as it is installed
    started.write_text(line(QEMU, real))
    assert judged(JUDGE, policy, started) == "[]"
    # and when it is another file, or one that nobody knows
    started.write_text(line(QEMU, "0" * 64))
    assert judged(JUDGE, policy, started) == (
        "['ima.validation.ima-ng.runtime_policy_hash']"
    )
    started.write_text(line("/tmp/rootkit", real))
    assert judged(JUDGE, policy, started) == (
        "['ima.validation.ima-ng.not_in_allowlist']"
    )
    row(
        "a runtime policy of this host",
        f"{len(digests)} files; Keylime takes QEMU, and refuses another file",
    )


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """keylime-policy as a package of it would be: with what it imports."""
    folder = tmp_path / "bin"
    folder.mkdir()
    real = pathlib.Path(sys.executable).with_name("keylime-policy")
    script = folder / real.name
    script.write_text(
        f'#!/bin/sh\nPYTHONPATH={debians_gpg(tmp_path)} exec {real} "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def event(pcr, kind, content, digest=None):
    """Return an event of a log, measured by SHA-256."""
    digest = digest or hashlib.sha256(content).digest()
    fixed = struct.pack("<IIIH", pcr, kind, 1, 0x0B)
    return fixed + digest + struct.pack("<I", len(content)) + content


def application(name):
    """Return the event of a program that the firmware has started."""
    text = f"\\\\EFI\\\\debian\\\\{name}\0".encode("utf-16-le")
    path = struct.pack("<BBH", 4, 4, len(text) + 4) + text
    path += struct.pack("<BBH", 0x7F, 0xFF, 4)
    content = struct.pack("<QQQQ", 1 << 20, 4096, 0, len(path)) + path
    return event(4, 0x80000003, content, hashlib.sha256(text).digest())


def uefi_log():
    """Return a log as a UEFI machine without Secure Boot leaves it."""
    spec = b"Spec ID Event03\0" + struct.pack("<IBBBB", 0, 0, 2, 0, 2)
    spec += struct.pack("<IHHB", 1, 0x0B, 32, 0)
    head = struct.pack("<II20sI", 0, 3, bytes(20), len(spec)) + spec
    blob = struct.pack("<QQ", 0x800000, 0x1000)
    return b"".join(
        (
            head,
            event(0, 8, "4.2\0".encode("utf-16-le")),
            event(0, 0x80000008, blob, hashlib.sha256(b"firmware").digest()),
            application("shimx64.efi"),
            application("grubx64.efi"),
            event(8, 0x0D, b"kernel_cmdline: /boot/vmlinuz ro\0"),
            event(9, 0x0D, b"/boot/vmlinuz\0", KERNEL),
            event(9, 0x0D, b"/boot/initrd.img\0"),
        )
    )


def test_keylime_takes_a_boot_reference(judged, tmp_path, tool):
    log = tmp_path / "log"
    log.write_bytes(uefi_log())
    reference = tmp_path / "reference.json"
    words = ("--boot-log", str(log), "--without-secure-boot")
    assert write(reference, *words).status == 0
    (kernel,) = json.loads(reference.read_text())["kernels"]
    assert kernel["vmlinuz_plain_sha256"] == f"0x{KERNEL.hex()}"
    assert judged(BOOT, reference) == "taken"
    row("a boot reference of a log", "Keylime takes it")


def test_a_log_without_a_uefi_firmware_makes_none(tmp_path, tool):
    """As SeaBIOS leaves one: Keylime's tool writes what it cannot use."""
    log = pathlib.Path(capture("vtd-tpm", tmp_path / "captured"), LOG)
    reference = tmp_path / "reference.json"
    with pytest.raises(CommandError, match="lacks the firmware"):
        write(reference, "--boot-log", str(log), "--without-secure-boot")
    assert not reference.exists()
