# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard policy show``."""

from pathlib import Path

import pytest
import yaml
from osc_lib.exceptions import CommandError

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.osc.policy.show import ShowPolicy
from nova_vhard.policy import document
from tests.unit.cli.desk import rows, run
from tests.unit.helpers import write

BASE = document.shipped("baseline")

MIDDLE = """\
    version: "1"
    extends: baseline
    mode: warn
    guest_devices:
      vif_model: {allow: [virtio, e1000e]}
    exemptions:
      - id: middle
        reason: r
        projects: [p]
        rules: {guest_devices.disk_bus: [ide]}
        until: 2027-01-01
    """
TOP = """\
    version: "1"
    extends: middle.yaml
    guest_devices:
      vif_model: {mode: audit}
      usb_model:
        allow: [none]
        reason: no controller
    exemptions:
      - id: top
        reason: r
        roles: [r]
        rules: {guest_devices.usb_model: "*"}
        until: 2027-01-01
    """


@pytest.fixture
def middle(tmp_path):
    return write(tmp_path / "middle.yaml", MIDDLE)


@pytest.fixture
def top(tmp_path, middle):
    return write(tmp_path / "top.yaml", TOP)


def shown(*arguments):
    """Return value, mode, file and line by key."""
    return {
        each["Key"]: (each["Value"], each["Mode"], each["File"], each["Line"])
        for each in rows(ShowPolicy, *arguments)
    }


def line_of_base(text):
    """Return the number of the first such line of the shipped policy."""
    return Path(BASE).read_text().splitlines().index(text) + 1


def test_without_effective_the_file_alone(top):
    result = shown(top)
    assert result["extends"] == ("middle.yaml", None, top, 2)
    assert result["guest_devices.usb_model.reason"] == (
        "no controller",
        None,
        top,
        7,
    )
    assert result["exemptions[0].id"] == ("top", None, top, 9)
    assert {each[2] for each in result.values()} == {top}
    assert len(result) == 10


def test_effective_says_where_each_value_comes_from(top, middle):
    result = shown("--effective", top)
    where = {
        "mode": ("warn", None, middle, 3),
        "guest_devices.vif_model.allow": (
            ["virtio", "e1000e"],
            "audit",
            middle,
            5,
        ),
        "guest_devices.vif_model.mode": ("audit", None, top, 4),
        "guest_devices.usb_model.allow": (["none"], "warn", top, 6),
        "guest_devices.disk_bus.allow": (
            ["virtio", "scsi"],
            "warn",
            BASE,
            line_of_base("    allow: [virtio, scsi]"),
        ),
        "passthrough.require": (
            ["iommu", "interrupt_remapping"],
            "warn",
            BASE,
            line_of_base("  require: [iommu, interrupt_remapping]"),
        ),
        "exemptions[0].id": ("top", None, top, 9),
        "exemptions[1].id": ("middle", None, middle, 7),
        "enabled": (True, None, "default", None),
        "assume.force_config_drive": (False, None, "default", None),
        "assume.machine_type.s390x": (
            "s390-ccw-virtio",
            None,
            "default",
            None,
        ),
        "guest_devices.rng": (None, None, "default", None),
    }
    assert {key: result[key] for key in where} == where
    assert not any("guest_devices" in k and "reason" in k for k in result)


def test_the_line_that_is_named_says_it(top):
    """The last key of each shown value is in the line that is named."""
    for key, (_, _, file, line) in shown("--effective", top).items():
        if line is not None:
            with open(file, encoding="utf-8") as stream:
                text = stream.read().splitlines()[line - 1]
            assert key.rpartition(".")[2].partition("[")[0] in text or (
                "guest_devices" in text
            )


@pytest.mark.parametrize("name", document.SHIPPED)
def test_effective_is_the_policy(name):
    """Independent count: what is shown is what a policy is built of."""
    result = shown("--effective", name)
    policy = document.load(document.shipped(name))
    kinds = {key.split(".")[1] for key in result if key.startswith("guest_d")}
    assert kinds == set(KINDS)
    for kind, rule in policy.guest_devices.items():
        value, mode, _, _ = result[f"guest_devices.{kind}.allow"]
        written = tuple(KINDS[kind].canonical(each) for each in value)
        assert written == rule.allow.listed
        assert mode == str(rule.mode or policy.mode)
    assert result["hosts.require"][0] == sorted(policy.hosts.require)
    assert result["moves.hosts"][0] == policy.moves_hosts
    assert result["on_host.mode"][0] == policy.on_host.mode


def test_what_nothing_says_is_default(tmp_path):
    path = write(tmp_path / "policy.yaml", 'version: "1"\n')
    result = shown("--effective", path)
    assert {each[2] for key, each in result.items() if key != "version"} == {
        "default"
    }
    values = {
        "passthrough": None,
        "applies_to.hypervisor_type": ["KVM", "QEMU"],
        "hosts.max_report_age": "2",
    }
    assert {key: result[key][0] for key in values} == values


def test_an_empty_passthrough_refuses_all(tmp_path):
    path = write(tmp_path / "policy.yaml", 'version: "1"\npassthrough: {}\n')
    result = shown("--effective", path)
    assert result["passthrough.allow.mdev"] == ([], "enforce", "default", None)
    out = run(ShowPolicy, "--effective", path).out
    (line,) = [each for each in out.splitlines() if "allow.mdev" in each]
    assert "(nothing)" in line
    (line,) = [each for each in out.splitlines() if "devices.rng " in each]
    assert "(not judged)" in line


def test_a_policy_with_errors_is_one_line(tmp_path):
    path = write(tmp_path / "policy.yaml", "mode: x\n")
    for arguments in ([path], ["--effective", path]):
        with pytest.raises(CommandError, match=f"^.*{path}:1: mode: .*$"):
            run(ShowPolicy, *arguments)


def test_the_own_view_needs_no_file_that_is_extended(tmp_path):
    text = 'version: "1"\nextends: nothere.yaml\n'
    path = write(tmp_path / "policy.yaml", text)
    assert shown(path)["extends"][0] == "nothere.yaml"
    with pytest.raises(CommandError, match="not found"):
        run(ShowPolicy, "--effective", path)


def test_formatters_work(top):
    out = run(ShowPolicy, "--effective", top, "-f", "yaml").out
    result = yaml.safe_load(out)
    assert {"Key": "enabled", "Value": True}.items() <= result[1].items()
    csv = run(ShowPolicy, top, "-f", "csv", "-c", "Key", "-c", "Line").out
    assert csv.splitlines()[:2] == ['"Key","Line"', '"version","1"']
    words = ("-f", "value", "-c", "Key", "--sort-column", "Value")
    ordered = run(ShowPolicy, "--effective", top, *words).out
    assert len(ordered.splitlines()) == len(result)
