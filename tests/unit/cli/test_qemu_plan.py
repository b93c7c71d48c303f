# SPDX-License-Identifier: Apache-2.0
"""What ``openstack vhard qemu plan`` plans.

What it prints is in cases/qemu.yaml.
"""

import pytest

from nova_vhard.catalogue import qemu_parts
from nova_vhard.catalogue.qemu import DEVICES, TYPES, served
from nova_vhard.host.checks.qemu_minimal import unwanted
from nova_vhard.host.host import Expected
from nova_vhard.osc.qemu import needs
from nova_vhard.policy import document
from nova_vhard.reporter import hosts
from tests.unit import docs
from tests.unit.helpers import write

SHIPPED = document.SHIPPED
NEVER = qemu_parts.XEN | qemu_parts.UNASKED
ARCHITECTURES = needs.ARCHITECTURES


def of(tmp_path, text="", base="strict", arch="x86_64"):
    """Return the plan of a policy that extends a shipped one."""
    head = f'version: "1"\nextends: {base}\n' if base else 'version: "1"\n'
    path = write(tmp_path / "policy.yaml", head + text)
    return needs.make(document.load(path), arch)


def shipped(name, *extras, arch="x86_64"):
    policy = document.load(document.shipped(name))
    return needs.make(policy, arch, extras)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("kind", DEVICES)
def test_what_is_allowed_is_needed_and_the_rest_is_not(name, kind, arch):
    plan = shipped(name, arch=arch)
    refused = hosts.refused(plan.policy).get(kind, frozenset())
    for value in DEVICES[kind]:
        for device in set(served(kind, value, arch)) - NEVER:
            if value not in refused:
                assert device in plan.devices
            # Each known device is in one of the lists, with a reason.
            assert (device in plan.devices) != (device in plan.left_devices)
            assert plan.devices.get(device) or plan.left_devices[device]


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("name", SHIPPED)
def test_the_check_asks_for_nothing_that_the_plan_builds(name, arch):
    plan = shipped(name, arch=arch)
    expected = Expected(
        policy=True,
        refused=hosts.refused(plan.policy),
        machines=hosts.machines(plan.policy),
    )
    every = {
        device
        for kind, values in DEVICES.items()
        for value in values
        for device in served(kind, value, arch)
    } - NEVER
    # And all that the plan leaves out, the check would miss nowhere.
    assert every & set(plan.left_devices) == set(
        unwanted(expected, frozenset(every), arch)
    )


def rule(text):
    return f"guest_devices:\n  {text}\n"


def allowed(kind, *values):
    return rule(f"{kind}: {{allow: [{', '.join(values)}]}}")


ALWAYS = (
    "virtio-balloon-pci virtio-rng-pci virtio-serial-pci pcie-root-port "
    "vmcoreinfo vnc kvm seccomp vhost-net"
)
ARM = "virt scsi-cd virtio-scsi-pci fdt"
IDE_ALONE = "guest_devices:\n" + "".join(
    f"  {kind}: {{allow: [{bus}]}}\n"
    for kind, bus in (
        ("disk_bus", "ide"),
        ("cdrom_bus", "ide"),
        ("rescue_bus", "fdc"),
    )
)


