# SPDX-License-Identifier: Apache-2.0
"""A TPM 2.0 and its boot event log, and what the pre-step leaves of them."""

import errno
import hashlib
import json
import os
import pathlib
import struct

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.host.tpm import event_log
from nova_vhard.reporter import facts
from tests.trees import build, capture

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
(CHECK,) = [each for each in report.load() if each.name == "tpm_measured_boot"]

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
    ("content", "log", "status"),
    [
        (BARE | PCRS, GOOD, PASS),
        ({"/sys/class/net": None}, None, FAIL),
        ({"/sys/class/tpm": None}, None, FAIL),
        (BARE | PCRS | {MAJOR: "1\n"}, GOOD, FAIL),
        (BARE | PCRS, None, FAIL),
        # The log is of another boot, or of somebody else.
        (BARE | PCRS, HEAD + event(4, bytes(32)), FAIL),
        (BARE | PCRS, HEAD, FAIL),
        (BARE | PCRS, GOOD + event(7, DIGEST), FAIL),
        # An event that is not a measurement; a later one of the host's own.
        (BARE | PCRS, GOOD + event(7, DIGEST, kind=3), PASS),
        (BARE | PCRS, GOOD + event(11, DIGEST), PASS),
        # Nothing was measured: the registers are as the power left them.
        (BARE | EMPTY, HEAD, FAIL),
        (BARE | EMPTY, HEAD + event(9, DIGEST), FAIL),
        (BARE | EMPTY | BEGUN, HEAD + LOCALITY, FAIL),
        (BARE | EMPTY | CLOSED | left(WRONG), GOOD, FAIL),
        # Nothing, a byte, a header, half an event, another format.
        (BARE | PCRS, b"", UNKNOWN),
        (BARE | PCRS, b"\0", UNKNOWN),
        (BARE | PCRS, HEAD[:-3], UNKNOWN),
        (BARE | PCRS, GOOD[:-1], UNKNOWN),
        (BARE | PCRS, HEAD + event(4, bytes(20), number=4), UNKNOWN),
        (BARE | PCRS, head((4, 20)) + event(4, bytes(20), number=4), UNKNOWN),
        (BARE | PCRS, bytes(64), UNKNOWN),
        (BARE | PCRS, b"\xff" * 4096, UNKNOWN),
        # The TPM does not answer: the kernel's files have no text then.
        (BARE | dict.fromkeys(PCRS, ""), GOOD, UNKNOWN),
        (BARE | PCRS | {f"{FOLDER}/pcr-sha256/7": "\n"}, GOOD, UNKNOWN),
        (BARE | PCRS | {f"{FOLDER}/pcr-sha256/7": "F" * 64}, GOOD, FAIL),
        # The kernel does not show the registers.
        (BARE, GOOD, UNKNOWN),
        # Read by root alone.
        (BARE | PCRS | CLOSED, GOOD, UNKNOWN),
        (BARE | PCRS | CLOSED | left(REPLAY), GOOD, PASS),
        (BARE | PCRS | CLOSED | left(WRONG), GOOD, FAIL),
        (BARE | PCRS | CLOSED | left("cut off"), GOOD, UNKNOWN),
        (BARE | PCRS | CLOSED | {LEFT: "[" * 200_000}, GOOD, UNKNOWN),
        (BARE | PCRS | CLOSED | left({"sha256": 7}), GOOD, UNKNOWN),
        (BARE | PCRS | CLOSED | left({"sha256": {"4": "zz"}}), GOOD, FAIL),
        (BARE | PCRS | CLOSED | left(None), GOOD, FAIL),
        # It ran before the driver, or where securityfs was not mounted.
        (BARE | PCRS | CLOSED | {LEFT: '{"tpm_replays": {}}'}, GOOD, UNKNOWN),
        (BARE | PCRS | CLOSED | {LEFT: '{"tpm_replays": []}'}, GOOD, UNKNOWN),
        (
            BARE | PCRS | CLOSED | {LEFT: '{"tpm_event_logs": ["tpm0"]}'},
            GOOD,
            UNKNOWN,
        ),
        # securityfs is not mounted; an old kernel.
        ({MAJOR: "2\n"}, None, UNKNOWN),
        ({f"{FOLDER}/device/caps": "TCG version: 1.2"}, None, UNKNOWN),
        ({}, None, UNKNOWN),
        (BARE | PCRS | errors("/sys/class/tpm"), GOOD, UNKNOWN),
    ],
)
def test_tpm(tmp_path, content, log, status):
    result = CHECK.run(Host(tree(tmp_path, content, log)))
    assert result.status is status
    assert "check failed" not in result.reason
    assert bool(result.remediation) == (status is not PASS)


