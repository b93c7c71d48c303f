# SPDX-License-Identifier: Apache-2.0
"""Files that only root or the current user can change."""

import os
import stat
from collections.abc import Iterator

_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_MAX_LINKS = 40


class Untrusted(Exception):
    """Raised if another user can change a file, or it is not a file."""


def check(path: str) -> str:
    """Return the real path of a file that no other user can change.

    Only root and the current user may be able to change it.

    Every folder and link on the way is checked too: a user who can change one
    of them can replace the file.

    :raises Untrusted: with the place that another user can change
    """
    for place in _way(os.path.join(os.getcwd(), path)):
        try:
            status = os.lstat(place)
        except OSError as error:
            raise Untrusted(f"{place}: {error.strerror}") from error
        mode = status.st_mode
        if status.st_uid not in (0, os.geteuid()):
            raise Untrusted(
                f"{place} is not owned by root: uid {status.st_uid} (chown "
                "root)"
            )
        # In a sticky folder such as /tmp, other users cannot remove root's
        # files; a link has no mode of its own.
        sticky = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
        if mode & _OTHERS and not sticky and not stat.S_ISLNK(mode):
            raise Untrusted(
                f"others can write to {place}: mode "
                f"{stat.S_IMODE(mode):04o} (chmod go-w)"
            )
    if not stat.S_ISREG(mode):
        raise Untrusted(f"{place} is not a regular file")
    return place


def _way(path: str) -> Iterator[str]:
    """Yield every folder and link on the way to a file, and the file.

    :raises Untrusted: for links without end
    """
    here = "/"
    yield here
    left = path.split("/")
    links = 0
    while left:
        part = left.pop(0)
        if part in ("", "."):
            continue
        up = part == ".."
        place = os.path.dirname(here) if up else os.path.join(here, part)
        yield place
        if not os.path.islink(place):
            here = place
            continue
        links += 1
        if links > _MAX_LINKS:
            raise Untrusted(f"{path}: too many links")
        target = os.readlink(place)
        here = "/" if target.startswith("/") else here
        left = target.split("/") + left
