# SPDX-License-Identifier: Apache-2.0
"""Commands of openstack vhard qemu: the plan and the written files."""

import json
import os
import pathlib
import re
import stat
from unittest import mock

import pytest
from osc_lib.exceptions import CommandError

from nova_vhard.catalogue import qemu, qemu_parts
from nova_vhard.host.checks.qemu_minimal import unwanted
from nova_vhard.host.host import Expected
from nova_vhard.osc.qemu import commands, needs
from nova_vhard.policy import document
from nova_vhard.reporter import hosts
from tests import golden
from tests.unit import docs, helpers
from tests.unit.cli import desk, tables

HERE = pathlib.Path(__file__).parent
NEVER = qemu_parts.XEN | qemu_parts.UNASKED


def of(tmp_path, rules, arch="x86_64"):
    """Return the plan of a policy."""
    path = tmp_path / "policy.yaml"
    path.write_text(json.dumps({"version": "1", **rules}))
    return needs.make(document.load(str(path)), arch)


def planned(name, *extras, arch="x86_64"):
    return needs.make(helpers.shipped(name), arch, extras)


@pytest.mark.parametrize("arch", needs.ARCHITECTURES)
@pytest.mark.parametrize("name", document.SHIPPED)
def test_what_is_allowed_is_needed_and_the_rest_is_not(name, arch):
    plan = planned(name, arch=arch)
    refused = hosts.refused(plan.policy)
    known = [
        (device, value in refused.get(kind, ()))
        for kind, values in qemu.DEVICES.items()
        for value in values
        for device in {*qemu.served(kind, value, arch)} - NEVER
    ]
    for device, is_refused in known:
        assert is_refused or device in plan.devices
        # Exactly one list has each known device, with a reason.
        assert (device in plan.devices) != (device in plan.left_devices)
        assert plan.devices.get(device) or plan.left_devices[device]
    # The check reports every device that the plan leaves out.
    expected = Expected(
        policy=True, refused=refused, machines=hosts.machines(plan.policy)
    )
    every = frozenset(device for device, _ in known)
    assert every & {*plan.left_devices} == {*unwanted(expected, every, arch)}


@pytest.mark.parametrize("case", tables.cases(HERE / "qemu_plan.yaml"))
def test_what_a_policy_builds(tmp_path, case):
    extended = {"extends": case["base"]} if case["base"] else {}
    plan = of(tmp_path, case["rules"] | extended, case["arch"])
    every = {*plan.devices, *plan.features, *plan.machines}
    assert {*case["built"].split()} <= every
    out = {*plan.left_devices, *plan.left_features, *plan.left_machines}
    assert {*case["left"].split()} <= out
    assert not every & out


def test_without_rules_all_that_nova_has_is_needed(tmp_path):
    plan = of(tmp_path, {})
    assert set(plan.left_devices) == qemu_parts.XEN | qemu_parts.UNASKED
    assert {"NVDIMM", "SEV", "TPM_EMULATOR"} <= set(plan.symbols)
    assert not plan.patched()
    assert set(planned("strict").patched()) == set(qemu.TYPES)


@pytest.mark.parametrize("name", sorted(qemu_parts.EXTRAS))
def test_what_the_operator_adds(name):
    part = qemu_parts.EXTRAS[name]
    plan = planned("strict", name)
    assert set(part.devices) <= set(plan.devices)
    assert set(part.options) <= set(plan.features)
    assert set(part.symbols) <= set(plan.symbols)


def test_the_policy_of_the_documentation_for_arm(tmp_path):
    page = docs.SOURCE / "contributor" / "qemu-build.rst"
    (text,) = docs.blocks(page, "yaml")
    plan = needs.make(
        document.load(helpers.write(tmp_path / "policy.yaml", text)), "aarch64"
    )
    assert {"ich9-ahci", "ide-cd"} <= set(plan.left_devices)
    assert {"scsi-cd", "tpm-tis-device"} <= set(plan.devices)
    assert "tpm" in plan.features


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def configured(out, *arguments, policy="strict"):
    """Run the command, and return the files that it writes."""
    words = ("--policy", str(policy), "--output", str(out), *arguments)
    desk.run(commands.WriteBuildConfig, *words)
    return {
        str(path.relative_to(out)): path.read_text()
        for path in out.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("arch", needs.ARCHITECTURES)
@pytest.mark.parametrize("policy", document.SHIPPED)
def test_the_files(out, policy, arch):
    out.mkdir()
    result = configured(out, "--architecture", arch, policy=policy)
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
        assert stat.S_IMODE(path.stat().st_mode) == (
            0o755 if path.is_dir() else 0o644
        )
    # No temporary file remains next to the folder.
    assert os.listdir(out.parent) == ["out"]


@pytest.mark.parametrize("arch", needs.ARCHITECTURES)
def test_what_is_written(out, arch):
    """A comment above each choice gives the reason."""
    lines = []
    for name, text in sorted(configured(out, "--architecture", arch).items()):
        text = re.sub(r"\b[0-9a-f]{16}\b", "DIGEST", text)
        lines += [f"=== {name}", *text.splitlines()]
    golden.check(HERE / f"qemu_config_{arch}.golden", lines)


def test_a_policy_that_needs_each_type_gets_no_patch(out, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text('version: "1"\n')
    result = configured(out, policy=policy)
    assert "nova-vhard/types.patch" not in result
    assert "patch" not in result["README.rst"].partition("By hand")[0]
    assert "Patch900" not in result["rpm/nova-vhard.spec.inc"]


def test_a_failure_leaves_nothing(out, monkeypatch):
    monkeypatch.setattr(
        "pathlib.Path.write_text",
        mock.Mock(side_effect=OSError(28, "No space left on device")),
    )
    with pytest.raises(CommandError, match="No space left"):
        configured(out)
    assert os.listdir(out.parent) == []


def test_names_of_files_stay_comments(out, tmp_path):
    policy = tmp_path / "a\nCONFIG_E1000_PCI=y\n.yaml"
    policy.write_text('version: "1"\nextends: strict\n')
    written = configured(out, policy=policy)
    assert "\nCONFIG_E1000_PCI" not in written["nova-vhard/devices.mak"]
