# SPDX-License-Identifier: Apache-2.0
"""Checks: tests that the tables in cases do not cover."""

import datetime
import json
import os
import pathlib
import re
import shutil

import pytest

from nova_vhard.conf import guard
from nova_vhard.guard import probe
from nova_vhard.host import report
from nova_vhard.host.check import Check, Status
from nova_vhard.host.evidence import MAX_EVIDENCE
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import guard_proof, libvirt
from nova_vhard.host.libvirt.running import Target
from nova_vhard.host.mac import apparmor
from nova_vhard.host.pci.pci import Kind, devices
from nova_vhard.host.processes.check_process import in_process
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.host.tpm import event_log
from nova_vhard.reporter import facts
from tests import trees
from tests.trees import CAPTURES, build, capture
from tests.unit.host import mac_trees, tpm_logs
from tests.unit.host.hardened import WHOLE, process
from tests.unit.host.test_cases import ALL, CHECKS, HOSTS
from tests.unit.host.tpm_logs import GOOD, LOG

TPM = CHECKS["tpm_measured_boot"]
PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN

#: These are states of guests, not of a host.
GUESTS = {"apparmor-domains", "selinux-domains-permissive"}


def test_every_capture_is_expected_to_say_something():
    names = {path.name.removesuffix(".tar.gz") for path in CAPTURES.iterdir()}
    cases = [each.values[1] for each in ALL if each.values[0] == "captures"]
    assert names == {case["host"][1] for case in cases} | GUESTS


XEN = {
    **trees.pci_host({"0": ["0000:00:10.0"]}),
    "/sys/hypervisor/type": "xen\n",
    "/sys/hypervisor/guest_type": "PV\n",
    "/sys/hypervisor/uuid": "",
}


@pytest.mark.parametrize(
    ("content", "statuses"),
    # A host under Xen; a host without any files.
    [(XEN, {UNKNOWN}), ({}, {UNKNOWN, Status.NOT_APPLICABLE})],
    ids=["xen", "nothing"],
)
def test_no_check_passes_where_the_host_cannot_be_seen(
    tmp_path, content, statuses
):
    host = Host(HostRoot(build(tmp_path, content)))
    assert {each.run(host).status for each in CHECKS.values()} <= statuses


# The evidence of a check: limited, sanitized, and separate for each check.

MANY = tuple(map(str, range(MAX_EVIDENCE + 3)))


@pytest.mark.parametrize(
    ("last", "first", "lines"),
    [
        (("a", "b"), (), ("a", "b")),
        (("a", "b"), ("c", "d"), ("c", "d", "a", "b")),
        (("a", "b", "a"), ("b",), ("a", "b")),
        (("a\x1b[31m\n\udcff\u202eb",), (), ("a[31mb",)),
        (("x" * 10_000,), (), ("x" * 999 + "…",)),
        (MANY, (), (*MANY[:MAX_EVIDENCE], "and 3 more")),
        (MANY, ("a",), ("a", *MANY[: MAX_EVIDENCE - 1], "and 4 more")),
    ],
)
def test_lines(tmp_path, last, first, lines):
    root = HostRoot(str(tmp_path))
    root.note(*last)
    root.note(*first, first=True)
    assert root.evidence.lines() == lines


def test_what_is_read_is_evidence_and_what_is_looked_at_is_not(tmp_path):
    content = {"/a": " 1\n2\n", "/b": "3", "/c": "x" * 1000}
    root = HostRoot(build(tmp_path, content))
    assert [root.read("/a"), root.read("/c")] == ["1\n2", "x" * 1000]
    seen = (root.peek("/b"), root.maybe("/b"), *root.lines("/b"))
    assert seen == ("3",) * 3
    with pytest.raises(Unreadable):
        root.read("/gone")
    assert root.evidence.lines() == ("/a: 1 2", f"/c: {'x' * 119}…")


class Reads(Check):
    """Read some files."""

    def __init__(self, *paths):
        self.name, self.paths = paths[0], paths

    def answer(self, host):
        return PASS, "".join(map(host.root.read, self.paths))


def test_a_check_that_cannot_read_leaves_nothing_to_the_next(tmp_path):
    host = Host(HostRoot(build(tmp_path, {"/a": "1", "/b": "2"})))
    result = Reads("/a", "/gone").run(host)
    assert (result.status, result.evidence) == (UNKNOWN, ("/a: 1",))
    assert result.reason == "cannot be read: /gone: No such file or directory"
    assert Reads("/b").run(host).evidence == ("/b: 2",)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("capture", "vtd-tpm"),
        ("capture", "smmuv3"),
        ("capture", "apparmor-host"),
        ("emulator", ""),
    ],
)
def test_in_one_round_each_check_has_the_evidence_that_it_has_alone(
    tmp_path, kind, name
):
    tree = HOSTS[kind](name, tmp_path)

    def host():
        root = HostRoot(tree)
        return Host(root, libvirt.of_tree(root, None))

    checks = report.load()
    together = [result for result, _ in in_process(host(), checks)]
    assert together == [check.run(host()) for check in checks]


# guard_in_force: proofs of different ages.

