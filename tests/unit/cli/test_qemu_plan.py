# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard qemu plan``."""

import pytest
from osc_lib.exceptions import CommandError

from nova_vhard.catalogue import qemu_parts
from nova_vhard.catalogue.qemu import DEVICES, TYPES, served
from nova_vhard.host.checks.qemu_minimal import unwanted
from nova_vhard.host.host import Expected
from nova_vhard.osc.qemu import needs
from nova_vhard.osc.qemu.commands import PlanQemu
from nova_vhard.policy import document
from nova_vhard.reporter import hosts
from tests.unit import docs
from tests.unit.cli.desk import rows, run
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


@pytest.mark.parametrize("name", SHIPPED)
def test_what_nova_and_libvirt_always_add_is_needed(name):
    plan = shipped(name)
    for device in [
        "virtio-balloon-pci",
        "virtio-rng-pci",
        "virtio-serial-pci",
        "isa-serial",
        "pcie-root-port",
        "vmcoreinfo",
    ]:
        assert device in plan.devices
    assert {"vnc", "kvm", "seccomp", "vhost-net"} <= set(plan.features)


def test_a_rule_in_mode_warn_leaves_nothing_out(tmp_path):
    """In mode warn, every requester may use the refused values."""
    why = "guest_devices.machine_type is in mode warn and lets pc through"
    assert shipped("baseline").machines["pc"] == [why]
    plan = shipped("strict")
    assert plan.machines.keys() == {"q35"}
    assert plan.left_machines == {
        "pc": ["guest_devices.machine_type refuses pc"]
    }
    rules = "vif_model: {allow: [virtio], mode: audit}"
    plan = of(tmp_path, f"guest_devices:\n  {rules}\n")
    assert "e1000" in plan.devices
    plan = of(tmp_path, "passthrough: {allow: {}, mode: warn}\n")
    assert "vfio-pci" in plan.devices and "vhost-vdpa" in plan.features
    # The file's own mode ends with the introduction of a policy.
    plan = of(tmp_path, "mode: warn\n")
    assert "e1000" in plan.left_devices


def test_strict_needs_no_emulated_hardware():
    plan = shipped("strict")
    for device in [
        "e1000",
        "ide-hd",
        "VGA",
        "secondary-vga",
        "bochs-display",
        "usb-tablet",
        "qemu-xhci",
        "i6300esb",
        "tpm-tis",
        "isa-fdc",
        "piix3-ide",
        "vfio-pci",
        "pci-bridge",
        "scsi-block",
    ]:
        assert device in plan.left_devices
    assert {"tcg", "spice", "usb-redir", "rbd"} <= set(plan.left_features)
    assert set(plan.patched()) == set(TYPES)
    # And these take no code of the disk on SATA with them.
    assert {"ide-cd", "scsi-hd", "virtio-vga"} <= set(plan.devices)


def test_a_sata_disk_for_a_rescue_keeps_the_disk():
    assert "ide-hd" in shipped("baseline").devices


CASES = {
    "watchdog_action: {allow: [reset]}": "i6300esb pcie-pci-bridge",
    "vif_model: {allow: [e1000]}": "e1000 e1000-82544gc pcie-pci-bridge",
    "video_model: {allow: [qxl]}": "qxl qxl-vga",
    "pointer_model: {allow: [usbtablet]}": "usb-tablet qemu-xhci",
    "disk_bus: {allow: [sata]}": "ide-hd ich9-ahci",
    "disk_bus: {allow: [ide]}": "ide-hd piix3-ide",
    "device_type: {allow: [disk, lun]}": "scsi-block scsi-generic",
    "redirected_usb_ports: {allow: [0, 1]}": "usb-redir qemu-xhci usb-hub",
    "redirected_usb_ports: {allow: [0, 2]}": "usb-redir",
    "vif_model: {allow: [vmxnet3]}": "vmxnet3 pcie-pci-bridge",
    "scsi_model: {allow: [vmpvscsi]}": "pvscsi pcie-pci-bridge",
    "sound_model: {allow: [usb]}": "usb-audio usb-hub",
}


@pytest.mark.parametrize("rule", CASES)
def test_each_rule_brings_its_devices(tmp_path, rule):
    plan = of(tmp_path, f"guest_devices:\n  {rule}\n")
    strict = shipped("strict")
    for device in CASES[rule].split():
        assert device in plan.devices
    assert not set(CASES[rule].split()) <= set(strict.devices)


@pytest.mark.parametrize(
    ("rule", "features"),
    [
        ("video_model: {allow: [qxl]}", {"spice"}),
        ("redirected_usb_ports: {allow: [1]}", {"spice", "usb-redir"}),
        ("emulation_architecture: {allow: [x86_64]}", {"tcg"}),
    ],
)
def test_a_rule_brings_its_features(tmp_path, rule, features):
    plan = of(tmp_path, f"guest_devices:\n  {rule}\n")
    assert features <= set(plan.features)
    assert not features & set(plan.left_features)
    assert not features & set(shipped("strict").features)


