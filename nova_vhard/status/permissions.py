# SPDX-License-Identifier: Apache-2.0
"""Who may change the files that hold the gates, and read their passwords.

The Security Guide's Check-Compute-01 and 02: configuration belongs to root
and is not open to others.
"""

import os
import stat
from collections.abc import Iterator

from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.common.text import line
from nova_vhard.host.libvirt.guard_proof import HOOK
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


#: The path of a file that a gate depends on, and its kind: whether it may have
#: passwords, or is run by root.
_File = tuple[str, str]


def permissions(node: Node) -> Result:
    """Judge owner and mode of each file that a gate depends on.

    =======  ==========================================================
    SUCCESS  only root can change the files, and no other user can read
             those with passwords
    WARNING  the service can change a file, or any user can read passwords
    FAILURE  any user can change a file, or a user other than root can
             change a program that root runs
    =======  ==========================================================

    :raises NotHere: if none of them is on this node
    """
    every = list(dict.fromkeys(_files(node)))
    if not every:
        raise NotHere("nova.conf or glance-api.conf")
    return together(
        (result for path, kind in every for result in _judge(path, kind)),
        f"only root may change {', '.join(line(path) for path, _ in every)}.",
    )


def _files(node: Node) -> Iterator[_File]:
    """Yield the files that are on this node."""
    for service, conf in node.gated():
        # A service's configuration, paste file and policy.
        for path in conf.config_file:
            yield path, _SECRET
        for folder in conf.config_dir:
            for name in sorted(os.listdir(folder)):
                yield os.path.join(folder, name), _SECRET
        paste = (
            files.wsgi_paste(conf, os.environ)
            if service == "nova"
            else conf.find_file(files.glance_paste(conf))
        )
        for path in (paste, conf.vhard.policy_file):
            if path and os.path.exists(path):
                yield path, _PLAIN
    if os.path.lexists(HOOK):
        yield HOOK, _PROGRAM


def _judge(path: str, kind: str) -> Iterator[Result]:
    """Yield what is wrong with a file, and with the folder that it is in.

    A user who may write to the folder can replace the file.
    """
    folder = os.path.dirname(os.path.realpath(path))
    try:
        status, above = os.stat(path), os.stat(folder)
    except OSError as error:
        yield warn(f"{line(path)}: {error.strerror}.")
        return
    path, mode = line(path), stat.S_IMODE(status.st_mode)
    # Or any user can replace the file in its folder.
    anybody = mode & stat.S_IWOTH or (
        above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX
    )
    if anybody:
        yield fail(
            f"{path}: any user can change it (mode {mode:04o}, folder "
            f"{stat.S_IMODE(above.st_mode):04o}). Run chmod o-w on both."
        )
    others = mode & stat.S_IWGRP or status.st_uid != _ROOT
    if others and not anybody:
        judge = fail if kind == _PROGRAM else warn
        yield judge(
            f"{path}: users other than root can change it (owner "
            f"{status.st_uid}, mode {mode:04o}), so an attacker in the "
            "service can disable its gate. Run chown root and chmod g-w."
        )
    if kind == _SECRET and mode & stat.S_IROTH:
        yield warn(
            f"{path}: any user can read it, and it may contain passwords "
            f"(mode {mode:04o}). Run chmod o-rwx."
        )
