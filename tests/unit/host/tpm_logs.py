# SPDX-License-Identifier: Apache-2.0
"""A TPM 2.0, its boot event log, and the pre-step's results on them.

``CASES`` have the format of the cases in the folder ``cases``.
"""

import hashlib
import struct

FOLDER = "/sys/class/tpm/tpm0"
MAJOR = f"{FOLDER}/tpm_version_major"
LOG = "/sys/kernel/security/tpm0/binary_bios_measurements"
LSM = "/sys/kernel/security/lsm"
LEFT = "/run/nova-vhard/kernel.json"
BARE = {LSM: "capability", MAJOR: "2\n"}
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
EMPTY = {f"{FOLDER}/pcr-sha256/{pcr}": "0" * 64 for pcr in range(8)}
PCRS = EMPTY | {f"{FOLDER}/pcr-sha256/4": EXTENDED.upper()}
BEGUN = {f"{FOLDER}/pcr-sha256/0": "0" * 63 + "3"}
LOCALITY = event(0, bytes(32), kind=3, content=b"StartupLocality\0\x03")
WRONG = {"sha256": {str(pcr): "0" * 64 for pcr in range(8)}}
REPLAY = {"sha256": WRONG["sha256"] | {"4": EXTENDED}}
CLOSED = {"closed": [LOG]}


def left(replay):
    return {LEFT: {"tpm_replays": {"tpm0": replay}}}


#: A case for each row: files, the log, and the status of the check.
CASES = [
    {**content, LOG: log, "tpm_measured_boot": status}
    for content, log, status in (
        (BARE | PCRS, GOOD, "PASS"),
        ({"/sys/class/net/": None}, None, "FAIL"),
        ({"/sys/class/tpm/": None}, None, "FAIL"),
        (BARE | PCRS | {MAJOR: "1\n"}, GOOD, "FAIL"),
        (BARE | PCRS, None, "FAIL"),
        # The log is from another boot, or forged.
        (BARE | PCRS, HEAD + event(4, bytes(32)), "FAIL"),
        (BARE | PCRS, HEAD, "FAIL"),
        (BARE | PCRS, GOOD + event(7, DIGEST), "FAIL"),
        # An event that is not a measurement; a later event of the host.
        (BARE | PCRS, GOOD + event(7, DIGEST, kind=3), "PASS"),
        (BARE | PCRS, GOOD + event(11, DIGEST), "PASS"),
        # Nothing was measured: the registers have their initial values.
        (BARE | EMPTY, HEAD, "FAIL"),
        (BARE | EMPTY, HEAD + event(9, DIGEST), "FAIL"),
        (BARE | EMPTY | BEGUN, HEAD + LOCALITY, "FAIL"),
        # The locality is that of the first register.
        (
            BARE | PCRS,
            GOOD + event(1, bytes(32), 3, content=b"StartupLocality\0\x03"),
            "PASS",
        ),
        # The header has another register; more events or digests than any
        # firmware writes.
        (BARE | PCRS, b"\1" + GOOD[1:], "UNKNOWN"),
        (BARE | PCRS, GOOD + event(9, DIGEST) * 20_000, "UNKNOWN"),
        (
            BARE | PCRS,
            HEAD
            + struct.pack("<III", 4, 1, 17)
            + (struct.pack("<H", 11) + DIGEST) * 17
            + bytes(4),
            "UNKNOWN",
        ),
        (BARE | EMPTY | CLOSED | left(WRONG), GOOD, "FAIL"),
        # An empty log, a byte, a header, half an event, another format.
        (BARE | PCRS, b"", "UNKNOWN"),
        (BARE | PCRS, b"\0", "UNKNOWN"),
        (BARE | PCRS, HEAD[:-3], "UNKNOWN"),
        (BARE | PCRS, GOOD[:-1], "UNKNOWN"),
        (BARE | PCRS, HEAD + event(4, bytes(20), number=4), "UNKNOWN"),
        (BARE | PCRS, SHA1, "UNKNOWN"),
        (BARE | PCRS, bytes(64), "UNKNOWN"),
        (BARE | PCRS, b"\xff" * 4096, "UNKNOWN"),
        # The TPM does not respond, so the kernel's files are empty.
        (BARE | dict.fromkeys(PCRS, ""), GOOD, "UNKNOWN"),
        (BARE | PCRS | {f"{FOLDER}/pcr-sha256/7": "\n"}, GOOD, "UNKNOWN"),
        (BARE | PCRS | {f"{FOLDER}/pcr-sha256/7": "F" * 64}, GOOD, "FAIL"),
        # The kernel does not show the registers.
        (BARE, GOOD, "UNKNOWN"),
        # Only root can read the log.
        (BARE | PCRS | CLOSED, GOOD, "UNKNOWN"),
        (BARE | PCRS | CLOSED | left(REPLAY), GOOD, "PASS"),
        (BARE | PCRS | CLOSED | left(WRONG), GOOD, "FAIL"),
        (BARE | PCRS | CLOSED | left("cut off"), GOOD, "UNKNOWN"),
        (BARE | PCRS | CLOSED | {LEFT: "[" * 200_000}, GOOD, "UNKNOWN"),
        (BARE | PCRS | CLOSED | left({"sha256": 7}), GOOD, "UNKNOWN"),
        (BARE | PCRS | CLOSED | left({"sha256": {"4": "zz"}}), GOOD, "FAIL"),
        (BARE | PCRS | CLOSED | left(None), GOOD, "FAIL"),
        # The pre-step ran before the driver was loaded, or without securityfs.
        (
            BARE | PCRS | CLOSED | {LEFT: '{"tpm_replays": {}}'},
            GOOD,
            "UNKNOWN",
        ),
        (
            BARE | PCRS | CLOSED | {LEFT: '{"tpm_replays": []}'},
            GOOD,
            "UNKNOWN",
        ),
        (
            BARE | PCRS | CLOSED | {LEFT: '{"tpm_event_logs": ["tpm0"]}'},
            GOOD,
            "UNKNOWN",
        ),
        # securityfs is not mounted; an old kernel.
        ({MAJOR: "2\n"}, None, "UNKNOWN"),
        ({f"{FOLDER}/device/caps": "TCG version: 1.2"}, None, "UNKNOWN"),
        ({}, None, "UNKNOWN"),
        (BARE | PCRS | {"closed": ["/sys/class/tpm"]}, GOOD, "UNKNOWN"),
        # A pipe does not hang.
        (BARE | PCRS, "|", "UNKNOWN"),
        # Only root can read the log, and the pre-step did not see it.
        (BARE | PCRS | left(None) | {"closed_to_users": LOG}, GOOD, "UNKNOWN"),
    )
]