@pytest.mark.parametrize(
    ("allowed", "machines"),
    [
        ("q35", {"q35"}),
        ("pc-q35-9.2", {"q35"}),
        ("pc", {"q35", "pc"}),
        ("pc-i440fx-*", {"q35", "pc"}),
        ("pc-i440fx-8.*", {"q35", "pc"}),
        ("pc-i440fx-9.2", {"q35", "pc"}),
        ('"pc-*"', {"q35", "pc"}),
        ('"q*"', {"q35"}),
        ('"*"', {"q35", "pc"}),
        ("virt", {"q35"}),
    ],
)
def test_the_machine_types_that_it_takes(tmp_path, allowed, machines):
    """q35 is what the policy assumes where nobody names one."""
    rule = f"guest_devices:\n  machine_type: {{allow: [{allowed}]}}\n"
    assert set(of(tmp_path, rule).machines) == machines


def test_what_a_machine_brings_stays(tmp_path):
    plan = of(tmp_path, "guest_devices:\n  machine_type: {allow: [q35, pc]}\n")
    assert plan.devices["piix3-ide"] == ["is built with machine type pc"]
    assert "ide-hd" in plan.patched()


@pytest.mark.parametrize(
    ("allow", "vfio", "vdpa"),
    [
        ("aliases: [gpu]", True, False),
        ('mdev: ["CUSTOM_A"]', True, False),
        ("ports: [vf]", True, False),
        ("ports: [vdpa]", False, True),
        ("aliases: []", False, False),
    ],
)
def test_passthrough_takes_vfio(tmp_path, allow, vfio, vdpa):
    plan = of(tmp_path, f"passthrough:\n  allow: {{{allow}}}\n")
    assert ("vfio-pci" in plan.devices) == vfio
    assert ("vfio-pci" in plan.left_devices) != vfio
    assert ("vhost-vdpa" in plan.features) == vdpa


def test_without_rules_all_that_nova_has_is_needed(tmp_path):
    plan = of(tmp_path, base="")
    assert {"e1000", "ide-hd", "vfio-pci", "sb16"} <= set(plan.devices)
    assert plan.devices["e1000"] == ["no rule on vif_model"]
    assert set(plan.left_devices) == qemu_parts.XEN | qemu_parts.UNASKED
    assert {"NVDIMM", "SEV", "TPM_EMULATOR"} <= set(plan.symbols)
    assert "libpmem" in plan.features
    assert not plan.patched()
    plan = of(tmp_path, "guest_devices:\n  pmem: {allow: []}\n")
    assert {"nvdimm", "libpmem"}.isdisjoint({*plan.devices, *plan.features})


def test_a_tcg_cloud_gets_tcg(tmp_path):
    plan = of(tmp_path, "assume: {virt_type: qemu}\n")
    assert "tcg" in plan.features and "kvm" not in plan.features


@pytest.mark.parametrize("name", sorted(qemu_parts.EXTRAS))
def test_what_the_operator_adds(name):
    part = qemu_parts.EXTRAS[name]
    plan = shipped("strict", name)
    assert set(part.devices) <= set(plan.devices)
    assert set(part.options) <= set(plan.features)
    assert set(part.symbols) <= set(plan.symbols)


def test_the_table_and_its_json():
    table = run(PlanQemu, "--policy", "strict")
    assert table.status == 0
    assert "CONFIG_E1000_PCI" in table.out
    assert "pointer_model = ps2mouse" in table.err
    result = {
        (each["Type"], each["Name"]): each
        for each in rows(PlanQemu, "--policy", "strict")
    }
    e1000 = result["device", "e1000"]
    assert e1000["Needed"] is False
    assert e1000["Build"] == "CONFIG_E1000_PCI"
    assert e1000["Why"] == ["guest_devices.vif_model refuses e1000"]
    assert result["device", "ide-hd"]["Build"] == "types.patch"
    assert result["device", "virtio-blk-pci"]["Needed"] is True
    assert result["feature", "vnc"]["Build"] == "--enable-vnc"
    assert result["feature", "spice"]["Build"] == "--disable-spice"
    assert all(each["Why"] for each in result.values())


def test_an_exemption_is_named(tmp_path):
    text = """\
exemptions:
  - id: legacy
    reason: r
    projects: [p]
    rules: {guest_devices.vif_model: [e1000]}
    until: 2099-01-01
"""
    plan = of(tmp_path, text)
    assert plan.left_devices["e1000"] == [
        "guest_devices.vif_model refuses e1000, which exemption legacy lets "
        "through"
    ]
    done = run(PlanQemu, "--policy", str(tmp_path / "policy.yaml"))
    assert "Exemption legacy" in done.err


