# SPDX-License-Identifier: Apache-2.0
"""The journal of an audit: changes of images, so that they can be undone.

A file of JSON objects, one on each line. The first names the cloud and the
policy. Each further object is synced to disk *before* an image is changed. So
the journal may list a change that was not made, but lists every change that
was made.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from osc_lib import exceptions

from nova_vhard.osc.output import unreadable, unwritable

VERSION = 1


class JournalError(exceptions.CommandError):  # type: ignore[misc]
    """Raised if a journal cannot be written or is invalid."""


@dataclass(frozen=True)
class Entry:
    """One change of one image.

    :ivar before: property to the value it had; None where it was not set
    :ivar after: property to the value that it was given
    :ivar status: the status that it had, where it was deactivated
    """

    image: str
    before: Mapping[str, str | None] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    status: str | None = None


class Journal:
    """A journal that is being written; the first entry creates the file.

    :param path: file to create; an existing file is never overwritten
    """

    def __init__(self, path: str, cloud: str, policy: str) -> None:
        self.path = path
        self._head = {"journal": VERSION, "cloud": cloud, "policy": policy}
        self._file: IO[str] | None = None

    def add(self, entry: Entry) -> None:
        """Append an entry and sync it to disk.

        :raises JournalError: if that fails; then nothing may be changed
        """
        content: list[Mapping[str, Any]] = [asdict(entry)]
        try:
            if self._file is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                handle = os.open(self.path, flags, 0o600)
                self._file = os.fdopen(handle, "w", encoding="utf-8")
                content.insert(0, self._head)
            self._file.writelines(json.dumps(each) + "\n" for each in content)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JournalError(unwritable(self.path, error)) from error

    def close(self) -> bool:
        """End the file; return whether there is one."""
        if self._file is not None:
            # What could not be written is an error already.
            with contextlib.suppress(OSError):
                self._file.close()
        return self._file is not None


def read(path: str, cloud: str) -> list[Entry]:
    """Return the entries of a journal, the oldest first.

    If the last line is incomplete, the power failed while it was written: its
    image was not changed.

    :param cloud: URL of the Glance API to undo them in
    :raises JournalError: if it is not a journal, or one of another cloud
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = list(_objects(path, file))
    except (OSError, UnicodeDecodeError) as error:
        raise JournalError(unreadable(path, error)) from error
    head = lines[0] if lines else {}
    if head.get("journal") != VERSION:
        raise JournalError(f"{path}: is not the journal of an image audit")
    if head.get("cloud") != cloud:
        raise JournalError(
            f"{path}: was written for {head.get('cloud')}, not for {cloud}: "
            "select its cloud with --os-cloud"
        )
    try:
        return [Entry(**line) for line in lines[1:]]
    except TypeError as error:
        raise JournalError(f"{path}: {error}") from error


def _objects(path: str, file: IO[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, 1):
        if not line.endswith("\n"):
            return
        try:
            result = json.loads(line)
        except ValueError as error:
            raise JournalError(f"{path}:{number}: is not JSON") from error
        if not isinstance(result, dict):
            raise JournalError(f"{path}:{number}: is not an object")
        yield result
