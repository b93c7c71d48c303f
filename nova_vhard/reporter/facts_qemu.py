# SPDX-License-Identifier: Apache-2.0
"""The pre-step's part about confinement: what only root can read of it.

Each function returns the content of one file of the run directory. None of
it is a secret: settings of qemu.conf, but no password; AppArmor's mode and the
flags of its template; what the event logs of TPMs make of their PCRs.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict

from nova_vhard.host import (
    apparmor,
    container_binaries,
    qemu_binaries,
    qemu_conf,
    tpm,
)
from nova_vhard.host import qemu as qemu_host
from nova_vhard.host.guests import PROC
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable, unreadable
from nova_vhard.host.running import (
    Running,
    Target,
    changed,
    mounts,
    place,
    start_of,
)


def qemu(root: HostRoot) -> str:
    """Return the content of ``qemu.json``.

    :raises Unreadable: if qemu.conf cannot be read or understood; then the
        file is not to be written, and an older one to be taken away
    """
    targets = _targets(root)
    each = [qemu_conf.of_root(target.root) for target in targets]
    if any(other != each[0] for other in each):
        raise unreadable(
            qemu_conf.PATH, "two of libvirt's daemons have different ones"
        )
    result: dict[str, object] = {**asdict(each[0])}
    with contextlib.suppress(Unreadable):
        flags = {flag for it in targets for flag in apparmor.flags(it.root)}
        result[apparmor.FLAGS] = sorted(flags)
    if targets[0].root.exists(qemu_conf.PATH):
        result[qemu_conf.CHANGED] = targets[0].root.changed(qemu_conf.PATH)
    if any(target.pid for target in targets):
        daemons = qemu_conf.starts(root)
        result[qemu_conf.DAEMONS] = daemons
        result[qemu_conf.STALE] = any(
            qemu_conf.is_stale(root, target) for target in targets
        )
    return json.dumps(result, indent=2) + "\n"


def _targets(root: HostRoot) -> list[Target]:
    """Return qemu.conf as each daemon of libvirt's sees it.

    Where not all processes can be seen, that of this root: the reporter,
    which sees no more, judges it by that.
    """
    try:
        return list(Running(Host(root)).of_daemon(qemu_conf.PATH))
    except Unreadable as error:
        if error.path != PROC:
            raise
        path = qemu_conf.PATH
        return [Target(root, path, path)]


def binaries(root: HostRoot) -> str:
    """Return the content of ``binaries.json``.

    It has the emulators of each daemon whose root is not this one, with all
    that they load: each file once, and by its number.

    :raises Unreadable: if a process or a root cannot be read
    """
    host = Host(root)
    files: list[dict[str, object]] = []
    numbers: dict[tuple[str, str], int] = {}
    emulators = []
    for target in qemu_host.out_of_sight(host):
        listed = []
        for binary in qemu_binaries.Examination(host).of([target]):
            key = target.pid, binary.label
            if key not in numbers:
                numbers[key] = len(files)
                files.append(qemu_binaries.as_json(binary))
            listed.append(numbers[key])
        emulators.append(
            {
                "place": place(mounts(root, target.pid), target.path),
                "pid": target.pid,
                "start": int(start_of(root, target.pid)),
                "changed": changed(target.root, target.path),
                container_binaries.FILES: listed,
            }
        )
    return json.dumps(
        {
            container_binaries.FILES: files,
            container_binaries.EMULATORS: emulators,
        }
    )


def kernel(root: HostRoot) -> str:
    """Return the content of ``kernel.json``.

    What cannot be read, or is not there, is left out.
    """
    result: dict[str, object] = {
        tpm.FACT: dict(_replays(root)),
    }
    mode = _text(root, apparmor.MODE)
    if mode:
        result[apparmor.FACT] = mode
    return json.dumps(result, indent=2) + "\n"


def _replays(root: HostRoot) -> Iterator[tuple[str, object]]:
    """Yield each TPM with its replayed PCRs, or with the error.

    The value is None without a log; without securityfs there is no item.
    """
    for name in _tpms(root):
        try:
            yield name, tpm.read_log(root, name)
        except Unreadable as error:
            if error.path != tpm.SECURITY:
                yield name, str(error)


def _tpms(root: HostRoot) -> list[str]:
    try:
        return tpm.names(root)
    except Unreadable:
        return []


def _text(root: HostRoot, path: str) -> str:
    try:
        return root.read(path)
    except Unreadable:
        return ""
