# SPDX-License-Identifier: Apache-2.0
"""Files of the kernel that act when they are written to."""

import errno
import os
import stat

from nova_vhard.host.root import HostRoot, Unreadable


def write(root: HostRoot, path: str, text: str) -> None:
    """Write to a file of the kernel below a root; none is made.

    :raises Unreadable: with the kernel's own word, if it was refused
    """
    try:
        place = os.path.join(root.root, root.real(path).lstrip("/"))
        handle = os.open(place, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "not a plain file")
            # The kernel acts on one write: it is never cut in two.
            os.write(handle, text.encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise Unreadable(path, error) from error
