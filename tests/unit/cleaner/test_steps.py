# SPDX-License-Identifier: Apache-2.0
"""The step function_reset, on good, changed and unreadable devices."""

import functools
import os

import jsonschema
import pytest

from nova_vhard.cleaner.rules import installed_steps
from nova_vhard.cleaner.step_process import Isolation
from tests.unit.cleaner import trees
from tests.unit.cleaner.trees import E1000E, IGB, NVME, VIRTIO

STEP = installed_steps()["function_reset"]
BESIDES = "besides: 0000:02:00.1 0000:02:00.2"


def run(job):
    jsonschema.Draft202012Validator(STEP.schema).validate(job.settings)
    return Isolation().run(STEP, job)


@pytest.fixture
def root(tmp_path):
    return trees.tree(tmp_path)


def test_the_first_way_is_used_alone_and_the_others_are_left(root):
    job = trees.job(root)
    result = STEP.run(job)
    assert (result.clean, result.said) == (True, "reset by flr")
    assert job.written == [
        ("reset_method", "flr"),
        ("reset", "1"),
        ("reset_method", "flr bus"),
    ]
    assert "reset_method: flr bus" in result.evidence
    assert "command register: 0x0002 before" in result.evidence[-1]


@pytest.mark.parametrize(
    ("address", "methods", "said", "evidence"),
    [
        (NVME, ["flr"], "reset by flr", "reset_method: flr bus"),
        (NVME, ["af_flr", "bus"], "reset by bus", "weaker"),
        (NVME, ["af_flr", "bus"], "reset by bus", BESIDES),
        (IGB, None, "reset by flr", ""),
        (E1000E, None, "reset by pm", ""),
        # Not what the rules demand.
        (
            E1000E,
            ["flr"],
            "the kernel cannot reset it by flr",
            "reset_method: pm",
        ),
        (VIRTIO, None, "the kernel knows no way to reset this device", ""),
    ],
)
def test_a_device_of_the_captured_machine(
    tmp_path, address, methods, said, evidence
):
    """In a process of its own: the file is really written."""
    root = trees.tree(tmp_path, address, others=address == IGB)
    settings = {"methods": methods} if methods else {}
    result = run(trees.job(root, settings, address))
    is_reset = said.startswith("reset by")
    assert (result.clean, result.said) == (is_reset, said)
    assert evidence in "\n".join(result.evidence)
    written = (trees.folder(root, address) / "reset").read_text().strip()
    assert written == ("1" if is_reset else "")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"refuses": "reset"}, "/reset: Inappropriate ioctl"),
        ({"refuses": "reset_method"}, "/reset_method: Inappropriate ioctl"),
        *(
            ({"on_reset": change}, text)
            for change, text in (
                (
                    functools.partial(
                        trees.patch, offset=0, data=b"\xff" * 4096
                    ),
                    "does not answer",
                ),
                (
                    functools.partial(trees.patch, offset=2, data=b"\x99"),
                    "another device answers",
                ),
                (
                    functools.partial(trees.patch, offset=4, data=b"\x06"),
                    "switched on what was off",
                ),
                (os.unlink, "No such file"),
                (
                    functools.partial(os.truncate, length=64),
                    "64 bytes, where all are",
                ),
            )
        ),
    ],
)
def test_a_device_that_is_not_well_after_it(root, more, text):
    result = run(trees.job(root, **more))
    assert not result.clean
    assert text in result.said
    # The choice is back.
    method = trees.folder(root) / "reset_method"
    assert method.read_text().strip() == "flr bus"


def test_a_device_that_writes_to_memory_by_itself(root):
    folder = trees.folder(root)
    trees.patch(folder / "config", 4, b"\x06")
    result = run(trees.job(root))
    assert not result.clean
    assert "bus master" in result.said
    (folder / "driver").symlink_to("../../../bus/pci/drivers/nvme")
    assert run(trees.job(root)).clean


def test_a_device_that_vanished(root):
    job = trees.job(root)
    os.unlink(f"{root.root}/sys/bus/pci/devices/{NVME}")
    result = run(job)
    assert not result.clean
    assert "No such file" in result.said
