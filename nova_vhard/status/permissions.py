# SPDX-License-Identifier: Apache-2.0
"""Who may change the files that hold the gates, and read their passwords.

The Security Guide's Check-Compute-01 and 02: configuration belongs to root
and is not open to others.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.common.text import line
from nova_vhard.host.guard_proof import HOOK
from nova_vhard.status import files
from nova_vhard.status.answers import (
    NotHere,
    fail,
    together,
    warn,
)
from nova_vhard.status.node import Node

_ROOT = 0
_SECRET, _PLAIN, _PROGRAM = "secret", "plain", "program"


@dataclass(frozen=True)
class _File:
    """A file that a gate depends on.

    :ivar kind: whether it may have passwords, or is run by root
    """

    path: str
    kind: str = _PLAIN


def permissions(node: Node) -> Result:
    """Judge owner and mode of each file that a gate depends on.

    =======  ==========================================================
    SUCCESS  root alone may change them, and only its group read what
             has passwords
    WARNING  the service itself may change them, or others read passwords
    FAILURE  anybody may change one of them, or somebody but root what
             root runs
    =======  ==========================================================

    :raises NotHere: if none of them is on this node
    """
    every = list(dict.fromkeys(_files(node)))
    if not every:
        raise NotHere("nova.conf or glance-api.conf")
    results = [result for item in every for result in _judge(item)]
    names = ", ".join(line(item.path) for item in every)
    return together(results, f"only root may change {names}.")


def _files(node: Node) -> Iterator[_File]:
    """Yield the files that are on this node."""
    for service, conf in node.gated():
        # A service's configuration, paste file and policy.
        for path in conf.config_file:
            yield _File(path, _SECRET)
        for folder in conf.config_dir:
            for name in sorted(os.listdir(folder)):
                yield _File(os.path.join(folder, name), _SECRET)
        paste = (
            files.wsgi_paste(conf, os.environ)
            if service == "nova"
            else conf.find_file(files.glance_paste(conf))
        )
        for path in (paste, conf.vhard.policy_file):
            if path and os.path.exists(path):
                yield _File(path)
    if os.path.lexists(HOOK):
        yield _File(HOOK, _PROGRAM)


def _judge(file: _File) -> Iterator[Result]:
    """Yield what is wrong with a file, and with the folder that it is in.

    Whoever may write to the folder may put another file there.
    """
    folder = os.path.dirname(os.path.realpath(file.path))
    try:
        status, above = os.stat(file.path), os.stat(folder)
    except OSError as error:
        yield warn(f"{line(file.path)}: {error.strerror}.")
        return
    path, mode = line(file.path), stat.S_IMODE(status.st_mode)
    # Or anybody may put another file into the folder.
    anybody = mode & stat.S_IWOTH or (
        above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX
    )
    if anybody:
        yield fail(
            f"{path}: anybody may change it (mode {mode:04o}, folder "
            f"{stat.S_IMODE(above.st_mode):04o}). Run chmod o-w on both."
        )
    others = mode & stat.S_IWGRP or status.st_uid != _ROOT
    if others and not anybody:
        judge = fail if file.kind == _PROGRAM else warn
        yield judge(
            f"{path}: not root alone may change it (owner "
            f"{status.st_uid}, mode {mode:04o}): who breaks into the service "
            "can switch its gate off. Run chown root and chmod g-w."
        )
    if file.kind == _SECRET and mode & stat.S_IROTH:
        yield warn(
            f"{path}: everybody may read it, and it may have passwords (mode "
            f"{mode:04o}). Run chmod o-rwx."
        )
