# SPDX-License-Identifier: Apache-2.0
"""QEMU binaries that root's pre-step found in other processes' roots.

The files of a libvirt in a container are visible to root only. For each
emulator, the pre-step saves the facts about its build, its location on its
file system and the daemon that it belongs to. They are valid while that daemon
runs and, for a guest, if it was started after the file last changed.
"""

from collections.abc import Mapping
from typing import Any

from nova_vhard.host import prestep
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.running import Target, start_of, ticks_of
from nova_vhard.host.root import Unreadable, unreadable

#: Name of the file below the run directory, and its keys.
FILE = "binaries.json"
FILES, EMULATORS = "files", "emulators"

_OLD_GUEST = (
    "If that does not help, the guest was started before libvirt's container "
    "was recreated, or before its QEMU was changed: stop and start the guest, "
    "or migrate it away and back."
)


def of_target(host: Host, target: Target) -> list[Mapping[str, Any]]:
    """Return what an emulator and all that it loads were built with.

    :param target: one that is out of sight here
    :returns: label, kind, and facts or error of each file
    :raises Unreadable: if the pre-step has left nothing that holds
    """
    try:
        content = prestep.left(host, FILE)
    except Unreadable as error:
        raise prestep.without(error, target.label) from error
    try:
        for entry in content[EMULATORS]:
            if _holds(host, target, entry):
                return [content[FILES][number] for number in entry[FILES]]
    # Root wrote it: this is not an attack, but the file of another version.
    # The answer is UNKNOWN, as without the file.
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise prestep.invalid(FILE, f"not from {prestep.COMMAND}") from error
    # A guest outlives the container that it was started in, and the pre-step
    # looks into those of daemons that run.
    raise unreadable(
        FILE,
        f"has no entry for {target.label}; run {prestep.COMMAND} again",
        f"{prestep.STEP} {_OLD_GUEST}" if target.guest else prestep.STEP,
    )


def _holds(host: Host, target: Target, entry: Mapping[str, Any]) -> bool:
    """Return whether what is left of an emulator is of this one."""
    # A path names different files in two containers. Device and path on that
    # file system are the same in every mount namespace (mountinfo).
    if tuple(entry["place"] or ()) != target.place:
        return False
    try:
        # The pid alone would not do: another process may have it by now.
        started = ticks_of(host.root, str(entry["pid"]))
    except Unreadable as error:
        # The daemon that the pre-step looked into has ended: its container,
        # and the file in it, may be gone too. Any other error stays an error.
        if error.missing:
            return False
        raise
    return bool(started == entry["start"]) and (
        # libvirt starts the current file. A guest runs the file as it was when
        # the guest started.
        target.guest is None
        or start_of(host.root, target.pid) > entry["changed"]
    )
