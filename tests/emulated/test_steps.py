# SPDX-License-Identifier: Apache-2.0
"""Cleaning steps on devices of an emulated guest, with their own tools.

QEMU's NVMe controller erases for ``--ses=1``; its FNA says that it has no
crypto erase, and it answers Success to one all the same; it has no Sanitize.
"""

import re

import pytest

from tests.emulated import machine, record

_GUEST = """\
-machine q35,accel=tcg -cpu max -m 512 -smp 1
-drive if=none,id=data,file={place}/disk,format=raw
-device nvme,serial=vhard0,id=nvme,drive=data
-drive if=none,id=worn,file={place}/worn,format=raw
-device nvme-subsys,id=shared,nqn=shared
-device nvme,serial=vhard1,subsys=shared
-device nvme-ns,drive=worn,shared=on
"""
#: Case, as inside.py calls it: its description, whether the drive is clean
#: then, whether the guest's data are left, and words: the first are in the
#: message of the step, the others may be in its evidence.
STEPS = {
    "as it is": (
        "an NVMe drive that is bound to ``nvme``",
        *(True, False),
        ("by format_user_data", "0 of 2", "serial vhard0"),
    ),
    "no driver": (
        "one without a driver",
        *(True, False, ("by format_user_data",)),
    ),
    "no crypto erase": (
        "``methods: [format_crypto]``, FNA is 0",
        *(False, True, ("it has no format_crypto",)),
    ),
    "it lies": (
        "one whose FNA says 4, and which erases nothing",
        *(False, True),
        ("samples are as they were before", "format_crypto"),
    ),
    "no sanitize": (
        "``methods: [sanitize_crypto, sanitize_block]``",
        *(False, True, ("it has no sanitize_crypto",)),
    ),
    "shared": (
        "a drive of two controllers",
        *(False, None, ("other controllers",)),
    ),
    "in use": (
        "a drive that a process has opened exclusively",
        *(False, True, ("busy",)),
    ),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return case to its result."""
    place = tmp_path_factory.mktemp("guest")
    for name in ("disk", "worn"):
        with open(place / name, "wb") as file:
            file.truncate(64 << 20)
    result = machine.run(place, "inside.py", _GUEST.format(place=place))
    yield result
    versions = result["versions"]
    nvme = re.sub(r"\s*\(.*", "", versions["nvme"])
    text = f"Linux {versions['kernel']}, QEMU {machine.version()}, {nvme}"
    rows = [
        (row[0], "yes" if said["clean"] else "no", f"``{said['said']}``")
        for row, said in ((STEPS[case], result[case]) for case in STEPS)
    ]
    header = ("case", "clean", "what the step says")
    record.write("NOVA_VHARD_RECORD", text, [header, *rows])


@pytest.mark.parametrize("case", STEPS)
def test_a_drive(answers, case):
    answer = answers[case]
    _, clean, left, (first, *more) = STEPS[case]
    assert (answer["clean"], answer.get("left")) == (clean, left), answer
    assert first in answer["said"]
    text = "\n".join([answer["said"], *answer["evidence"]])
    assert [word for word in more if word not in text] == []


def test_a_drive_has_the_same_driver_afterwards(answers):
    assert answers["as it is"]["drivers"] == ["nvme", "nvme"]
    assert answers["no driver"]["drivers"] == [None, None]
