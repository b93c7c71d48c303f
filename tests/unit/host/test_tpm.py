# SPDX-License-Identifier: Apache-2.0
"""A TPM 2.0 and its boot event log, and what the pre-step leaves of them."""

import hashlib
import json
import os
import pathlib
import struct

import pytest

from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot
from nova_vhard.host.tpm import event_log
from nova_vhard.reporter import facts
from tests.trees import build, capture
from tests.unit.host import test_cases

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
CHECK = test_cases.CHECKS["tpm_measured_boot"]

FOLDER = "/sys/class/tpm/tpm0"
MAJOR = f"{FOLDER}/tpm_version_major"
LOG = "/sys/kernel/security/tpm0/binary_bios_measurements"
LEFT = "/run/nova-vhard/kernel.json"
BARE = {"/sys/kernel/security/lsm": "capability", MAJOR: "2\n"}
SHA256 = 11


def head(*banks):
    listed = b"".join(struct.pack("<HH", *each) for each in banks)
    content = b"Spec ID Event03\0" + bytes(8)
    content += struct.pack("<I", len(banks)) + listed + b"\0"
    return struct.pack("<II20xI", 0, 3, len(content)) + content


def event(pcr, digest, kind=8, number=SHA256, content=b"x"):
    fixed = struct.pack("<IIIH", pcr, kind, 1, number)
    return fixed + digest + struct.pack("<I", len(content)) + content


DIGEST = hashlib.sha256(b"measured").digest()
HEAD = head((SHA256, 32))
SHA1 = head((4, 20)) + event(4, bytes(20), number=4)
GOOD = HEAD + event(4, DIGEST) + event(9, DIGEST)
EXTENDED = hashlib.sha256(bytes(32) + DIGEST).hexdigest()
PCRS = {f"{FOLDER}/pcr-sha256/{pcr}": "0" * 64 for pcr in range(8)}
PCRS[f"{FOLDER}/pcr-sha256/4"] = EXTENDED.upper()


EMPTY = dict.fromkeys(PCRS, "0" * 64)
BEGUN = {f"{FOLDER}/pcr-sha256/0": "0" * 63 + "3"}
LOCALITY = event(0, bytes(32), kind=3, content=b"StartupLocality\0\x03")


def errors(path, name="EACCES"):
    return {"/ERRORS.json": json.dumps([[path, name]])}


def tree(folder, content, log=GOOD):
    root = build(folder, content)
    if log is not None:
        place = pathlib.Path(root, LOG[1:])
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(log)
    return HostRoot(root)


def left(replay):
    return {LEFT: json.dumps({"tpm_replays": {"tpm0": replay}})}


REPLAY = {"sha256": {str(pcr): "0" * 64 for pcr in range(8)} | {"4": EXTENDED}}
WRONG = {"sha256": {str(pcr): "0" * 64 for pcr in range(8)}}
CLOSED = errors(LOG)


@pytest.mark.parametrize(
    ("content", "log", "status", "step"),
    [
        (BARE | PCRS, GOOD, PASS, ""),
        ({"/sys/class/net": None}, None, FAIL, ""),
        ({"/sys/class/tpm": None}, None, FAIL, ""),
        (BARE | PCRS | {MAJOR: "1\n"}, GOOD, FAIL, ""),
        (BARE | PCRS, None, FAIL, ""),
        # The log is of another boot, or of somebody else.
        (BARE | PCRS, HEAD + event(4, bytes(32)), FAIL, ""),
        (BARE | PCRS, HEAD, FAIL, ""),
        (BARE | PCRS, GOOD + event(7, DIGEST), FAIL, ""),
        # An event that is not a measurement; a later one of the host's own.
        (BARE | PCRS, GOOD + event(7, DIGEST, kind=3), PASS, ""),
        (BARE | PCRS, GOOD + event(11, DIGEST), PASS, ""),
        # Nothing was measured: the registers are as the power left them.
        (BARE | EMPTY, HEAD, FAIL, ""),
        (BARE | EMPTY, HEAD + event(9, DIGEST), FAIL, ""),
        (BARE | EMPTY | BEGUN, HEAD + LOCALITY, FAIL, ""),
        (BARE | EMPTY | CLOSED | left(WRONG), GOOD, FAIL, ""),
        # Nothing, a byte, a header, half an event, another format.
        (BARE | PCRS, b"", UNKNOWN, ""),
        (BARE | PCRS, b"\0", UNKNOWN, ""),
        (BARE | PCRS, HEAD[:-3], UNKNOWN, ""),
        (BARE | PCRS, GOOD[:-1], UNKNOWN, ""),
        (BARE | PCRS, HEAD + event(4, bytes(20), number=4), UNKNOWN, ""),
        (BARE | PCRS, SHA1, UNKNOWN, "tpm2_pcrallocate"),
        (BARE | PCRS, bytes(64), UNKNOWN, ""),
        (BARE | PCRS, b"\xff" * 4096, UNKNOWN, ""),
        # The TPM does not answer: the kernel's files have no text then.
        (BARE | dict.fromkeys(PCRS, ""), GOOD, UNKNOWN, "tpm2_pcrread"),
        (BARE | PCRS | {f"{FOLDER}/pcr-sha256/7": "\n"}, GOOD, UNKNOWN, ""),
        (BARE | PCRS | {f"{FOLDER}/pcr-sha256/7": "F" * 64}, GOOD, FAIL, ""),
        # The kernel does not show the registers.
        (BARE, GOOD, UNKNOWN, ""),
        # Read by root alone.
        (BARE | PCRS | CLOSED, GOOD, UNKNOWN, ""),
        (BARE | PCRS | CLOSED | left(REPLAY), GOOD, PASS, ""),
        (BARE | PCRS | CLOSED | left(WRONG), GOOD, FAIL, ""),
        (BARE | PCRS | CLOSED | left("cut off"), GOOD, UNKNOWN, ""),
        (BARE | PCRS | CLOSED | {LEFT: "[" * 200_000}, GOOD, UNKNOWN, ""),
        (BARE | PCRS | CLOSED | left({"sha256": 7}), GOOD, UNKNOWN, ""),
        (BARE | PCRS | CLOSED | left({"sha256": {"4": "zz"}}), GOOD, FAIL, ""),
        (BARE | PCRS | CLOSED | left(None), GOOD, FAIL, ""),
        # It ran before the driver, or where securityfs was not mounted.
        (
            BARE | PCRS | CLOSED | {LEFT: '{"tpm_replays": {}}'},
            GOOD,
            UNKNOWN,
            "",
        ),
        (
            BARE | PCRS | CLOSED | {LEFT: '{"tpm_replays": []}'},
            GOOD,
            UNKNOWN,
            "",
        ),
        (
            BARE | PCRS | CLOSED | {LEFT: '{"tpm_event_logs": ["tpm0"]}'},
            GOOD,
            UNKNOWN,
            "",
        ),
        # securityfs is not mounted; an old kernel.
        ({MAJOR: "2\n"}, None, UNKNOWN, "Mount securityfs"),
        ({f"{FOLDER}/device/caps": "TCG version: 1.2"}, None, UNKNOWN, ""),
        ({}, None, UNKNOWN, ""),
        (BARE | PCRS | errors("/sys/class/tpm"), GOOD, UNKNOWN, ""),
    ],
)
def test_tpm(tmp_path, content, log, status, step):
    result = CHECK.run(Host(tree(tmp_path, content, log)))
    assert result.status is status
    assert "check failed" not in result.reason
    assert bool(result.remediation) == (status is not PASS)
    assert step in (result.remediation or "")


