# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard qemu build-config``: the files that it writes.

How it ends otherwise is in cases/qemu.yaml.
"""

import os
import pathlib
import re
import stat

import pytest
from osc_lib.exceptions import CommandError

from nova_vhard.catalogue.qemu import TYPES
from nova_vhard.osc.qemu import needs
from nova_vhard.osc.qemu.commands import WriteBuildConfig
from nova_vhard.policy import document
from tests import golden
from tests.unit.cli.desk import run

HERE = pathlib.Path(__file__).parent


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


@pytest.mark.parametrize("arch", needs.ARCHITECTURES)
def test_what_is_written(out, arch):
    """Each choice has its reason in a comment above it."""
    lines = []
    for name, text in sorted(write(out, "--architecture", arch).items()):
        text = re.sub(r"\b[0-9a-f]{16}\b", "DIGEST", text)
        lines += [f"=== {name}", *text.splitlines()]
    golden.check(HERE / f"qemu_config_{arch}.golden", lines)


def test_the_patch_takes_each_type_out_once(out):
    text = write(out)["nova-vhard/types.patch"]
    for device, (path, variable, line) in TYPES.items():
        assert f"+++ b/{path}\n" in text
        assert text.count(f"-    type_register_static(&{variable});") == 1
        assert f"@@ -{line} +{line} @@" in text
        assert f"no {device} */" in text


def test_a_policy_that_needs_each_type_gets_no_patch(out, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text('version: "1"\n')
    result = write(out, policy=policy)
    assert "nova-vhard/types.patch" not in result
    assert "patch" not in result["README.rst"].partition("By hand")[0]
    assert "Patch900" not in result["rpm/nova-vhard.spec.inc"]


def test_a_failure_leaves_nothing(out, monkeypatch):

    def full(*_arguments, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(CommandError, match="No space left"):
        write(out)
    assert os.listdir(out.parent) == []


def test_names_of_files_stay_comments(out, tmp_path):
    policy = tmp_path / "a\nCONFIG_E1000_PCI=y\n.yaml"
    policy.write_text('version: "1"\nextends: strict\n')
    written = write(out, policy=policy)
    assert "\nCONFIG_E1000_PCI" not in written["nova-vhard/devices.mak"]
