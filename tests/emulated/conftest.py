# SPDX-License-Identifier: Apache-2.0
"""One boot of the emulated guest, and the record of what it came to."""

import datetime
import os
import pathlib
import re

import pytest

from tests.emulated import machine

ROOT = pathlib.Path(__file__).resolve().parents[2]

_HEAD = """\
.. Written by ``tox -e emulated``; do not edit.

The last run: {date}, Linux {kernel}, QEMU {qemu}, {nvme}.

.. list-table::
   :header-rows: 1
   :widths: 26 14 60

   * - case
     - clean
     - what the step says
"""
_ROW = """\
   * - {case}
     - {clean}
     - {words}
"""

#: Case, as inside.py calls it: what it is.
CASES = {
    "as it is": "an NVMe drive that is bound to ``nvme``",
    "no driver": "one without a driver",
    "no crypto erase": "``methods: [format_crypto]``, FNA is 0",
    "it lies": "one whose FNA says 4, and which erases nothing",
    "no sanitize": "``methods: [sanitize_crypto, sanitize_block]``",
    "shared": "a drive of two controllers",
    "in use": "a drive that a process has opened exclusively",
}


@pytest.fixture(scope="session")
def answers(tmp_path_factory):
    """Return case to what it came to."""
    made = pathlib.Path(os.environ["NOVA_VHARD_EMULATED_FOLDER"])
    result = machine.run(tmp_path_factory.mktemp("guest"), made)
    yield result
    target = os.environ.get("NOVA_VHARD_RECORD")
    if target:
        (ROOT / target).write_text(record(result), encoding="utf-8")


def record(answers):
    """Return the table for the documentation."""
    versions = answers["versions"]
    head = _HEAD.format(
        date=datetime.datetime.now(datetime.UTC).date(),
        kernel=versions["kernel"],
        nvme=re.sub(r"\s*\(.*", "", versions["nvme"]),
        qemu=machine.version(),
    )
    rows = (
        _ROW.format(
            case=meaning,
            clean="yes" if answers[case]["clean"] else "no",
            words=f"``{answers[case]['said']}``",
        )
        for case, meaning in CASES.items()
    )
    return head + "".join(rows)
