# SPDX-License-Identifier: Apache-2.0
"""The devices that a QEMU build offers, asked of QEMU itself.

``-device help`` lists every device that can be added to a guest, those of
modules included, and starts none. It has no file to read instead.
"""

import contextlib
import errno
import hashlib
import os
import re
import selectors
import signal
import subprocess
import time
from posixpath import basename

from nova_vhard.host import qemu
from nova_vhard.host.cache import Cache, identity
from nova_vhard.host.host import Host
from nova_vhard.host.root import Unreadable

CACHE = "qemu-devices"
VERSION = 1

# No guest, no configuration of anybody's, no display.
_ARGUMENTS = (
    *("-no-user-config", "-nodefaults", "-display", "none"),
    *("-machine", "none", "-device", "help"),
)
# QEMU_MODULE_DIR and the loader's variables among others stay out.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"}
_SECONDS = 10.0
_LIMIT = 1 << 20
_CAPTURED = "/CMD/qemu-device-help-"
_NAME = re.compile(r'^name "([^"]{1,100})"', re.MULTILINE)


def offered(host: Host, cache: Cache, emulator: str) -> frozenset[str]:
    """Return the names of the devices that an emulator offers.

    Asked again only when the emulator or a module has changed.

    :param emulator: path on the host
    :raises Unreadable: if QEMU gives no list; of a tree that is not this
        machine's own, unless the capture has the list in ``CMD``
    """
    if host.root.root != os.sep:
        captured = host.root.read(_CAPTURED + basename(emulator))
        return _names(emulator, captured)
    key = _identity(host, emulator)
    known = cache.get(key)
    if isinstance(known, list) and all(isinstance(one, str) for one in known):
        return frozenset(known)
    found = _names(emulator, _ask(emulator))
    cache.put(key, sorted(found))
    return found


def _identity(host: Host, emulator: str) -> str:
    """Return what changes when a device may have come or gone."""
    made = hashlib.sha256()
    for path in qemu.modules(host.root, (emulator,)):
        made.update(f"{path}:{identity(host.root.stat(path))}\n".encode())
    return f"{identity(host.root.stat(emulator))}:{made.hexdigest()}"


def _names(emulator: str, text: str) -> frozenset[str]:
    found = frozenset(_NAME.findall(text))
    if not found:
        raise _failed(emulator, "-device help lists no device")
    return found


def _ask(emulator: str) -> str:
    """Return what ``-device help`` prints.

    :raises Unreadable: if it fails, takes too long or says too much
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - what libvirt starts
            [emulator, *_ARGUMENTS],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise Unreadable(emulator, error) from error
    try:
        text = _output(emulator, process)
        status = process.wait(_SECONDS)
    except subprocess.TimeoutExpired as error:
        _end(process)
        raise _failed(emulator, "-device help does not end") from error
    except BaseException:
        _end(process)
        raise
    finally:
        assert process.stdout is not None  # noqa: S101 - as below
        process.stdout.close()
    if status:
        raise _failed(emulator, f"-device help ended with {status}")
    return text


def _output(emulator: str, process: subprocess.Popen[bytes]) -> str:
    """Return what a process writes until it closes its output."""
    assert process.stdout is not None  # noqa: S101 - a pipe, as asked for
    parts: list[bytes] = []
    end = time.monotonic() + _SECONDS
    left = _LIMIT
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, end - time.monotonic())):
            part = os.read(process.stdout.fileno(), 1 << 16)
            if not part:
                return b"".join(parts).decode("utf-8", "replace")
            parts.append(part)
            left -= len(part)
            if left < 0:
                raise _failed(emulator, "-device help says too much")
    raise _failed(emulator, f"-device help takes over {_SECONDS:.0f} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and what a wrapper script has started."""
    with contextlib.suppress(
        ProcessLookupError, PermissionError, subprocess.TimeoutExpired
    ):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(1.0)


def _failed(emulator: str, text: str) -> Unreadable:
    return Unreadable(emulator, OSError(errno.EIO, text))
