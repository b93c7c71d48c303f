# SPDX-License-Identifier: Apache-2.0
"""The root pre-step: the few facts that the reporter has no rights to read.

Each file of the run directory has the content of one function. None of it is
a secret.
"""

import contextlib
import datetime
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from nova_vhard.common import files
from nova_vhard.host import prestep
from nova_vhard.host.guests import PROC
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.running import (
    Running,
    Target,
    changed,
    mounts,
    place,
    ticks_of,
)
from nova_vhard.host.mac import apparmor
from nova_vhard.host.nova import nova_facts
from nova_vhard.host.qemu import container_binaries, qemu_binaries, qemu_conf
from nova_vhard.host.qemu import qemu as qemu_host
from nova_vhard.host.root import HostRoot, Unreadable, unreadable
from nova_vhard.host.tpm import tpm
from nova_vhard.reporter import nova_conf
from nova_vhard.reporter.nova_conf import FactsError, Sources


def leave(
    sources: Sources, root: HostRoot, run_dir: str, now: datetime.datetime
) -> None:
    """Leave every fact that can be had; void those that cannot.

    :param sources: where Nova's settings are
    :param run_dir: folder on this machine; made if it is not there
    :param now: aware time
    :raises FactsError: with every reason, after all has been tried
    """
    failed: list[str] = []
    try:
        if not os.path.isdir(run_dir):
            os.makedirs(run_dir)
            os.chmod(run_dir, 0o755)  # noqa: S103 - nothing in it is secret
    except OSError as error:
        raise FactsError(f"{run_dir}: {error.strerror}") from error
    contents = {
        os.path.join(run_dir, prestep.QEMU): qemu,
        os.path.join(run_dir, prestep.KERNEL): kernel,
        os.path.join(run_dir, container_binaries.FILE): binaries,
    }
    # If this run fails, leave nothing of an earlier one. If it is killed, the
    # checks compare the times of what an earlier one has left.
    with _forgetting(os.path.join(run_dir, nova_facts.FILE), *contents):
        with _noted(failed):
            publish(sources, run_dir, now)
        for path, content in contents.items():
            with _noted(failed):
                _leave(path, content, root)
    if failed:
        raise FactsError("; ".join(failed))


@contextlib.contextmanager
def _forgetting(*paths: str) -> Iterator[None]:
    """Remove files where anything but a FactsError comes of it."""
    try:
        yield
    except FactsError:
        raise
    except BaseException:
        for path in paths:
            with contextlib.suppress(OSError):
                os.unlink(path)
        raise


@contextlib.contextmanager
def _noted(failed: list[str]) -> Iterator[None]:
    try:
        yield
    except FactsError as error:
        failed.append(str(error))


def _leave(
    path: str, content: Callable[[HostRoot], str], root: HostRoot
) -> None:
    try:
        with _forgetting(path):
            files.replace(path, content(root), mode=0o644)
    except Unreadable as error:
        # Where there is no libvirt, there is nothing to say of it.
        if not error.missing:
            raise FactsError(str(error)) from error
    except OSError as error:
        raise FactsError(f"{path}: {error.strerror}") from error


def publish(
    sources: Sources, run_dir: str, now: datetime.datetime
) -> dict[str, Any]:
    """Read Nova's configuration and leave what the checks need.

    Where it cannot be read, the reason is left in place of what held before;
    where that cannot be written either, nothing is left.

    :param run_dir: folder on this machine
    :param now: aware time
    :returns: what was written
    :raises FactsError: if nothing that can be believed was written
    """
    stamp = {"version": nova_facts.VERSION, "time": now.isoformat()}
    target = os.path.join(run_dir, nova_facts.FILE)
    try:
        with _forgetting(target):
            try:
                result = {**stamp, **nova_conf.read(sources)}
            except FactsError as error:
                _write(target, {**stamp, "error": str(error)})
                raise
            _write(target, result)
    except OSError as error:
        raise FactsError(f"{target}: {error.strerror}") from error
    return result


def _write(target: str, content: dict[str, Any]) -> None:
    """Replace a file in one step; everybody may read it."""
    files.replace(target, json.dumps(content, indent=2), mode=0o644)


def qemu(root: HostRoot) -> str:
    """Return the content of ``qemu.json``.

    It has settings of qemu.conf, but no password, and the flags of AppArmor's
    template.

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
        result[apparmor.FLAGS] = sorted(
            {flag for it in targets for flag in apparmor.flags(it.root)}
        )
    if targets[0].root.exists(qemu_conf.PATH):
        result[qemu_conf.CHANGED] = targets[0].root.changed(qemu_conf.PATH)
    if any(target.pid for target in targets):
        result[qemu_conf.DAEMONS] = qemu_conf.starts(root)
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
        return [Target(root, qemu_conf.PATH, qemu_conf.PATH)]


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
                "start": ticks_of(root, target.pid),
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

    It has AppArmor's mode, and what the event logs of TPMs make of their PCRs.
    What cannot be read, or is not there, is left out.
    """
    result: dict[str, object] = {tpm.FACT: dict(_replays(root))}
    with contextlib.suppress(Unreadable):
        if mode := root.peek(apparmor.MODE):
            result[apparmor.FACT] = mode
    return json.dumps(result, indent=2) + "\n"


def _replays(root: HostRoot) -> Iterator[tuple[str, object]]:
    """Yield each TPM with its replayed PCRs, or with the error.

    The value is None without a log; without securityfs there is no item.
    """
    with contextlib.suppress(Unreadable):
        for name in tpm.names(root):
            try:
                yield name, tpm.read_log(root, name)
            except Unreadable as error:
                if error.path != tpm.SECURITY:
                    yield name, str(error)
