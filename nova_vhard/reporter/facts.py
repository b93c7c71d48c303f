# SPDX-License-Identifier: Apache-2.0
"""The root pre-step: the few facts that the reporter has no rights to read."""

import contextlib
import datetime
import os
from collections.abc import Callable, Iterator

from nova_vhard.common import files
from nova_vhard.host import container_binaries, nova_facts, prestep
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.reporter import facts_file, facts_qemu
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
    with _forgetting(run_dir):
        with _noted(failed):
            facts_file.publish(sources, run_dir, now)
        for name, content in (
            (prestep.QEMU, facts_qemu.qemu),
            (prestep.KERNEL, facts_qemu.kernel),
            (container_binaries.FILE, facts_qemu.binaries),
        ):
            with _noted(failed):
                _leave(os.path.join(run_dir, name), content, root)
    if failed:
        raise FactsError("; ".join(failed))


@contextlib.contextmanager
def _forgetting(run_dir: str) -> Iterator[None]:
    """Leave nothing of an earlier run where this one was cut off."""
    try:
        yield
    except BaseException:
        for name in (
            nova_facts.FILE,
            prestep.QEMU,
            prestep.KERNEL,
            container_binaries.FILE,
        ):
            _forget(os.path.join(run_dir, name))
        raise


def _forget(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


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
        try:
            files.replace(path, content(root), mode=0o644)
        except BaseException:
            _forget(path)
            raise
    except Unreadable as error:
        # Where there is no libvirt, there is nothing to say of it.
        if not error.missing:
            raise FactsError(str(error)) from error
    except OSError as error:
        raise FactsError(f"{path}: {error.strerror}") from error
