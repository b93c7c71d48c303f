# SPDX-License-Identifier: Apache-2.0
"""Bind mounts of single files, as container engines may create them.

Such a mount keeps showing the file that was mounted, even after another file
is renamed over it outside. Source: proc_pid_mountinfo(5).
"""

import os
import re

_MOUNTS = "/proc/self/mountinfo"
#: Bytes of the list of mounts that are read: some 10,000 mounts.
_LIMIT = 2 * 1024 * 1024
_MOUNT_POINT = 4
_OCTAL = re.compile(r"\\([0-7]{3})")


def warning(path: str) -> str | None:
    """Return what is wrong with how a file is mounted, and the fix.

    :param path: path of a file, which need not exist
    :returns: None if it is not a mount point, or the mounts cannot be read
    """
    try:
        real = os.path.realpath(path)
        with open(_MOUNTS, "rb") as file:
            mounts = file.read(_LIMIT).decode(errors="surrogateescape")
        links = os.stat(real).st_nlink
    except (OSError, ValueError):
        return None
    if real not in mount_points(mounts):
        return None
    what = (
        "was replaced at its source, but the mount here still has the old file"
        if links == 0
        else "is a bind mount of a single file: a replacement of the file "
        "would not be visible here"
    )
    return f"{path} {what}. Mount its directory instead, and restart."


def mount_points(text: str) -> frozenset[str]:
    """Return the mount points of a mountinfo file's text."""
    # The kernel writes no other separator: the rest may be in a name.
    rows = (line.split(" ") for line in text.split("\n"))
    return frozenset(
        _OCTAL.sub(lambda code: chr(int(code[1], 8)), row[_MOUNT_POINT])
        for row in rows
        if len(row) > _MOUNT_POINT
    )
