# SPDX-License-Identifier: Apache-2.0
"""The contract of a cleaning step: a Job in, an Outcome out.

Steps are plugins of the namespace ``nova_vhard.cleaning_steps``, with
priorities as in Ironic's cleaning. They run in a process of their own
(nova_vhard/cleaner/step_process.py), as root, one after the other.
"""

import abc
import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from nova_vhard.host.pci.pci import PciDevice
from nova_vhard.host.root import HostRoot, Unreadable

NAMESPACE = "nova_vhard.cleaning_steps"

#: Seconds that a step may take where its rule does not say.
TIME_LIMIT = 60.0


@dataclass(frozen=True)
class Job:
    """One step on one device.

    :ivar root: the host; steps read through it alone
    :ivar settings: the step's own, from the rules, valid by its schema; a
        number in the file is text here, as it was written
    :ivar time_limit: seconds after which the step is ended
    """

    root: HostRoot
    device: PciDevice
    settings: Mapping[str, Any]
    time_limit: float = TIME_LIMIT

    def write(self, path: str, text: str) -> None:
        """Write to a file of the kernel that is there.

        :param path: absolute path on the host
        :raises Unreadable: with the kernel's own word, if it was refused
        """
        try:
            place = os.path.join(
                self.root.root, self.root.real(path).lstrip("/")
            )
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


@dataclass(frozen=True)
class Outcome:
    """Result of a step for a device.

    :ivar clean: whether everything that the step proves was proven; if
        anything could not be read or done, the device is not clean
    :ivar said: one sentence, for the operator
    :ivar evidence: what was read and done, in the host's own words
    """

    clean: bool
    said: str
    evidence: tuple[str, ...] = ()


class Step(abc.ABC):
    """One way to clean a device, or to prove that it is clean.

    :cvar name: name of its entry point, as the rules write it
    :cvar priority: the higher, the earlier; the rules may say another
    :cvar schema: JSON schema of its settings. Scalars in the file are text
        or booleans, never numbers. A ``pattern`` needs a ``title``: the
        expected value, such as ``four hexadecimal digits``.
    """

    name: ClassVar[str]
    priority: ClassVar[int]
    schema: ClassVar[Mapping[str, Any]]

    @abc.abstractmethod
    def run(self, job: Job) -> Outcome:
        """Clean or prove.

        :raises Unreadable: the same as not clean, with its text as reason
        """
