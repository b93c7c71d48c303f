# SPDX-License-Identifier: Apache-2.0
"""Facts that the root pre-step saved for an unprivileged reporter."""

import json
import posixpath
from typing import Any

from nova_vhard.host.host import Host
from nova_vhard.host.root import Unreadable, unreadable

#: What left them, for messages.
COMMAND = "nova-vhard-reporter facts"

#: What to do where they are missing, old or make no sense.
STEP = (
    f"Run {COMMAND} as root on the host. It stores the facts that only root "
    "can read, and reports what it could not read."
)

#: What has them; each is a JSON object in the run directory.
QEMU = "qemu.json"
KERNEL = "kernel.json"


def left(host: Host, name: str) -> dict[str, Any]:
    """Return what the pre-step left in a file.

    :param name: QEMU or KERNEL
    :raises Unreadable: if it is not there, or no JSON object
    """
    path = posixpath.join(host.run_dir, name)
    try:
        # The reporter's user reads it (mode 0644): it must not have secrets.
        result = json.loads(host.root.peek(path))
    # RecursionError: deeply nested JSON; it is not a ValueError.
    except (ValueError, RecursionError) as error:
        raise invalid(path, f"no JSON: {error}") from error
    if not isinstance(result, dict):
        raise invalid(path, "no JSON object")
    return result


def fact(host: Host, name: str, key: str, path: str) -> Any:
    """Return one fact that the pre-step left of what only root can read.

    :param name: QEMU or KERNEL
    :param path: the fact on the host
    :raises Unreadable: if it left none
    """
    try:
        # Without a default: what a pre-step did not leave is not known.
        return left(host, name)[key]
    except Unreadable as error:
        raise without(error, path) from error
    except KeyError as error:
        raise invalid(path, f"not from {COMMAND}") from error


def invalid(path: str, reason: str) -> Unreadable:
    """Return the error for a file whose content makes no sense."""
    return unreadable(path, reason, STEP)


def without(error: Unreadable, path: str) -> Unreadable:
    """Return the error for a fact that only root can read, and did not.

    :param error: why the pre-step's file cannot be read
    :param path: the fact on the host
    """
    return unreadable(
        path, f"only root can read it; run {COMMAND} as root ({error})", STEP
    )
