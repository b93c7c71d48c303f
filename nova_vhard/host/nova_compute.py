# SPDX-License-Identifier: Apache-2.0
"""Whether nova-compute runs with the configuration that the pre-step read.

It reads its files when it starts, and none of the options that the checks
need is one that it takes up later: a signal does not, either.
"""

import contextlib
from collections.abc import Iterator, Sequence

from nova_vhard.host import guests, prestep
from nova_vhard.host.guests import PROC
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot, Unreadable, unreadable
from nova_vhard.host.running import WHOLE_TABLE, changed, start_of

_NAME = "nova-compute"
_PYTHON = "python"
# Of what is in a folder of configuration, oslo.config reads these.
_COUNTS = ".conf"

_RESTART = (
    "Restart nova-compute (guests run on): it reads its configuration only "
    "when it starts."
)


def must_have_read(
    host: Host, facts: str, files: Sequence[str], known: float
) -> None:
    """Raise unless nova-compute runs with what the pre-step read.

    Without a nova-compute it is what the next one is to read.

    :param facts: path of what the pre-step left
    :param files: that the pre-step read
    :param known: when the newest of them had been changed, in seconds since
        1970
    :raises Unreadable: if it started before that, has read what is newer, or
        cannot be seen
    """
    started = dict(_starts(host.root))
    if not (started or host.root.captured or guests.complete(host.root)):
        text = "not every process is seen, nor nova-compute"
        raise unreadable(PROC, text, WHOLE_TABLE)
    for pid, start in started.items():
        if start < known:
            text = f"changed since nova-compute, process {pid}, started"
            raise unreadable(", ".join(files), text, _RESTART)
    now = newest(host.root, files)
    if known < now <= min(started.values(), default=now):
        text = f"nova.conf was changed since; run {prestep.COMMAND} again"
        raise unreadable(facts, text, prestep.STEP)


def newest(root: HostRoot, files: Sequence[str]) -> float:
    """Return when the newest of some files was changed.

    :param files: paths, also behind an option that names them; of a folder,
        its configuration files count too
    :returns: seconds since 1970; 0 where none of them is in sight
    """
    paths = (name.partition("=")[2] or name for name in files)
    times = (when for path in paths for when in _changes(root, path))
    return max(times, default=0.0)


def _changes(root: HostRoot, path: str) -> Iterator[float]:
    """Yield when a file was changed, or a folder and what counts in it."""
    with contextlib.suppress(Unreadable):
        yield changed(root, path)
        for name in root.names(path):
            if name.endswith(_COUNTS):
                yield changed(root, f"{path}/{name}")


def _starts(root: HostRoot) -> Iterator[tuple[str, float]]:
    """Yield pid and start of each nova-compute that is seen.

    :raises Unreadable: if processes cannot be listed
    """
    names = root.names(PROC, missing_ok=root.captured)
    for pid in filter(str.isdecimal, names):
        with contextlib.suppress(Unreadable):
            if _is_compute(root, pid):
                yield pid, start_of(root, pid)


def _is_compute(root: HostRoot, pid: str) -> bool:
    """Return whether a process is nova-compute.

    :raises Unreadable: if that cannot be read
    """
    words = root.read(f"{PROC}/{pid}/cmdline").split("\0")
    if _base(words[0]).startswith(_PYTHON):
        # Behind options of Python's own, such as -s.
        words = [word for word in words[1:] if not word.startswith("-")]
    return bool(words) and _base(words[0]) == _NAME


def _base(path: str) -> str:
    return path.rpartition("/")[2]
