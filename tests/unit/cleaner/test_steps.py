# SPDX-License-Identifier: Apache-2.0
"""Each step, on good, changed and unreadable devices."""

import os

import jsonschema
import pytest

from nova_vhard.cleaner.rules import installed_steps
from nova_vhard.cleaner.step_process import Isolation
from tests.trees import build
from tests.unit.cleaner import trees
from tests.unit.cleaner.trees import E1000E, IGB, NVME, VIRTIO

STEPS = installed_steps()


def run(name, job):
    jsonschema.Draft202012Validator(STEPS[name].schema).validate(job.settings)
    result = Isolation().run(STEPS[name], job)
    assert result.said
    return result


@pytest.fixture
def root(tmp_path):
    return trees.tree(tmp_path)


def read(root, name, address=NVME):
    return (trees.folder(root, address) / name).read_text().strip()


class TestFunctionReset:
    def test_the_first_way_is_used_alone_and_the_others_are_left(self, root):
        job = trees.job(root)
        result = STEPS["function_reset"].run(job)
        assert result.clean
        assert result.said == "reset by flr"
        assert job.written == [
            ("reset_method", "flr"),
            ("reset", "1"),
            ("reset_method", "flr bus"),
        ]
        assert read(root, "reset_method") == "flr bus"
        assert "reset_method: flr bus" in result.evidence
        assert "command register: 0x0002 before" in result.evidence[-1]

    def test_in_a_process_of_its_own_the_file_is_really_written(self, root):
        result = run("function_reset", trees.job(root))
        assert result.clean, result
        assert read(root, "reset") == "1"

    def test_a_weaker_way_is_called_weaker(self, root):
        result = run(
            "function_reset", trees.job(root, {"methods": ["af_flr", "bus"]})
        )
        assert result.clean
        assert result.said == "reset by bus"
        evidence = "\n".join(result.evidence)
        assert "weaker" in evidence
        assert "besides: 0000:02:00.1 0000:02:00.2" in evidence

    def test_pm_alone_is_not_what_the_rules_demand(self, tmp_path):
        root = trees.tree(tmp_path, E1000E)
        result = run(
            "function_reset", trees.job(root, {"methods": ["flr"]}, E1000E)
        )
        assert not result.clean
        assert result.said == "the kernel cannot reset it by flr"
        assert result.evidence == ("reset_method: pm",)
        assert run("function_reset", trees.job(root, {}, E1000E)).clean

    def test_no_reset_method_is_not_clean(self, tmp_path):
        root = trees.tree(tmp_path, VIRTIO)
        result = run("function_reset", trees.job(root, {}, VIRTIO))
        assert not result.clean
        assert "knows no way to reset" in result.said

    @pytest.mark.parametrize("refused", ["reset", "reset_method"])
    def test_a_refused_write_is_not_clean(self, root, refused):
        result = run("function_reset", trees.job(root, refuses=refused))
        assert not result.clean
        assert f"/{refused}: Inappropriate ioctl" in result.said
        # The choice is back.
        assert read(root, "reset_method") == "flr bus"

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            (
                lambda at: (at / "config").write_bytes(b"\xff" * 4096),
                "does not answer",
            ),
            (
                lambda at: trees.patch(at / "config", 2, b"\x99"),
                "another device answers",
            ),
            (
                lambda at: trees.patch(at / "config", 4, b"\x06"),
                "switched on what was off",
            ),
            (lambda at: (at / "config").unlink(), "No such file"),
            (
                lambda at: (at / "config").write_bytes(
                    b"\x36\x1b" + b"0" * 62
                ),
                "64 bytes, where all are",
            ),
        ],
    )
    def test_a_device_that_is_not_well_after_it(self, root, change, text):
        result = run("function_reset", trees.job(root, on_reset=change))
        assert not result.clean
        assert text in result.said

    def test_a_device_that_writes_to_memory_by_itself(self, root):
        trees.patch(trees.folder(root) / "config", 4, b"\x06")
        result = run("function_reset", trees.job(root))
        assert not result.clean
        assert "bus master" in result.said
        build(
            trees.folder(root), {"/driver": "-> ../../../bus/pci/drivers/nvme"}
        )
        assert run("function_reset", trees.job(root)).clean

    def test_a_device_that_vanished(self, root):
        job = trees.job(root)
        os.unlink(f"{root.root}/sys/bus/pci/devices/{NVME}")
        result = run("function_reset", job)
        assert not result.clean
        assert "No such file" in result.said


@pytest.mark.parametrize("address", [IGB, E1000E])
def test_other_devices_of_the_captured_machine(tmp_path, address):
    root = trees.tree(tmp_path, address, others=True)
    assert run("function_reset", trees.job(root, {}, address)).clean
