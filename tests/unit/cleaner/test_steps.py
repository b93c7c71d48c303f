# SPDX-License-Identifier: Apache-2.0
"""Each step, on good, changed and unreadable devices."""

import hashlib
import os

import jsonschema
import pytest

from nova_vhard.node.cleaner.isolated import Isolation
from nova_vhard.node.cleaner.rules_file import installed_steps
from tests.trees import build
from tests.unit.cleaner import trees
from tests.unit.cleaner.trees import E1000E, IGB, NVME, ROM, VIRTIO

STEPS = installed_steps()
SHA = hashlib.sha256(ROM).hexdigest()


def run(name, job):
    assert not list(faults(name, job.settings))
    result = Isolation().run(STEPS[name], job)
    assert result.said
    return result


def faults(name, settings):
    return jsonschema.Draft202012Validator(STEPS[name].schema).iter_errors(
        settings
    )


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
        assert any("weaker" in each for each in result.evidence)
        assert any(
            "besides: 0000:02:00.1 0000:02:00.2" in each
            for each in result.evidence
        )

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
        job = trees.job(root, refuses=refused)
        result = run("function_reset", job)
        assert not result.clean
        assert f"/{refused}: Inappropriate ioctl" in result.said

    def test_after_a_failed_reset_the_choice_is_back(self, root):
        run("function_reset", trees.job(root, refuses="reset"))
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
        trees.byte(root, 4, 6)
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


class TestConfigSpace:
    def test_as_enrolled(self, root):
        enrolled = trees.enroll(root)
        result = run("config_space", trees.job(root, enrolled=enrolled))
        assert result.clean, result
        assert "4096 bytes compared" in result.evidence

    @pytest.mark.parametrize(
        ("offset", "register"),
        [
            (0x04, "command"),
            (0x05, "command, interrupt disable"),
            (0x07, "status, errors"),
            (0x13, "an address"),
            (0x3C, "interrupt line"),
            (0x64, "power state"),
            (0x43, "MSI-X enable"),
            (0x88, "device control"),
            (0x8A, "device status"),
            (0x12A, "SR-IOV status"),
            (0x130, "number of VFs"),
        ],
    )
    def test_what_comes_and_goes_is_no_change(self, root, offset, register):
        enrolled = trees.enroll(root)
        mask = 0x80 if offset in (0x43,) else 0x03 if offset == 0x64 else 0x08
        trees.byte(root, offset, enrolled.config[offset] ^ mask)
        result = run("config_space", trees.job(root, enrolled=enrolled))
        assert result.clean, (register, result)

    @pytest.mark.parametrize(
        ("offset", "text"),
        [
            (0x08, "Revision ID (0x08): enrolled 0x02, now 0x0a"),
            (0x2E, "Subsystem ID (0x2e): enrolled 0x1100, now 0x1108"),
            (0x10, "Base address 0 (0x10)"),
            (0x34, "Capabilities pointer (0x34)"),
            (0x40, "MSI-X at 0x40, byte 0 (0x40): enrolled 0x11, now 0x19"),
            (0x44, "MSI-X: table (0x44)"),
            (0x63, "Power management: capabilities (0x62)"),
            (0x12E, "SR-IOV: total VFs (0x12e)"),
            (0x7F0, "SR-IOV at 0x120, byte 1744 (0x7f0)"),
        ],
    )
    def test_a_change_is_told_by_its_register(self, root, offset, text):
        enrolled = trees.enroll(root)
        trees.byte(root, offset, enrolled.config[offset] ^ 0x08)
        result = run("config_space", trees.job(root, enrolled=enrolled))
        assert not result.clean
        assert result.evidence[0].startswith(text)
        assert "enrolled 2026-06-15T12:00:00 by ada" in result.evidence

    def test_the_rules_may_leave_bytes_out_and_it_is_told(self, root):
        enrolled = trees.enroll(root)
        for offset in (0xC8, 0xC9, 0xD0):
            trees.byte(root, offset, 0x77)
        leave = {"ignore": ["0xc8-0xc9", "0xd0"]}
        result = run("config_space", trees.job(root, leave, enrolled=enrolled))
        assert result.clean
        assert "not compared by the rules: 0xc8-0xc9, 0xd0" in result.evidence
        trees.byte(root, 0xD1, 0x77)
        result = run("config_space", trees.job(root, leave, enrolled=enrolled))
        assert not result.clean

    def test_the_size_of_a_region(self, root):
        enrolled = trees.enroll(root)
        (trees.folder(root) / "resource").write_text(
            trees.RESOURCES.replace("fe803fff", "fe807fff")
        )
        result = run("config_space", trees.job(root, enrolled=enrolled))
        assert not result.clean
        assert (
            "region 0: enrolled 16384 bytes, now 32768 bytes"
            in result.evidence
        )

    def test_a_device_that_was_never_enrolled(self, root):
        result = run("config_space", trees.job(root))
        assert not result.clean
        assert "never enrolled" in result.said

    @pytest.mark.parametrize("length", [0, 64, 256, 4095])
    def test_what_is_cut_short_is_not_clean(self, root, length):
        enrolled = trees.enroll(root)
        os.truncate(trees.folder(root) / "config", length)
        result = run("config_space", trees.job(root, enrolled=enrolled))
        assert not result.clean

    def test_what_cannot_be_read_is_not_clean(self, root):
        enrolled = trees.enroll(root)
        config = trees.folder(root) / "config"
        config.unlink()
        os.mkfifo(config)
        result = run("config_space", trees.job(root, enrolled=enrolled))
        assert not result.clean
        assert "not a plain file" in result.said

    def test_many_changes_are_cut(self, root):
        enrolled = trees.enroll(root)
        content = enrolled.config[:0x200] + b"\x5a" * 0xE00
        (trees.folder(root) / "config").write_bytes(content)
        result = run("config_space", trees.job(root, enrolled=enrolled))
        assert not result.clean
        assert len(result.evidence) == 34
        assert result.evidence[-2].startswith("and ")


