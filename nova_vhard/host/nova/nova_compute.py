# SPDX-License-Identifier: Apache-2.0
"""Whether nova-compute runs with the configuration that the pre-step read.

It reads its files when it starts. It does not reload any of the options that
the checks need, not even after a signal.
"""

import contextlib
import posixpath
from collections.abc import Iterator, Sequence

from nova_vhard.host import guests, prestep
from nova_vhard.host.guests import PROC
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.running import (
    WHOLE_TABLE,
    Running,
    changed,
    start_of,
)
from nova_vhard.host.root import HostRoot, Unreadable, unreadable
from nova_vhard.host.sanitized import shown

_NAME = "nova-compute"
_NAMING = ("--config-file", "--config-dir")

_NAME_IT = (
    f"Run {prestep.COMMAND} with the same files as nova-compute, in the "
    "same order, as --nova-config-file and --nova-config-dir. Make the "
    "same change in its systemd unit or drop-in."
)


def must_have_read(
    host: Host,
    facts: str,
    files: Sequence[str],
    known: float,
    user: int | None,
) -> None:
    """Raise unless nova-compute runs with what the pre-step read.

    Without a nova-compute it is what the next one is to read.

    :param facts: path of what the pre-step left
    :param files: that the pre-step read
    :param known: when the newest of them had been changed, in seconds since
        1970
    :param user: who runs nova-compute; None if unknown
    :raises Unreadable: if it started before that, has read what is newer or
        another file, or cannot be seen
    """
    started = {}
    for pid in guests.processes(host.root):
        try:
            words = guests.first_words(host.root, pid)
        except Unreadable:
            continue
        if words and posixpath.basename(words[0]).startswith("python"):
            # Behind options of Python's own, such as -s.
            words = [word for word in words[1:] if not word.startswith("-")]
        # Not comm: it is "nova-compute" or "python3", by whether the kernel or
        # the unit named the interpreter.
        if words and posixpath.basename(words[0]) == _NAME:
            # It may have ended since the table of processes was read.
            with contextlib.suppress(Unreadable):
                started[pid] = start_of(host.root, pid)
    # Any user may give a program this name. The others are ignored only if one
    # is certainly of nova-compute's user.
    own = [
        pid
        for pid in started
        if guests.owner(host.root, pid)[:2] == (str(user), str(user))
    ]
    started = {pid: started[pid] for pid in own or started}
    # One that is out of sight may run with anything: UNKNOWN, and not "none".
    if not (started or host.root.captured or guests.complete(host.root)):
        raise unreadable(
            PROC,
            "nova-compute is not visible, but not all processes are "
            "visible either",
            WHOLE_TABLE,
        )
    for pid, start in started.items():
        _must_name(host, pid, files)
        # Nova reloads a few options on SIGHUP (mutable=True in nova/conf):
        # none of those that the checks read is one of them.
        if start < known:
            raise unreadable(
                ", ".join(files),
                f"changed since nova-compute, process {pid}, started",
                "Restart nova-compute (guests keep running): it reads its "
                "configuration only at start.",
            )
    # nova-compute started after the change, and so has read what the pre-step
    # has not. A change that it has not read either leaves the facts true.
    now = newest(host.root, files)
    if known < now <= max(started.values(), default=now):
        raise unreadable(
            facts,
            f"nova.conf was changed since; run {prestep.COMMAND} again",
            prestep.STEP,
        )


def _must_name(host: Host, pid: str, files: Sequence[str]) -> None:
    """Raise where a nova-compute names a file that the pre-step has not read.

    One in a mount namespace of its own has other paths for the same files.

    :raises Unreadable: if it does
    """
    # Without a file on its command line nova-compute reads what oslo.config
    # finds, as the pre-step does by default: then nothing is compared.
    for path in _named(guests.command(host.root, pid)):
        where = Running(host).of_process(pid, _NAME, path).root
        # An entry is a path or "--config-file=PATH".
        if where is host.root and path not in (
            posixpath.normpath(each.partition("=")[2] or each)
            for each in files
        ):
            raise unreadable(
                shown(path, 200),
                f"nova-compute, process {pid}, reads files that the root "
                "pre-step did not read",
                _NAME_IT,
            )


def _named(words: Sequence[str]) -> Iterator[str]:
    """Yield the absolute paths that a command line names."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        # argparse takes "--config-file=PATH" and "--config-file PATH".
        option, joined, value = word.partition("=")
        path = value if joined else following
        # A relative path depends on the working directory, which only root and
        # the process's own user see.
        if option in _NAMING and path.startswith("/"):
            yield posixpath.normpath(path)


def newest(root: HostRoot, files: Sequence[str]) -> float:
    """Return when the newest of some files was changed.

    :param files: paths, also behind an option that names them; of a folder,
        its configuration files count too
    :returns: seconds since 1970; 0 where none of them is in sight
    """
    # /etc/nova is closed to other users on many hosts: then this is 0, and the
    # time that the pre-step left is all there is.
    paths = (name.partition("=")[2] or name for name in files)
    return max((t for each in paths for t in _changes(root, each)), default=0)


def _changes(root: HostRoot, path: str) -> Iterator[float]:
    """Yield when a file was changed, or a folder and what counts in it."""
    with contextlib.suppress(Unreadable):
        # For a folder this is the time at which a file was added or removed.
        yield changed(root, path)
        for name in root.names(path):
            # As oslo.config reads a folder.
            if name.endswith(".conf"):
                yield changed(root, f"{path}/{name}")