# Architecture, policy that is extended, and rules; what is built, and what
# is left out: devices, features and machine types.
@pytest.mark.parametrize(
    ("arch", "base", "text", "built", "left"),
    [
        *(
            ("x86_64", name, "", f"{ALWAYS} isa-serial avx2", "")
            for name in SHIPPED
        ),
        *(("aarch64", name, "", ARM, "") for name in SHIPPED),
        # A rule in mode warn or audit leaves nothing out.
        ("x86_64", "baseline", "", "pc q35 ide-hd", ""),
        (
            "x86_64",
            "strict",
            rule("vif_model: {allow: [virtio], mode: audit}"),
            "e1000",
            "pc",
        ),
        (
            "x86_64",
            "strict",
            "passthrough: {allow: {}, mode: warn}\n",
            "vfio-pci vhost-vdpa",
            "",
        ),
        # The file's own mode ends with the introduction of a policy.
        ("x86_64", "strict", "mode: warn\n", "", "e1000"),
        (
            "x86_64",
            "strict",
            "",
            # These take no code of the disk on SATA with them.
            "ide-cd scsi-hd virtio-vga q35",
            "e1000 ide-hd VGA secondary-vga bochs-display usb-tablet "
            "qemu-xhci i6300esb tpm-tis isa-fdc piix3-ide vfio-pci "
            "pci-bridge scsi-block tcg spice usb-redir rbd pc",
        ),
        *(
            ("x86_64", "strict", allowed(kind, *values), built, "")
            for kind, values, built in (
                ("watchdog_action", ["reset"], "i6300esb pcie-pci-bridge"),
                ("vif_model", ["e1000"], "e1000 e1000-82544gc"),
                ("vif_model", ["e1000"], "pcie-pci-bridge"),
                ("video_model", ["qxl"], "qxl qxl-vga spice"),
                ("pointer_model", ["usbtablet"], "usb-tablet qemu-xhci"),
                ("disk_bus", ["sata"], "ide-hd ich9-ahci"),
                ("disk_bus", ["ide"], "ide-hd piix3-ide"),
                ("device_type", ["disk", "lun"], "scsi-block scsi-generic"),
                ("redirected_usb_ports", "01", "usb-redir qemu-xhci usb-hub"),
                ("redirected_usb_ports", "02", "usb-redir spice"),
                ("vif_model", ["vmxnet3"], "vmxnet3 pcie-pci-bridge"),
                ("scsi_model", ["vmpvscsi"], "pvscsi pcie-pci-bridge"),
                ("sound_model", ["usb"], "usb-audio usb-hub"),
                ("emulation_architecture", ["x86_64"], "tcg"),
            )
        ),
        # The policy assumes q35 if no machine type is named.
        *(
            ("x86_64", "strict", allowed("machine_type", each), "q35", "pc")
            for each in ("q35", "pc-q35-9.2", '"q*"', "virt")
        ),
        *(
            ("x86_64", "strict", allowed("machine_type", each), "q35 pc", "")
            for each in (
                *("pc", "pc-i440fx-*", "pc-i440fx-8.*", "pc-i440fx-9.2"),
                *('"pc-*"', '"*"'),
            )
        ),
        *(
            (
                "x86_64",
                "strict",
                f"passthrough:\n  allow: {{{allow}}}\n",
                built,
                left,
            )
            for allow, built, left in (
                ("aliases: [gpu]", "vfio-pci", "vhost-vdpa"),
                ('mdev: ["CUSTOM_A"]', "vfio-pci", "vhost-vdpa"),
                ("ports: [vf]", "vfio-pci", "vhost-vdpa"),
                ("ports: [vdpa]", "vhost-vdpa", "vfio-pci"),
                ("aliases: []", "", "vhost-vdpa vfio-pci"),
            )
        ),
        ("x86_64", "strict", "assume: {virt_type: qemu}\n", "tcg", ""),
        # The keyboard that Nova gives to guests on Arm.
        ("aarch64", "baseline", "", "usb-kbd qemu-xhci", ""),
        ("aarch64", "strict", "", "", "usb-kbd qemu-xhci"),
        # A bus that no machine of Arm has needs nothing.
        ("x86_64", "strict", IDE_ALONE, "ide-cd", ""),
        ("aarch64", "strict", IDE_ALONE, "", "ide-cd ide-hd ich9-ahci"),
        *(
            ("aarch64", "strict", allowed(kind, value), built, "")
            for kind, value, built in (
                ("disk_bus", "sata", "ich9-ahci pcie-pci-bridge"),
                ("video_model", "vga", "VGA pcie-pci-bridge"),
                ("tpm_model", "tpm-tis", "tpm-tis-device"),
                ("watchdog_action", "reset", "i6300esb pcie-pci-bridge"),
            )
        ),
    ],
)
def test_what_a_policy_builds(tmp_path, arch, base, text, built, left):
    plan = of(tmp_path, text, base, arch)
    every = {*plan.devices, *plan.features, *plan.machines}
    assert {*built.split()} <= every
    out = {*plan.left_devices, *plan.left_features, *plan.left_machines}
    assert {*left.split()} <= out
    assert not every & out


def test_a_plan_for_arm_has_no_symbol_of_x86():
    """Its other parts are in cases/qemu.golden."""
    symbols = set(shipped("strict", arch="aarch64").symbols)
    assert {"ARM_VIRT", "PCIE_PORT"} <= symbols
    assert symbols.isdisjoint({"VMMOUSE", "HYPERV", "HPET"})


def test_what_is_built_with_a_machine_type_is_not_patched_out(tmp_path):
    plan = of(tmp_path, allowed("machine_type", "q35", "pc"))
    assert plan.devices["piix3-ide"] == ["is built with machine type pc"]
    assert "ide-hd" in plan.patched()
    assert set(shipped("strict").patched()) == set(TYPES)


def test_an_emulated_guest_needs_no_kvm(tmp_path):
    plan = of(tmp_path, "assume: {virt_type: qemu}\n")
    assert "kvm" not in plan.features


def test_without_rules_all_that_nova_has_is_needed(tmp_path):
    plan = of(tmp_path, base="")
    assert {"e1000", "ide-hd", "vfio-pci", "sb16"} <= set(plan.devices)
    assert plan.devices["e1000"] == ["no rule on vif_model"]
    assert set(plan.left_devices) == qemu_parts.XEN | qemu_parts.UNASKED
    assert {"NVDIMM", "SEV", "TPM_EMULATOR"} <= set(plan.symbols)
    assert "libpmem" in plan.features
    assert not plan.patched()
    plan = of(tmp_path, allowed("pmem"))
    assert {"nvdimm", "libpmem"}.isdisjoint({*plan.devices, *plan.features})


@pytest.mark.parametrize("name", sorted(qemu_parts.EXTRAS))
def test_what_the_operator_adds(name):
    part = qemu_parts.EXTRAS[name]
    plan = shipped("strict", name)
    assert set(part.devices) <= set(plan.devices)
    assert set(part.options) <= set(plan.features)
    assert set(part.symbols) <= set(plan.symbols)


def test_the_policy_of_the_documentation_for_arm(tmp_path):
    page = docs.SOURCE / "contributor" / "qemu-build.rst"
    (text,) = docs.blocks(page, "yaml")
    path = write(tmp_path / "policy.yaml", text)
    plan = needs.make(document.load(path), "aarch64")
    assert {"ich9-ahci", "ide-cd"} <= set(plan.left_devices)
    assert {"scsi-cd", "tpm-tis-device"} <= set(plan.devices)
    assert "tpm" in plan.features
