# SPDX-License-Identifier: Apache-2.0
"""Debian's QEMU and the minimal one in figures, for the documentation."""

import datetime
import os
import pathlib
import re
from dataclasses import dataclass

from tests.qemu import build, source

_ROOT = pathlib.Path(__file__).parents[2]
_TEXT = """\
.. Written by ``tox -e qemu-build``; do not edit.

The last run: {date}, Debian's QEMU {before.version} as installed (without the
packages of its modules), and {name} {after.version}, both for x86_64.

.. list-table::
   :header-rows: 1

   * - Of ``qemu-system-x86_64``
     - Debian's
     - For ``strict``
   * - Devices in ``-device help``, without CPU models
     - {before.devices}
     - {after.devices}
   * - Of these, known and not needed
     - {before.refused}
     - {after.refused}
   * - Machine types
     - {before.machines}
     - {after.machines}
   * - Size of the stripped binary, MiB
     - {before.mib:.1f}
     - {after.mib:.1f}
   * - Libraries that it names
     - {before.named}
     - {after.named}
   * - Libraries that are loaded, with those that they need
     - {before.loaded}
     - {after.loaded}
"""


@dataclass(frozen=True)
class Figures:
    """Measurements of a binary.

    :ivar size: bytes
    :ivar named: libraries in its dynamic section
    :ivar loaded: these libraries and their dependencies
    """

    version: str
    devices: int
    refused: int
    machines: int
    size: int
    named: int
    loaded: int

    @property
    def mib(self) -> float:
        return self.size / (1 << 20)


def measure(binary: pathlib.Path, left: set[str]) -> Figures:
    """Measure a binary.

    :param left: devices that the policy does not need
    """
    text = source.run(binary, "--version", cwd=binary.parent)
    devices = build.devices(binary)
    named, loaded = build.libraries(binary)
    version = re.search(r"version (\S+)", text)
    assert version
    return Figures(
        version=version[1],
        devices=len(devices),
        refused=len(devices & left),
        machines=len(build.machines(binary)),
        size=binary.stat().st_size,
        named=named,
        loaded=loaded,
    )


def write(before: Figures, after: Figures, package: pathlib.Path) -> None:
    """Write the table where NOVA_VHARD_RECORD says, if it does."""
    target = os.environ.get("NOVA_VHARD_RECORD")
    if target:
        text = _TEXT.format(
            date=datetime.datetime.now(datetime.UTC).date(),
            name=package.name.partition("_")[0],
            before=before,
            after=after,
        )
        (_ROOT / target).write_text(text, encoding="utf-8")
