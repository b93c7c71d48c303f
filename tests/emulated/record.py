# SPDX-License-Identifier: Apache-2.0
"""The record of emulated hosts for the documentation."""

import datetime
import os
import pathlib
from collections.abc import Iterable, Mapping

from tests.emulated import machine, monitor
from tests.emulated.host import Answers

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_HEAD = """\
.. Written by ``tox -e emulated``; do not edit.

The last run: {date}, QEMU {qemu}, Linux {kernel}.

.. list-table::
   :header-rows: 1
   :widths: 28 24 16 16 16

   * - Machine
     - Registers
     - ``iommu``
     - ``interrupt_remapping``
     - ``iommu_strict``
"""
_ROW = """\
   * - {machine}
     - {registers}
     - {statuses}
"""

#: Address to what it is called.
NAMES = {
    0x09050020: "SMMU_CR0",
    0x08080000: "GITS_CTLR",
    0xFED9001C: "VT-d's GSTS",
}


def write(
    answers: Mapping[str, Answers], checks: Iterable[str], kernel: str
) -> None:
    """Write the table where NOVA_VHARD_RECORD_HOSTS says, if it does.

    :param answers: what a machine is to what it came to
    :param checks: names of checks, in the order of the columns
    """
    target = os.environ.get("NOVA_VHARD_RECORD_HOSTS")
    if not target:
        return
    date = datetime.datetime.now(datetime.UTC).date()
    head = _HEAD.format(date=date, qemu=machine.version(), kernel=kernel)
    rows = (_row(name, each, checks) for name, each in answers.items())
    text = head + "".join(rows)
    (_ROOT / target).write_text(text, encoding="utf-8")


def _row(name: str, answers: Answers, checks: Iterable[str]) -> str:
    registers = ", ".join(
        f"{NAMES[address]} {_value(value)}"
        for address, value in answers.registers.items()
    )
    statuses = "\n     - ".join(answers.statuses[check] for check in checks)
    return _ROW.format(machine=name, registers=registers, statuses=statuses)


def _value(value: int) -> str:
    return "none" if value == monitor.NOTHING else f"``{value:#x}``"