PROOF = f"{guard_proof.FOLDER}/{guard_proof.FILE}"
GUARDED = probe.Proof(True, "libvirt asks the guard")
NO_FILE = probe.Proof(False, "no storage file")


@pytest.mark.parametrize(
    ("result", "mode", "seconds", "fields", "status", "text"),
    [
        (GUARDED, "enforce", 0, {}, PASS, "refuses"),
        (GUARDED, "warn", 0, {}, FAIL, "mode warn"),
        (GUARDED, "audit", 0, {}, FAIL, "mode audit"),
        (GUARDED, "disabled", 0, {}, FAIL, "mode disabled"),
        (NO_FILE, "enforce", 0, {}, FAIL, "without asking"),
        (GUARDED, "enforce", 1790, {}, PASS, "refuses"),
        (GUARDED, "enforce", 1810, {}, UNKNOWN, "may not be running"),
        (GUARDED, "enforce", -3600, {}, UNKNOWN, "may not be running"),
        # Invalid fields.
        *(
            (GUARDED, "enforce", 0, fields, UNKNOWN, "")
            for fields in (
                {"version": 2},
                {"time": "now"},
                {"time": "2026-01-01T00:00:00"},
                {"valid": "x"},
                {"valid": 1e300},
                {"mode": None, "time": None},
            )
        ),
    ],
)
def test_a_proof(tmp_path, result, mode, seconds, fields, status, text):
    """The guard left the proof this many seconds ago."""
    probe.leave(str(tmp_path), result, mode, 1800)
    content = json.loads((tmp_path / guard_proof.FILE).read_text())
    now = datetime.datetime.now(datetime.UTC)
    content["time"] = (now - datetime.timedelta(seconds=seconds)).isoformat()
    files = {
        PROOF: json.dumps(content | fields),
        guard_proof.HOOK: "#!/bin/sh",
    }
    root = HostRoot(build(tmp_path / "root", files))
    answer = CHECKS["guard_in_force"].run(Host(root))
    assert (answer.status, text in answer.reason) == (status, True)
    assert fields or any(PROOF in fact for fact in answer.evidence)


def test_the_proof_is_where_the_guard_leaves_it():
    defaults = {option.dest: option.default for option in guard.OPTS}
    assert defaults["run_dir"] == guard_proof.FOLDER
    assert guard_proof.HOOK.startswith(defaults["hooks_dir"])


# Confinement.


@pytest.mark.parametrize(
    ("left", "loose"),
    [
        ('{"apparmor_template": ["attach_disconnected"]}', False),
        ('{"apparmor_template": ["complain"]}', True),
        ("{}", None),
        (None, None),
    ],
)
def test_the_template_in_a_container_comes_from_the_pre_step(
    tmp_path, left, loose
):
    content = {"/run/nova-vhard/qemu.json": left} if left else {}
    host = Host(HostRoot(build(tmp_path, content)))
    target = Target(host.root, apparmor.TEMPLATE, "", place=("0:9", "/x"))
    try:
        found = bool(set(apparmor.template(host, target)) & apparmor.LOOSE)
    except Unreadable:
        found = None
    assert found is loose


def test_the_pre_step_leaves_what_an_ordinary_user_needs(tmp_path):
    root = mac_trees.apparmor("require-confined", tmp_path)
    host, conf = HostRoot(str(root)), root / "etc/libvirt/qemu.conf"
    conf.write_text(f'{conf.read_text()}\nvnc_password = "SECRET"\n')
    template = "profile LIBVIRT_TEMPLATE flags=(complain) {\n}\n"
    build(root, {apparmor.TEMPLATE: template})
    assert json.loads(facts.qemu(host)) == {
        "security_driver": ["apparmor"],
        "security_default_confined": True,
        "security_require_confined": True,
        "seccomp_sandbox": True,
        "clear_emulator_capabilities": True,
        "namespaces": ["mount"],
        "migrate_tls_force": False,
        "vnc_tls": False,
        "vnc_tls_x509_verify": False,
        "vnc_sasl": False,
        "vnc_password": True,
        "apparmor_template": ["complain", "flags"],
        "changed": int(conf.stat().st_mtime),
    }
    conf.write_text("security_driver\n")
    with pytest.raises(Unreadable, match="line 1 is not a setting"):
        facts.qemu(host)
    conf.unlink()
    (root / "etc/libvirt/qemu").mkdir()
    assert json.loads(facts.qemu(host))["security_default_confined"] is True


def test_this_machine_has_a_whole_process_table():
    """Read the live /proc of the machine that runs the tests."""
    assert "check failed" not in CHECKS["mac_guests"].run(Host()).reason


def test_labels_are_attributes_of_files(tmp_path):
    """On a live host, the kernel resolves the links below the root."""
    root = HostRoot(build(tmp_path, {"/real": "", "/link": "-> /real"}))
    label = "system_u:object_r:svirt_image_t:s0:c835,c966"
    os.setxattr(tmp_path / "real", "user.selinux", f"{label}\0".encode())
    assert root.attribute("/link", "user.selinux") == label
    with pytest.raises(Unreadable, match="/link: No data available"):
        root.attribute("/link", "user.nothing")


