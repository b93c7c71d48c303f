# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard qemu build-config``: properties of what it writes."""

import itertools
import os
import re
import stat

import pytest
from osc_lib.exceptions import CommandError

from nova_vhard.catalogue.qemu import TYPES
from nova_vhard.catalogue.qemu_parts import EXTRAS, FLAGS, NOT_FLAGS
from nova_vhard.osc.qemu import needs
from nova_vhard.osc.qemu.commands import WriteBuildConfig
from nova_vhard.policy import document
from tests.unit.cli.desk import run


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def write(out, *arguments, policy="strict"):
    return run(
        *(WriteBuildConfig, "--policy", policy, "--output", str(out)),
        *arguments,
    )


def tree(out):
    return {
        str(path.relative_to(out)): path.read_text()
        for path in out.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("arch", needs.ARCHITECTURES)
@pytest.mark.parametrize("policy", document.SHIPPED)
def test_the_files(out, policy, arch):
    done = write(out, "--architecture", arch, policy=policy)
    assert done.status == 0
    assert str(out) in done.err
    result = tree(out)
    assert set(result) == {
        "README.rst",
        "debian/control.nova-vhard",
        "debian/nova-vhard.mk",
        "nova-vhard/cflags",
        "nova-vhard/configure-options",
        "nova-vhard/devices.mak",
        "nova-vhard/ldflags",
        "nova-vhard/types.patch",
        "rpm/nova-vhard.spec.inc",
    }
    assert not re.findall("@[A-Z_]+@", "".join(result.values()))
    for name in set(result) - {"README.rst"}:
        assert f"``{name}``" in result["README.rst"]
    for path in (out, *out.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o755 if path.is_dir() else 0o644)
    # Nothing is left beside.
    assert os.listdir(out.parent) == ["out"]


def test_every_choice_has_its_reason(out):
    write(out)
    result = tree(out)
    for name in ("devices.mak", "configure-options", "cflags", "ldflags"):
        lines = result[f"nova-vhard/{name}"].splitlines()
        chosen = 0
        for before, line in itertools.pairwise(lines):
            if line and not line.startswith("#"):
                chosen += 1
                assert before.startswith("# "), line
        assert chosen >= (4 if name == "ldflags" else 7)
        assert max(len(line) for line in lines if " " in line) < 80


#: What a policy says beside strict, and who does not start then.
UNSTARTED = [
    ("", "Without the USB tablet: "),
    ("", "mem_encryption_model intel-tdx: QEMU has TDX from 10.1 on"),
    ("", "--with rbd was not given: "),
    ("", "moves.guest_devices: warn lets guests through "),
    ("mode: warn", "mode: warn lets guests through "),
    ("projects: [{mode: audit, projects: [p]}]", "projects: audit lets "),
    (
        "exemptions: [{id: old, reason: r, until: 2099-01-01, projects: [p], "
        "rules: {guest_devices.vif_model: [e1000]}}]",
        "Exemption old lets guests have devices ",
    ),
    (
        "guest_devices: {emulation_architecture: {allow: [aarch64]}}",
        "emulation_architecture *: ",
    ),
]
NOTHING_LEFT = """\
moves: {guest_devices: enforce}
guest_devices:
  mem_encryption: {allow: [false]}
  mem_encryption_model: {allow: [amd-sev]}
  firmware_stateless: {allow: [false]}
  viommu_model: {allow: [intel]}
"""


def readme(out, tmp_path, text, *arguments):
    policy = tmp_path / "policy.yaml"
    policy.write_text(f'version: "1"\nextends: strict\n{text}')
    assert write(out, *arguments, policy=str(policy)).status == 0
    lines = tree(out)["README.rst"].partition("do not start")[2]
    return re.findall(r"^\* (.*)", lines, re.M)


@pytest.mark.parametrize(("text", "named"), UNSTARTED)
def test_the_readme_names_who_does_not_start(out, tmp_path, text, named):
    assert any(line.startswith(named) for line in readme(out, tmp_path, text))


def test_the_readme_names_no_one_else(out, tmp_path):
    words = [word for name in EXTRAS for word in ("--with", name)]
    assert readme(out, tmp_path, NOTHING_LEFT, *words) == ["none is known"]


def test_the_options(out):
    write(out)
    result = tree(out)["nova-vhard/configure-options"]
    options = re.findall(r"^-.*$", result, re.M)
    assert "--with-devices-x86_64=nova-vhard" in options
    assert "--without-default-features" in options
    assert "--without-default-devices" in options
    assert {"--enable-vnc", "--enable-kvm", "--enable-pie"} <= set(options)
    assert {"--disable-spice", "--disable-tcg"} <= set(options)
    names = [re.sub("^--(en|dis)able-", "", each) for each in options]
    assert len(names) == len(set(names))


def test_the_flags_of_the_guide(out):
    write(out)
    result = tree(out)
    text = result["nova-vhard/cflags"] + result["nova-vhard/ldflags"]
    for flag in FLAGS:
        there = flag.only in ("", "x86_64")
        assert (f"\n{flag.text}\n" in text) == there
    for option in NOT_FLAGS:
        assert f"Not {option}, of the guide" in text
    flags = " ".join(re.findall(r"^-.*$", text, re.M))
    for needed in [
        "-D_FORTIFY_SOURCE=3",
        "-fstack-protector-strong",
        "-Wl,-z,relro",
        "-Wl,-z,now",
        "-Wl,-z,noexecstack",
    ]:
        assert needed in flags


def test_the_patch_takes_each_type_out_once(out):
    write(out)
    text = tree(out)["nova-vhard/types.patch"]
    for device, (path, variable, line) in TYPES.items():
        assert f"+++ b/{path}\n" in text
        assert text.count(f"-    type_register_static(&{variable});") == 1
        assert f"@@ -{line} +{line} @@" in text
        assert f"no {device} */" in text
    assert text.count("+++ b/hw/display/vga-pci.c") == 1


def test_a_policy_that_needs_each_type_gets_no_patch(out, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text('version: "1"\n')
    write(out, policy=str(policy))
    result = tree(out)
    assert "nova-vhard/types.patch" not in result
    assert "patch" not in result["README.rst"].partition("By hand")[0]
    assert "Patch900" not in result["rpm/nova-vhard.spec.inc"]


def test_the_rules_are_a_makefile(out):
    write(out)
    text = tree(out)["debian/nova-vhard.mk"]
    assert "hardening=+all" in text
    recipes = re.findall(r"^[^\s#].*:.*\n(\t.*\n)+", text, re.M)
    assert len(recipes) >= 3


def test_it_is_the_same_each_time(out, tmp_path):
    write(out)
    write(tmp_path / "again")
    assert tree(out) == tree(tmp_path / "again")


def test_an_empty_folder_is_filled(out):
    out.mkdir()
    write(out)
    assert tree(out)


def test_a_folder_with_anything_in_it_is_left_alone(out):
    out.mkdir()
    (out / "README.rst").write_text("mine")
    with pytest.raises(CommandError, match="is not empty"):
        write(out)
    assert tree(out) == {"README.rst": "mine"}


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    with pytest.raises(CommandError, match="there is no folder"):
        write(tmp_path / "no" / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="is not a folder"):
        write(tmp_path / "file")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(CommandError, match="is not a folder"):
        write(tmp_path / "link")


def test_a_failure_leaves_nothing(out, monkeypatch):

    def full(*_arguments, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(CommandError, match="No space left"):
        write(out)
    assert os.listdir(out.parent) == []


def test_a_policy_with_errors_writes_nothing(out, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text('version: "1"\nmode: later\n')
    with pytest.raises(CommandError, match=r"policy\.yaml"):
        write(out, policy=str(policy))
    assert not out.exists()


def test_names_of_files_stay_comments(out, tmp_path):
    policy = tmp_path / "a\nCONFIG_E1000_PCI=y\n.yaml"
    policy.write_text('version: "1"\nextends: strict\n')
    write(out, policy=str(policy))
    assert "\nCONFIG_E1000_PCI" not in tree(out)["nova-vhard/devices.mak"]


def test_what_is_written_for_arm_is_for_arm(out):
    write(out, "--architecture", "aarch64")
    result = tree(out)
    text = "".join(result.values()).replace("-arch x86_64, of the guide", "")
    assert not re.findall("x86|amd64|seabios|ovmf|fcf-protection", text)
    options = result["nova-vhard/configure-options"]
    assert "\n--target-list=aarch64-softmmu\n" in options
    assert "\n--enable-fdt\n" in options
    assert "avx2" not in options
    assert "CONFIG_ARM_VIRT=y" in result["nova-vhard/devices.mak"]
    assert "-mbranch-protection=standard" in result["nova-vhard/cflags"]
    control = result["debian/control.nova-vhard"]
    assert "Package: qemu-system-arm-vhard\nArchitecture: arm64\n" in control
    assert "qemu-efi-aarch64" in control