class TestRomDigest:
    @pytest.mark.parametrize(
        ("listed", "enrolled", "clean", "text"),
        [
            ([SHA], False, True, "a known one"),
            ([SHA.upper()], True, True, "a known one"),
            ([], True, True, "a known one"),
            ([], False, False, "compared with nothing"),
            (["0" * 64], False, False, "none of those that the rules list"),
            (["0" * 64], True, False, "none of those that the rules list"),
        ],
    )
    def test_the_list_and_the_good_state(
        self, root, listed, enrolled, clean, text
    ):
        state = trees.enroll(root) if enrolled else None
        settings = {"sha256": listed} if listed else {}
        job = trees.job(root, settings, enrolled=state)
        result = STEPS["rom_digest"].run(job)
        assert (result.clean, text in result.said) == (clean, True)
        assert f"now: sha256 {SHA}" in result.evidence
        assert job.written == [("rom", "1"), ("rom", "0")]

    def test_a_changed_rom_is_not_clean_though_the_rules_list_it(self, root):
        enrolled = trees.enroll(root)
        changed = ROM[:-1] + b"!"
        with open(f"{root.root}/rom.bin", "wb") as file:
            file.write(changed)
        digest = hashlib.sha256(changed).hexdigest()
        job = trees.job(root, {"sha256": [digest]}, enrolled=enrolled)
        result = run("rom_digest", job)
        assert not result.clean
        assert result.said == "its option ROM is not the enrolled one"
        assert result.evidence == (
            f"now: sha256 {digest}",
            f"enrolled: sha256 {SHA}",
        )

    def test_a_rom_that_is_gone(self, root):
        enrolled = trees.enroll(root)
        (trees.folder(root) / "rom").unlink()
        job = trees.job(root, {"absent": True}, enrolled=enrolled)
        result = run("rom_digest", job)
        assert not result.clean
        assert "is gone" in result.said

    def test_a_rom_that_was_not_there(self, root):
        file = trees.folder(root) / "rom"
        file.unlink()
        enrolled = trees.enroll(root)
        assert enrolled.rom is None
        file.write_text("")
        job = trees.job(root, {"sha256": [SHA]}, enrolled=enrolled)
        assert "none was enrolled" in run("rom_digest", job).said

    def test_no_rom_needs_a_word_of_the_rules(self, tmp_path):
        root = trees.tree(tmp_path, rom=None)
        enrolled = trees.enroll(root)
        assert not run("rom_digest", trees.job(root, enrolled=enrolled)).clean
        job = trees.job(root, {"absent": True}, enrolled=enrolled)
        assert run("rom_digest", job).clean

    def test_a_rom_that_cannot_be_read(self, root):
        for content in (b"", None):
            place = f"{root.root}/rom.bin"
            if content is None:
                os.unlink(place)
            else:
                os.truncate(place, 0)
            job = trees.job(root, {"sha256": [SHA]})
            assert not run("rom_digest", job).clean

    def test_one_that_cannot_be_switched_is_not_clean(self, root):
        job = trees.job(root, {"sha256": [SHA]}, refuses="rom")
        result = run("rom_digest", job)
        assert not result.clean
        assert "Inappropriate ioctl" in result.said

    def test_the_copy_of_a_boot_display_is_not_the_rom(self, root):
        (trees.folder(root) / "boot_vga").write_text("1\n")
        result = run("rom_digest", trees.job(root, {"sha256": [SHA]}))
        assert not result.clean
        assert "a copy in memory" in result.said
        (trees.folder(root) / "boot_vga").write_text("0\n")
        assert run("rom_digest", trees.job(root, {"sha256": [SHA]})).clean


def test_other_devices_of_the_captured_machine(tmp_path):
    for address in (IGB, E1000E):
        root = trees.tree(tmp_path, address, others=True)
        enrolled = trees.enroll(root, address)
        job = trees.job(root, {}, address, enrolled)
        for name in ("function_reset", "config_space", "rom_digest"):
            assert run(name, job).clean, (address, name)