def test_the_kernel_is_asked_in_its_own_files_only(tmp_path):
    (tmp_path / "access").write_text("precious")
    with pytest.raises(Unreadable, match="not a file of selinuxfs"):
        HostRoot(str(tmp_path)).ask("/access", "a question")
    assert (tmp_path / "access").read_text() == "precious"


@pytest.mark.parametrize("name", ["migration_encrypted", "guest_cage"])
def test_daemons_that_end_while_they_are_looked_at(
    tmp_path, monkeypatch, name
):
    """The daemon's successor is judged by the files on the host."""
    content = {
        **WHOLE,
        **process(1, ["/sbin/init"]),
        **process(50, ["/usr/sbin/libvirtd"]),
        **trees.facts(),
        "/etc/libvirt/qemu.conf": "seccomp_sandbox = 0\n",
    }
    host, read = Host(HostRoot(build(tmp_path, content))), HostRoot.peek

    def gone(self, path, *limit):
        if path == "/proc/50/mountinfo":
            shutil.rmtree(tmp_path / "proc/50", ignore_errors=True)
        return read(self, path, *limit)

    monkeypatch.setattr(HostRoot, "peek", gone)
    assert CHECKS[name].run(host).status is FAIL


# Offered devices: their types, and large numbers of devices.


def test_types_are_those_that_libvirt_tells(tmp_path):
    """Nova uses the types of libvirt's node devices, which were captured."""
    root = capture("vtd-on", tmp_path)
    text = pathlib.Path(root, "CMD/virsh-nodedev").read_text()
    told = {
        re.search("<path>.*/(.*)</path>", each)[1]: (
            "'virt_functions'" in each,
            "'phys_function'" in each,
        )
        for each in text.split("<device>")[1:]
    }
    kinds = {each.address: each.kind for each in devices(HostRoot(root))}
    functions = {Kind.PF: (True, False), Kind.VF: (False, True)}
    assert {
        address: functions.get(kind, (False, False))
        for address, kind in kinds.items()
    } == {address: told[address] for address in kinds}
    assert [*kinds.values()].count(Kind.VF) == 4


# A TPM 2.0, its boot event log, and the pre-step's results on them. The table
# of logs is in tpm_logs.py.


@pytest.mark.parametrize(
    ("content", "first"),
    # A byte without the name of a locality does not count.
    [
        *((b"\x03", "0" * 64), (b"xStartupLocality\0\x03", "0" * 64)),
        (b"StartupLocality\0\x03", "0" * 63 + "3"),
    ],
)
def test_where_the_firmware_began_is_part_of_the_first_register(
    content, first
):
    measured = tpm_logs.event(0, bytes(32), kind=3, content=content)
    assert event_log.replay(tpm_logs.HEAD + measured)["sha256"][0] == first


def test_a_changed_digest_of_a_real_log_is_noticed(tmp_path):
    root = capture("vtd-tpm", tmp_path)
    place = pathlib.Path(root, LOG[1:])
    content = place.read_bytes()
    place.chmod(0o600)
    for start in range(200, len(content) - 32, 997):
        changed = bytearray(content)
        changed[start] ^= 1
        place.write_bytes(changed)
        # The digests of a bank that is disabled in the TPM cannot be compared,
        # and only the digests of an event are measured.
        if TPM.run(Host(HostRoot(root))).status is PASS:
            replays = map(event_log.replay, (content, bytes(changed)))
            assert len({str(each["sha256"]) for each in replays}) == 1


PCRS = tpm_logs.BARE | tpm_logs.PCRS
WITHOUT = {path: PCRS[path] for path in PCRS.keys() - {tpm_logs.LSM}}
MODE = {"/sys/module/apparmor/parameters/mode": "enforce\n"}


@pytest.mark.parametrize(
    ("content", "replays", "status", "step"),
    [
        (PCRS | MODE | {LOG: GOOD}, {"tpm0": tpm_logs.REPLAY}, PASS, ""),
        (PCRS | {LOG: tpm_logs.SHA1}, None, UNKNOWN, "tpm2_pcrallocate"),
        # No log: firmware wrote none, or the pre-step could not see it.
        (PCRS, None, FAIL, "Boot with UEFI"),
        (WITHOUT, None, UNKNOWN, "facts as root"),
        ({tpm_logs.LSM: ""}, None, UNKNOWN, "facts as root"),
        ({}, {}, UNKNOWN, "facts as root"),
    ],
)
def test_what_the_pre_step_leaves(tmp_path, content, replays, status, step):
    text = facts.kernel(HostRoot(build(tmp_path / "root", content)))
    said = json.loads(text)
    if replays is not None:
        assert said["tpm_replays"] == replays
    assert said.get("apparmor_mode") == ("enforce" if replays else None)
    closed = {"/ERRORS.json": json.dumps([[LOG, "EACCES"]])}
    user = {**PCRS, **closed, LOG: GOOD, tpm_logs.LEFT: text}
    result = TPM.run(Host(HostRoot(build(tmp_path / "user", user))))
    assert result.status is status
    assert step in (result.remediation or "")
