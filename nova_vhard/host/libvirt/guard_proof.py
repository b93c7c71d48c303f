# SPDX-License-Identifier: Apache-2.0
"""Proof from the host's guard that libvirt calls it.

nova-vhard-guard runs as root. It replaces the file at each of its probes and
removes it when it stops.
"""

import datetime
import json
from dataclasses import dataclass

from nova_vhard.host.root import HostRoot, unreadable

# libvirt runs every program of this folder, since 6.5 (docs/hooks.rst).
#: Where libvirt has the guard's hook, by default.
HOOK = "/etc/libvirt/hooks/qemu.d/nova-vhard-guard"

#: Where it is on a host, and the version of its content.
FOLDER = "/run/nova-vhard-guard"
FILE = "guard.json"
VERSION = 1


@dataclass(frozen=True)
class GuardProof:
    """Result of one of the guard's probes.

    :ivar time: when the probe ran (aware)
    :ivar valid: how long the result is valid
    :ivar guarded: whether libvirt called the guard, and it answered
    :ivar reason: in the guard's words
    :ivar mode: the guard's mode: enforce, warn, audit, or disabled
    """

    time: datetime.datetime
    valid: datetime.timedelta
    guarded: bool
    reason: str
    mode: str


def read(root: HostRoot) -> GuardProof:
    """Return the last proof.

    :raises Unreadable: if there is none, or it makes no sense
    """
    path = f"{FOLDER}/{FILE}"
    try:
        content = json.loads(root.peek(path))
        if content["version"] != VERSION:
            raise ValueError(f"version is not {VERSION}")
        time = datetime.datetime.fromisoformat(content["time"])
        if time.tzinfo is None:
            # The check subtracts it from an aware time: a naive one would end
            # the check with a TypeError, and name no file.
            raise ValueError("time has no zone")
        return GuardProof(
            time=time,
            valid=datetime.timedelta(seconds=float(content["valid"])),
            # JSON's true alone: the text "false" is true to Python.
            guarded=content["guarded"] is True,
            reason=str(content["reason"]),
            # The check compares it with "enforce": any other text is a FAIL.
            mode=str(content["mode"]),
        )
    except KeyError as error:
        raise unreadable(path, f"has no {error}") from error
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        # OverflowError: timedelta() of 1e300 seconds. RecursionError: deeply
        # nested JSON. Both are UNKNOWN, with the name of the file.
        raise unreadable(path, str(error)) from error