@pytest.mark.parametrize(
    ("content", "first"),
    # A byte without the name of a locality does not count.
    [(b"\x03", "0" * 64), (b"StartupLocality\0\x03", "0" * 63 + "3")],
)
def test_where_the_firmware_began_is_part_of_the_first_register(
    content, first
):
    log = HEAD + event(0, bytes(32), kind=3, content=content)
    assert event_log.replay(log)["sha256"][0] == first


def test_a_changed_digest_of_a_real_log_is_noticed(tmp_path):
    root = capture("vtd-tpm", tmp_path)
    place = pathlib.Path(root, LOG[1:])
    content = place.read_bytes()
    replay = event_log.replay(content)
    for start in (None, *range(200, len(content) - 32, 997)):
        changed = bytearray(content)
        if start:
            changed[start] ^= 1
        place.unlink()
        place.write_bytes(changed)
        status = CHECK.run(Host(HostRoot(root))).status
        assert start or status is PASS
        # Nobody can compare the digests of a bank that the TPM has off, and
        # what an event says beside its digests is not measured.
        if status is PASS:
            now = event_log.replay(bytes(changed))["sha256"]
            assert now == replay["sha256"]


def test_a_pipe_in_place_of_the_log_does_not_hang(tmp_path):
    root = tree(tmp_path, BARE | PCRS, b"")
    place = os.path.join(root.root, LOG[1:])
    os.unlink(place)
    os.mkfifo(place)
    assert CHECK.run(Host(root)).status is UNKNOWN


LSM = "/sys/kernel/security/lsm"
WITHOUT = {path: text for path, text in (BARE | PCRS).items() if path != LSM}
MODE = {"/sys/module/apparmor/parameters/mode": "enforce\n"}


@pytest.mark.parametrize(
    ("content", "log", "replays", "status", "step"),
    [
        (BARE | PCRS | MODE, GOOD, {"tpm0": REPLAY}, PASS, ""),
        (BARE | PCRS, SHA1, None, UNKNOWN, "tpm2_pcrallocate"),
        # No log: firmware wrote none, or the pre-step could not see it.
        (BARE | PCRS, None, None, FAIL, "Boot with UEFI"),
        (WITHOUT, None, None, UNKNOWN, "nova-vhard-reporter facts as root"),
        ({LSM: ""}, None, None, UNKNOWN, "nova-vhard-reporter facts as root"),
        ({}, None, {}, UNKNOWN, "nova-vhard-reporter facts as root"),
    ],
)
def test_what_the_pre_step_leaves(
    tmp_path, content, log, replays, status, step
):
    text = facts.kernel(tree(tmp_path / "root", content, log))
    said = json.loads(text)
    if replays is not None:
        assert said["tpm_replays"] == replays
    assert said.get("apparmor_mode") == ("enforce" if replays else None)
    user = BARE | PCRS | CLOSED | {LEFT: text}
    result = CHECK.run(Host(tree(tmp_path / "user", user)))
    assert result.status is status
    assert step in (result.remediation or "")


def test_a_log_that_the_pre_step_did_not_see(tmp_path):
    """Its file is there now, and closed to who is not root."""
    root = test_cases.Closed(tree(tmp_path, BARE | PCRS | left(None)).root)
    root.path = LOG
    result = CHECK.run(Host(root))
    assert result.status is UNKNOWN
    assert "facts as root" in result.remediation
