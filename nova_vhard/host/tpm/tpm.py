# SPDX-License-Identifier: Apache-2.0
"""Which TPMs a host has, and whether the firmware left a log of its boot.

Sources: Documentation/ABI/stable/sysfs-class-tpm and
drivers/char/tpm/eventlog/common.c in the kernel.
"""

import posixpath

from nova_vhard.host import prestep
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable, reading, unreadable
from nova_vhard.host.tpm import event_log

CLASS = "/sys/class/tpm"
SECURITY = "/sys/kernel/security"

#: Key in the pre-step's kernel.json. Maps each TPM that the pre-step could
#: check to the PCRs replayed from its log, or to the reason why the log cannot
#: be replayed; null if the firmware left no log.
FACT = "tpm_replays"

_READ_IT = (
    "Examine the event log with tpm2_eventlog (tpm2-tools): it cannot be "
    "replayed. A firmware update may fix it."
)
_NO_BANK = (
    "Enable a SHA-256 bank of the TPM (tpm2_pcrallocate sha256:all, then "
    "reboot), and boot Linux 5.12 or later, which shows its PCRs."
)


_MOUNT = (
    f"Mount securityfs (mount -t securityfs securityfs {SECURITY}), or, in "
    "a container, give the reporter access to that of the host. Then run "
    f"{prestep.COMMAND} as root again."
)

_HEX = frozenset("0123456789abcdef")

# Digits at the end of a register that need not begin as zeros.
_LOCALITY = 2


def names(root: HostRoot) -> list[str]:
    """Return the names of the TPMs, such as ``tpm0``.

    :raises Unreadable: if they cannot be listed; a kernel without any may
        have no such folder
    """
    # /sys/class has other folders on every host. An empty one is not the
    # host's own, so it does not prove that the host lacks a TPM.
    shown = bool(root.names(posixpath.dirname(CLASS)))
    return root.names(CLASS, missing_ok=shown)


def event_log_path(name: str) -> str:
    """Return the path of a TPM's boot event log."""
    return f"{SECURITY}/{name}/binary_bios_measurements"


def read_log(root: HostRoot, name: str) -> event_log.Replay | None:
    """Return the PCRs of a TPM, replayed from its boot event log.

    :returns: None if the firmware left no log
    :raises Unreadable: if it cannot be read or replayed
    """
    path = event_log_path(name)
    try:
        with root.open(path) as file, reading(path):
            # Firmware wrote it: bounded, like what a parser does with it.
            content = file.read(event_log.LIMIT)
    except Unreadable as error:
        if not error.missing:
            raise
        # Where securityfs is not mounted nobody knows.
        if not root.exists(f"{SECURITY}/lsm"):
            raise unreadable(SECURITY, "not mounted", _MOUNT) from error
        return None
    try:
        return event_log.replay(content)
    except event_log.BadLog as error:
        text = f"the log cannot be replayed: {error}"
        raise unreadable(path, text, _step(text)) from error


def _step(text: str) -> str:
    """Return what to do about a log that cannot be replayed, by why not."""
    return _NO_BANK if event_log.NO_BANK in text else _READ_IT


def replayed(host: Host, name: str) -> event_log.Replay | None:
    """Return the replayed PCRs, read here or by the pre-step.

    :raises Unreadable: if neither is available
    """
    path = event_log_path(name)
    try:
        replay = read_log(host.root, name)
    except Unreadable as error:
        # The log is root's (0440): for that alone there is the pre-step.
        if not error.denied:
            raise
        path = posixpath.join(host.run_dir, prestep.KERNEL)
        replay = _left(host, name)
    host.root.note(f"{path}: {name} has {'a' if replay else 'no'} log")
    return replay


def _left(host: Host, name: str) -> event_log.Replay | None:
    path = event_log_path(name)
    try:
        # False for a TPM that it did not list, None for one without a log.
        result = prestep.left(host, prestep.KERNEL)[FACT].get(name, False)
        if result is None and not _is_there(host.root, path):
            return None
        if not result:
            raise unreadable(
                path,
                f"it found no log; run {prestep.COMMAND} again",
                prestep.STEP,
            )
        if isinstance(result, str):
            raise unreadable(path, result, _step(result))
        return {
            str(bank): {int(pcr): str(value) for pcr, value in pcrs.items()}
            for bank, pcrs in result.items()
        }
    except Unreadable as error:
        # Its own reasons, from above, are better than "run the pre-step".
        if error.path == path:
            raise
        raise prestep.without(error, path) from error
    except (KeyError, AttributeError, ValueError) as error:
        raise prestep.invalid(path, f"not from {prestep.COMMAND}") from error


def _is_there(root: HostRoot, path: str) -> bool:
    """Return whether a log is seen that only root can read."""
    try:
        return root.exists(path)
    except Unreadable:
        return False


def is_empty(replay: event_log.Replay) -> bool:
    """Return whether the log measures nothing into the firmware's PCRs."""
    values = (value for pcrs in replay.values() for value in pcrs.values())
    # the first of them may begin with the locality that the firmware began at
    return not any(value[:-_LOCALITY].strip("0") for value in values)


def differing(
    root: HostRoot, name: str, replay: event_log.Replay
) -> list[str]:
    """Return the PCRs that differ from the replayed log.

    :returns: ``sha256:4`` for PCR 4 of that bank
    :raises Unreadable: if no bank of the log can be compared
    """
    lines, result = [], []
    for bank, pcrs in replay.items():
        folder = f"{CLASS}/{name}/pcr-{bank}"
        # The kernel shows only the banks that are switched on (since 5.12). A
        # log may have digests for others.
        if not root.exists(folder):
            continue
        wrong = [
            f"{bank}:{pcr}"
            for pcr, value in pcrs.items()
            if _register(root, f"{folder}/{pcr}") != value
        ]
        result += wrong
        lines.append(f"{folder}: {len(pcrs) - len(wrong)} as in the log")
    # If nothing was compared, nothing matched.
    if not lines:
        raise unreadable(
            f"{CLASS}/{name}",
            "the kernel shows no bank of PCRs that the log has",
            _NO_BANK,
        )
    root.note(*lines)
    return result


def _register(root: HostRoot, path: str) -> str:
    """Return what a PCR holds, in hexadecimal digits.

    Where the TPM does not answer, the kernel has a file without text.

    :raises Unreadable: if it holds nothing
    """
    value = root.peek(path).lower()
    if not value or not _HEX.issuperset(value):
        raise unreadable(
            path,
            "the TPM does not answer",
            "See the kernel's messages about the TPM (dmesg | grep -i "
            "tpm), and whether tpm2_pcrread answers. A reboot or an update "
            "of the TPM firmware may help.",
        )
    return value
