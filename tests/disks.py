# SPDX-License-Identifier: Apache-2.0
"""A disk that is full."""

import contextlib
import errno
import os
import pathlib
import subprocess
from collections.abc import Iterator

import pytest

_SIZE = 64 << 10


class Disk:
    """A disk of its own where root may mount one, else a folder.

    Of a folder the first thing that a full disk refuses is made to fail, for
    all that is written by ``nova_vhard.common.files``.

    :ivar folder: where it is
    """

    def __init__(
        self, folder: pathlib.Path, patch: pytest.MonkeyPatch
    ) -> None:
        self.folder = folder
        self._patch = patch
        options = ["-t", "tmpfs", "-o", f"size={_SIZE}", "full", str(folder)]
        self.real = os.geteuid() == 0 and not subprocess.call(
            ["mount", *options], stderr=subprocess.DEVNULL
        )

    def fill(self) -> None:
        """Leave no byte free."""
        if not self.real:
            self._patch.setattr(os, "fsync", _refuse)
            return
        with open(self.folder / "filler", "wb", buffering=0) as file:
            for size in (4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"x" * size):
                        pass

    def free(self) -> None:
        """Make room again."""
        if self.real:
            (self.folder / "filler").unlink()
        else:
            self._patch.undo()

    def unmount(self) -> None:
        """Take it away."""
        if self.real:
            subprocess.check_call(["umount", str(self.folder)])


def _refuse(handle: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def disk(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Disk]:
    """Return a small disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = Disk(folder, monkeypatch)
    yield made
    made.unmount()