def test_a_tpm_that_does_not_answer_is_not_out_of_order(tmp_path):
    root = tree(tmp_path, BARE | dict.fromkeys(PCRS, ""))
    result = CHECK.run(Host(root))
    assert "does not answer" in result.reason
    assert "tpm2_pcrread" in result.remediation


def test_a_log_of_sha1_alone_has_a_step_of_its_own(tmp_path):
    log = head((4, 20)) + event(4, bytes(20), number=4)
    root = tree(tmp_path, BARE | PCRS, log)
    assert "tpm2_pcrallocate" in CHECK.run(Host(root)).remediation
    # As the pre-step leaves it.
    kernel = facts.kernel(root)
    root = tree(tmp_path / "b", BARE | PCRS | CLOSED | {LEFT: kernel}, log)
    assert "tpm2_pcrallocate" in CHECK.run(Host(root)).remediation


def test_a_byte_by_itself_is_no_locality():
    log = HEAD + event(0, bytes(32), kind=3, content=b"\x03")
    assert event_log.replay(log)["sha256"][0] == "0" * 64


def test_where_the_firmware_began_is_part_of_the_first_register():
    begun = b"StartupLocality\0\x03"
    none = bytes(32)
    log = HEAD + event(0, none, kind=3, content=begun)
    assert event_log.replay(log)["sha256"][0] == "0" * 63 + "3"


def test_a_changed_digest_of_a_real_log_is_noticed(tmp_path):
    root = pathlib.Path(capture("vtd-tpm", tmp_path))
    assert CHECK.run(Host(HostRoot(str(root)))).status is PASS
    place = root / LOG[1:]
    content = place.read_bytes()
    replay = event_log.replay(content)
    assert set(replay) >= {"sha256"}
    for start in range(200, len(content) - 32, 997):
        changed = content[:start] + bytes([content[start] ^ 1])
        place.unlink()
        place.write_bytes(changed + content[start + 1 :])
        status = CHECK.run(Host(HostRoot(str(root)))).status
        # Nobody can compare the digests of a bank that the TPM has off, and
        # what an event says beside its digests is not measured.
        if status is PASS:
            now = event_log.replay(place.read_bytes())["sha256"]
            assert now == replay["sha256"]


def test_a_pipe_in_place_of_the_log_does_not_hang(tmp_path):
    root = tree(tmp_path, BARE | PCRS, None)
    place = pathlib.Path(root.root, LOG[1:])
    place.parent.mkdir(parents=True)
    os.mkfifo(place)
    assert CHECK.run(Host(root)).status is UNKNOWN


def test_the_pre_step_leaves_what_the_check_reads(tmp_path):
    mode = {"/sys/module/apparmor/parameters/mode": "enforce\n"}
    root = tree(tmp_path / "root", BARE | PCRS | mode)
    text = facts.kernel(root)
    assert json.loads(text) == {
        "apparmor_mode": "enforce",
        "tpm_replays": {"tpm0": REPLAY},
    }
    user = tree(tmp_path / "user", BARE | PCRS | CLOSED | {LEFT: text})
    assert CHECK.run(Host(user)).status is PASS


def test_the_pre_step_without_securityfs_or_before_the_driver(tmp_path):
    """A pre-step without a log does not prove that firmware wrote none."""
    bare = BARE | PCRS
    lsm = "/sys/kernel/security/lsm"
    without = {path: text for path, text in bare.items() if path != lsm}
    for number, (content, status, step) in enumerate(
        (
            (bare, FAIL, "Boot with UEFI"),
            (without, UNKNOWN, "nova-vhard-reporter facts as root"),
            ({lsm: ""}, UNKNOWN, "nova-vhard-reporter facts as root"),
        )
    ):
        text = facts.kernel(tree(tmp_path / f"{number}", content, None))
        user = tree(tmp_path / f"u{number}", bare | CLOSED | {LEFT: text})
        result = CHECK.run(Host(user))
        assert (result.status, step in result.remediation) == (status, True)
    result = CHECK.run(Host(tree(tmp_path / "none", without, None)))
    assert result.status is UNKNOWN
    assert result.remediation.startswith("Mount securityfs")


def test_a_log_that_the_pre_step_did_not_see(tmp_path, monkeypatch):
    """Its file is there now, and closed to who is not root."""
    root = tree(tmp_path, BARE | PCRS | left(None))
    real = root.open

    def closed(path):
        if path == LOG:
            raise Unreadable(path, PermissionError(errno.EACCES, "closed"))
        return real(path)

    monkeypatch.setattr(root, "open", closed)
    result = CHECK.run(Host(root))
    assert result.status is UNKNOWN
    assert "facts as root" in result.remediation


def test_the_pre_step_where_nothing_can_be_read(tmp_path):
    text = facts.kernel(HostRoot(build(tmp_path, {})))
    assert json.loads(text) == {"tpm_replays": {}}