@pytest.mark.parametrize(
    "arguments", [("--arch", "ppc64le"), ("--with", "everything")]
)
def test_a_wrong_option_names_the_right_ones(capsys, arguments):
    with pytest.raises(SystemExit):
        run(PlanQemu, "--policy", "strict", *arguments)
    assert "choose from" in capsys.readouterr().err


def test_a_policy_with_errors_plans_nothing(tmp_path):
    path = write(tmp_path / "policy.yaml", 'version: "1"\nguest: {}\n')
    with pytest.raises(CommandError, match=r"policy\.yaml:2"):
        run(PlanQemu, "--policy", path)


@pytest.mark.parametrize("name", SHIPPED)
def test_arms_guests_have_machine_virt(name):
    plan = shipped(name, arch="aarch64")
    assert plan.machines.keys() == {"virt"}
    assert not plan.left_machines
    assert {"ARM_VIRT", "PCIE_PORT"} <= set(plan.symbols)
    # The CD-ROM that Nova picks there, on the controller that is allowed.
    assert {"scsi-cd", "virtio-scsi-pci"} <= set(plan.devices)
    assert {"lsi53c895a", "virtio-vga"}.isdisjoint(plan.devices)
    of_x86 = {"vmmouse", "isa-serial", "i8042", "VMMOUSE", "HYPERV", "HPET"}
    assert of_x86.isdisjoint({*plan.devices, *plan.symbols})
    assert "fdt" in plan.features and "avx2" not in plan.features
    assert "avx2" in shipped(name).features


@pytest.mark.parametrize(
    ("name", "keyboard"), [("baseline", True), ("strict", False)]
)
def test_the_keyboard_that_nova_gives_to_arms_guests(name, keyboard):
    plan = shipped(name, arch="aarch64")
    for device in ("usb-kbd", "qemu-xhci"):
        assert (device in plan.devices) == keyboard
        assert (device in plan.left_devices) != keyboard
    done = run(PlanQemu, "--policy", name, "--architecture", "aarch64")
    assert ("hw_input_bus=virtio" in done.err) != keyboard
    # Nova adds none where a machine has one.
    done = run(PlanQemu, "--policy", name)
    assert "hw_input_bus" not in done.err


@pytest.mark.parametrize("bus", ["ide", "fdc"])
def test_a_bus_that_no_machine_of_arms_has_needs_nothing(tmp_path, bus):
    kinds = ("disk_bus", "cdrom_bus", "rescue_bus")
    rules = "".join(f"  {kind}: {{allow: [{bus}]}}\n" for kind in kinds)
    text = f"guest_devices:\n{rules}"
    assert "ide-cd" in of(tmp_path, text).devices
    plan = of(tmp_path, text, arch="aarch64")
    assert {"ide-cd", "ide-hd", "ich9-ahci"} <= set(plan.left_devices)
    assert "IDE_DEV" not in plan.symbols


@pytest.mark.parametrize(
    ("rule", "devices"),
    [
        ("disk_bus: {allow: [sata]}", "ich9-ahci pcie-pci-bridge"),
        ("video_model: {allow: [vga]}", "VGA pcie-pci-bridge"),
        ("tpm_model: {allow: [tpm-tis]}", "tpm-tis-device"),
        ("watchdog_action: {allow: [reset]}", "i6300esb pcie-pci-bridge"),
    ],
)
def test_what_a_rule_brings_on_arm(tmp_path, rule, devices):
    text = f"guest_devices:\n  {rule}\n"
    plan = of(tmp_path, text, arch="aarch64")
    assert set(devices.split()) <= set(plan.devices)


def test_a_policy_that_no_guest_of_an_architecture_passes(tmp_path):
    path = write(
        tmp_path / "policy.yaml",
        'version: "1"\nguest_devices:\n  machine_type: {allow: [q35]}\n',
    )
    with pytest.raises(CommandError) as caught:
        run(PlanQemu, "--policy", path, "--architecture", "aarch64")
    text = str(caught.value)
    assert "machine_type" in text and "policy.yaml" in text
    assert "allow virt" in text
    assert run(PlanQemu, "--policy", path).status == 0


def test_the_policy_of_the_documentation_for_arm(tmp_path):
    page = docs.SOURCE / "contributor" / "qemu-build.rst"
    (text,) = docs.blocks(page, "yaml")
    path = write(tmp_path / "policy.yaml", text)
    plan = needs.make(document.load(path), "aarch64")
    assert {"ich9-ahci", "ide-cd"} <= set(plan.left_devices)
    assert {"scsi-cd", "tpm-tis-device"} <= set(plan.devices)
    assert "tpm" in plan.features
