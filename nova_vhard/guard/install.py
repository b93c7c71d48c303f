# SPDX-License-Identifier: Apache-2.0
"""Putting the hook where libvirt calls it, and taking it away again."""

import contextlib
import inspect
import json
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

from nova_vhard.common import files
from nova_vhard.guard import answers, hook, service
from nova_vhard.guard.memory import FILE as GUESTS
from nova_vhard.host.libvirt import guard_proof
from nova_vhard.policy.watch import DISABLED, RUNS

FOLDER = "qemu.d"
NAME = "nova-vhard-guard"
MODE = 0o755

#: Each of these is libvirt's daemon for QEMU.
UNITS = ("virtqemud.service", "libvirtd.service")
_PROCESSES = ("virtqemud", "libvirtd")

# What the daemon leaves, by the option that names the folder.
_LEFT = (
    ("state_path", answers.REFUSE_FILE),
    ("state_path", GUESTS),
    ("state_path", service.POLICY),
    ("state_path", service.POLICY + RUNS),
    ("run_dir", guard_proof.FILE),
    ("run_dir", service.SOCKET),
)

_RUN_SYSTEMD = "/run/systemd/system"
# Seconds for systemctl.
_LIMIT = 30


def path(options: Any) -> str:
    """Return where the hook belongs."""
    return os.path.join(options.hooks_dir, FOLDER, NAME)


def text(options: Any) -> str:
    """Return the hook for this configuration."""
    source = inspect.getsource(hook)
    refuse = os.path.join(options.state_path, answers.REFUSE_FILE)
    for before, after in (
        (f'"{hook.SOCKET}"', json.dumps(service.socket_path(options))),
        (f'"{hook.REFUSE}"', json.dumps(refuse)),
        (f'"{hook.DISABLED}"', json.dumps(options.policy_file + DISABLED)),
    ):
        source = source.replace(before, after, 1)
    return source


def installed(options: Any) -> str | None:
    """Return the hook that is in place; None for none.

    :raises OSError: if it cannot be read
    """
    try:
        with open(path(options), encoding="utf-8") as file:
            return file.read(1 << 16)
    except FileNotFoundError:
        return None


def install(options: Any) -> str:
    """Put the hook in place and have libvirt look for it.

    :returns: what was done, in a sentence
    :raises OSError: if it cannot be written
    """
    place = path(options)
    os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
    files.replace(place, text(options), MODE)
    return f"{place} is in place; {_reload(options.libvirt_pid_files)}"


def uninstall(options: Any) -> str:
    """Take away the hook and all that the guard has left on this host.

    :returns: what was done, in a sentence
    :raises OSError: if something cannot be taken away
    """
    place = path(options)
    _take_away(place)
    with contextlib.suppress(OSError):
        # Other hooks may be there.
        os.rmdir(os.path.dirname(place))
    done = _reload(options.libvirt_pid_files)
    for folder, name in _LEFT:
        _take_away(os.path.join(getattr(options, folder), name))
    return f"{place} is gone; {done}"


def _take_away(path: str) -> None:
    """Remove a file, and what was to replace it when a writer was killed.

    libvirt runs that in its folder of hooks too.

    :raises OSError: if it cannot be removed
    """
    folder, name = os.path.split(path)
    for each in (path, os.path.join(folder, f".{name}.new")):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(each)


def _reload(pid_files: Sequence[str]) -> str:
    """Make libvirt's daemon look for hooks; return how, or why it did not."""
    for unit in UNITS if os.path.isdir(_RUN_SYSTEMD) else ():
        if _systemctl("is-active", "--quiet", unit):
            if not _systemctl("reload", unit):
                raise OSError(
                    f"systemctl reload {unit} failed; run it by hand"
                )
            return f"{unit} reloaded its hooks"
    for file in pid_files:
        pid = _daemon(file)
        if pid:
            os.kill(pid, signal.SIGHUP)
            return f"process {pid} reloaded its hooks"
    return "no libvirt daemon was found; it loads hooks when it starts"


def _systemctl(*words: str) -> bool:
    """Return whether systemctl is there and succeeds in time."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            ["systemctl", *words],  # noqa: S607 - wherever PATH has it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _daemon(pid_file: str) -> int | None:
    """Return the process that a file names, if it is libvirt's daemon."""
    try:
        with open(pid_file, encoding="ascii") as file:
            pid = int(file.read(32))
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            return pid if file.read(32).strip() in _PROCESSES else None
    except (OSError, ValueError):
        return None
