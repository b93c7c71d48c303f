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
    """Run the command; return the files that it has written."""
    run(
        *(WriteBuildConfig, "--policy", str(policy), "--output", str(out)),
        *arguments,
    )
    return {
        str(path.relative_to(out)): path.read_text()
        for path in out.rglob("*")
        if path.is_file()
    }


def extended(tmp_path, text, name="policy.yaml"):
    """Return the path of a policy that extends strict."""
    path = tmp_path / name
    path.write_text(f'version: "1"\nextends: strict\n{text}')
    return path


@pytest.mark.parametrize("arch", needs.ARCHITECTURES)
@pytest.mark.parametrize("policy", document.SHIPPED)
def test_the_files(out, policy, arch):
    out.mkdir()
    result = write(out, "--architecture", arch, policy=policy)
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
    result = write(out)
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
    written = write(out, *arguments, policy=extended(tmp_path, text))
    lines = written["README.rst"].partition("do not start")[2]
    return re.findall(r"^\* (.*)", lines, re.M)


@pytest.mark.parametrize(("text", "named"), UNSTARTED)
def test_the_readme_names_who_does_not_start(out, tmp_path, text, named):
    assert any(line.startswith(named) for line in readme(out, tmp_path, text))


def test_the_readme_names_no_one_else(out, tmp_path):
    words = [word for name in EXTRAS for word in ("--with", name)]
    assert readme(out, tmp_path, NOTHING_LEFT, *words) == ["none is known"]


def test_the_options(out):
    result = write(out)["nova-vhard/configure-options"]
    options = re.findall(r"^-.*$", result, re.M)
    assert {
        "--with-devices-x86_64=nova-vhard",
        "--without-default-features",
        "--without-default-devices",
        *("--enable-vnc", "--enable-kvm", "--enable-pie"),
        *("--disable-spice", "--disable-tcg"),
    } <= set(options)
    names = [re.sub("^--(en|dis)able-", "", each) for each in options]
    assert len(names) == len(set(names))


def test_the_flags_of_the_guide(out):
    result = write(out)
    text = result["nova-vhard/cflags"] + result["nova-vhard/ldflags"]
    for flag in FLAGS:
        there = flag.only in ("", "x86_64")
        assert (f"\n{flag.text}\n" in text) == there
    for option in NOT_FLAGS:
        assert f"Not {option}, of the guide" in text
    assert {
        "-D_FORTIFY_SOURCE=3",
        "-fstack-protector-strong",
        "-Wl,-z,relro",
        "-Wl,-z,now",
        "-Wl,-z,noexecstack",
    } <= {*" ".join(re.findall(r"^-.*$", text, re.M)).split()}


def test_the_patch_takes_each_type_out_once(out):
    text = write(out)["nova-vhard/types.patch"]
    for device, (path, variable, line) in TYPES.items():
        assert f"+++ b/{path}\n" in text
        assert text.count(f"-    type_register_static(&{variable});") == 1
        assert f"@@ -{line} +{line} @@" in text
        assert f"no {device} */" in text
    assert text.count("+++ b/hw/display/vga-pci.c") == 1


def test_a_policy_that_needs_each_type_gets_no_patch(out, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text('version: "1"\n')
    result = write(out, policy=policy)
    assert "nova-vhard/types.patch" not in result
    assert "patch" not in result["README.rst"].partition("By hand")[0]
    assert "Patch900" not in result["rpm/nova-vhard.spec.inc"]


def test_the_rules_are_a_makefile(out):
    text = write(out)["debian/nova-vhard.mk"]
    assert "hardening=+all" in text
    recipes = re.findall(r"^[^\s#].*:.*\n(\t.*\n)+", text, re.M)
    assert len(recipes) >= 3


def test_it_is_the_same_each_time(out, tmp_path):
    assert write(out) == write(tmp_path / "again")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("full", "is not empty"),
        ("no/out", "there is no folder"),
        ("file", "is not a folder"),
        ("link", "is not a folder"),
    ],
)
def test_a_folder_that_cannot_be_filled_is_left_alone(tmp_path, target, words):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "README.rst").write_text("mine")
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(CommandError, match=words):
        write(tmp_path / target)
    assert (tmp_path / "full" / "README.rst").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["file", "full", "link"]


def test_a_failure_leaves_nothing(out, monkeypatch):

    def full(*_arguments, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(CommandError, match="No space left"):
        write(out)
    assert os.listdir(out.parent) == []


def test_a_policy_with_errors_writes_nothing(out, tmp_path):
    policy = extended(tmp_path, "mode: later\n")
    with pytest.raises(CommandError, match=r"policy\.yaml"):
        write(out, policy=policy)
    assert not out.exists()


def test_names_of_files_stay_comments(out, tmp_path):
    policy = extended(tmp_path, "", "a\nCONFIG_E1000_PCI=y\n.yaml")
    written = write(out, policy=policy)
    assert "\nCONFIG_E1000_PCI" not in written["nova-vhard/devices.mak"]


def test_what_is_written_for_arm_is_for_arm(out):
    result = write(out, "--architecture", "aarch64")
    text = "".join(result.values()).replace("-arch x86_64, of the guide", "")
    assert not re.findall("x86|amd64|seabios|ovmf|fcf-protection", text)
    wanted = {
        "nova-vhard/configure-options": "\n--target-list=aarch64-softmmu\n",
        "nova-vhard/devices.mak": "CONFIG_ARM_VIRT=y",
        "nova-vhard/cflags": "-mbranch-protection=standard",
        "debian/control.nova-vhard": "Package: qemu-system-arm-vhard\n"
        "Architecture: arm64\n",
    }
    assert [name for name in wanted if wanted[name] not in result[name]] == []
    options = result["nova-vhard/configure-options"]
    assert "\n--enable-fdt\n" in options and "avx2" not in options
    assert "qemu-efi-aarch64" in result["debian/control.nova-vhard"]
