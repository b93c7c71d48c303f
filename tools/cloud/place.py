# SPDX-License-Identifier: Apache-2.0
"""Where a cloud keeps its files: in one directory of the checkout."""

import fcntl
import pathlib
import shutil


class InUse(Exception):
    """Another process uses the place."""


class Place:
    """The directories of a cloud.

    :param root: directory that may be emptied
    """

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.logs = self.root / "logs"
        self.policy = self.root / "policy.yaml"
        self._lock = None

    def home(self, service):
        """Return the directory of a service's configuration and data."""
        return self.root / service

    def log_files(self):
        """Return the files that the services log to."""
        return sorted(self.logs.glob("*.log"))

    def take(self):
        """Make the place this process's own, and empty it.

        :raises InUse: if it is another's, for as long as that one lives
        """
        self.root.mkdir(exist_ok=True)
        self._lock = open(self.root / "lock", "w")  # noqa: SIM115
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(
                f"another process uses {self.root}: wait until it has ended"
            ) from None
        for path in self.root.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()
        self.logs.mkdir()
        (self.root / "home").mkdir()
