# SPDX-License-Identifier: Apache-2.0
"""Tests of the request that is read from a domain at its start."""

import re
from dataclasses import replace

import pytest

from nova_vhard.catalogue import domain_devices, domain_xml
from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common import xml
from nova_vhard.conf import guard as guard_conf
from nova_vhard.policy import hardware, subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import domain
from tests.unit.domain_texts import UUID, instance, spec, text
from tests.unit.helpers import TODAY, policy, shipped

#: What every domain of ``text`` says beside its devices.
ALWAYS = {("machine_type", "q35"), ("firmware_type", "bios")}


def disk(bus, device=" device='disk'", source="/x/disk"):
    return (
        f"<disk type='file'{device}><source file='{source}'/>"
        f"<target dev='d' bus='{bus}'/></disk>"
    )


def read(*arguments, host="x86_64", **more):
    return domain.read(text(*arguments, **more), subject.START, host)


def judged(rules, result):
    """Return the verdict on the domain of a result."""
    return evaluate(rules, result.request, result.subject, TODAY)


def choices(result):
    return {(each.kind, each.value) for each in result.request.choices}


CDROM, FLOPPY, LUN = (
    f" device='{each}'" for each in ("cdrom", "floppy", "lun")
)


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        (disk("virtio"), {("disk_bus", "virtio")}),
        (disk("ide", ""), {("disk_bus", "ide")}),
        (
            disk("ide", " device='odd'"),
            {("disk_bus", "ide"), ("device_type", "odd")},
        ),
        (disk("sata", CDROM), {("cdrom_bus", "sata")}),
        (
            disk("fdc", FLOPPY),
            {("floppy_bus", "fdc"), ("device_type", "floppy")},
        ),
        (disk("scsi", LUN), {("disk_bus", "scsi"), ("device_type", "lun")}),
        ("<disk type='file' device='disk'/>", {("disk_bus", None)}),
        # a rescue's disk is judged as one
        (disk("ide", source="/x/disk.rescue"), {("rescue_bus", "ide")}),
        (
            disk("ide", CDROM, "/x/disk.rescue"),
            {("rescue_bus", "ide"), ("rescue_device", "cdrom")},
        ),
        (disk("ide", CDROM, "/x/disk.config.rescue"), {("cdrom_bus", "ide")}),
        ("<controller type='scsi'/>", {("scsi_model", "lsilogic")}),
        (
            "<controller type='scsi' model='virtio-scsi'/>",
            {("scsi_model", "virtio-scsi")},
        ),
        ("<controller type='sata'/><controller type='pci'/>", set()),
        ("<controller type='usb' model='piix3-uhci'/>", set()),
        ("<controller type='usb' model='none'/>", set()),
        ("<controller type='usb'/>", set()),
        (
            "<controller type='usb' model='qemu-xhci'/>",
            {("usb_model", "qemu-xhci")},
        ),
        ("<interface type='bridge'/>", {("vif_model", "rtl8139")}),
        (
            "<interface type='bridge'><model type='e1000'/></interface>",
            {("vif_model", "e1000")},
        ),
        ("<video><model type='cirrus'/></video>", {("video_model", "cirrus")}),
        ("<video/>", {("video_model", None)}),
        ("<input type='tablet' bus='usb'/>", set()),
        ("<input type='mouse' bus='ps2'/>", set()),
        ("<input type='keyboard' bus='ps2'/>", set()),
        ("<input type='keyboard' bus='usb'/>", {("input_bus", "usb")}),
        ("<input type='mouse' bus='usb'/>", {("input_bus", "usb")}),
        ("<input type='tablet' bus='virtio'/>", {("input_bus", "virtio")}),
        ("<sound model='ich6'/>", {("sound_model", "ich6")}),
        ("<audio id='1' type='none'/>", set()),
        ("<redirdev bus='usb'/>" * 3, {("redirected_usb_ports", "3")}),
        ("<serial type='pty'/>", set()),
        ("<serial type='pty'/>" * 2, {("serial_port_count", "2")}),
        (
            "<channel type='unix'><target name='org.qemu.guest_agent.0'/>"
            "</channel>",
            {("guest_agent", "true")},
        ),
        ("<channel type='spicevmc'><target name='c'/></channel>", set()),
        ("<watchdog model='itco' action='reset'/>", set()),
        ("<watchdog model='itco'/>", set()),
        (
            "<watchdog model='itco' action='inject-nmi'/>",
            {("watchdog_action", "inject-nmi")},
        ),
        (
            "<watchdog model='i6300esb' action='pause'/>",
            {("watchdog_action", "pause")},
        ),
        ("<rng model='virtio'/>", set()),
        (
            "<tpm model='tpm-tis'><backend type='emulator' version='1.2'/>"
            "</tpm>",
            {("tpm_model", "tpm-tis"), ("tpm_version", "1.2")},
        ),
        ("<iommu model='intel'/>", {("viommu_model", "intel")}),
        ("<memory model='dimm'/>", set()),
        ("<memory model='nvdimm'/>", {("pmem", None)}),
        ("<memballoon model='virtio'/><graphics type='vnc'/>", set()),
        (
            "<filesystem><driver type='virtiofs'/></filesystem>",
            {("file_system", "virtiofs")},
        ),
        (
            disk("ide") * 2 + "<redirdev bus='usb'/>" * 3,
            {("disk_bus", "ide"), ("redirected_usb_ports", "3")},
        ),
    ],
)
def test_devices(devices, expected):
    """A choice comes once, however many devices make it."""
    result = read(devices)
    request = result.request
    assert choices(result) == ALWAYS | expected
    assert (
        len(request.choices),
        {each.origin for each in request.choices},
    ) == (len(ALWAYS | expected), {hardware.DOMAIN})
    assert not request.faults


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("<clock><timer name='hpet' present='no'/></clock>", set()),
        ("<clock><timer name='hpet'/></clock>", {("hpet", "true")}),
        ("<clock/>", {("hpet", "true")}),
        ("<clock><timer name='rtc'/></clock>", {("hpet", "true")}),
        ("<cpu mode='host-model'/>", set()),
        ("<cpu mode='custom'/>", set()),
        ("<cpu mode='maximum'/>", {("pmu", "true")}),
        ("<cpu mode='host-passthrough'/>", {("pmu", "true")}),
        (
            "<features><pmu state='off'/></features><cpu mode='maximum'/>",
            {("pmu", "false")},
        ),
        ("<features><pmu state='off'/></features>", {("pmu", "false")}),
        ("<features><pmu/></features>", {("pmu", "true")}),
        (
            "<launchSecurity type='sev'><policy>0x0037</policy>"
            "</launchSecurity>",
            {
                ("mem_encryption", "true"),
                ("mem_encryption_model", "amd-sev-es"),
            },
        ),
        (
            "<launchSecurity type='sev'><policy>0x0001</policy>"
            "</launchSecurity>",
            {("mem_encryption", "true"), ("mem_encryption_model", "0x0001")},
        ),
        (
            "<launchSecurity type='tdx'/>",
            {
                ("mem_encryption", "true"),
                ("mem_encryption_model", "intel-tdx"),
            },
        ),
    ],
)
def test_what_stands_beside_the_devices(more, expected):
    assert choices(read(more=more)) == ALWAYS | expected


def system(inside="", arch="x86_64", machine="pc-q35-10.0", word="hvm", **own):
    attributes = "".join(f" {name}='{own[name]}'" for name in own)
    return (
        f"<os{attributes}><type arch='{arch}' machine='{machine}'>{word}"
        f"</type>{inside}</os>"
    )


UEFI = ("firmware_type", "uefi")


@pytest.mark.parametrize(
    ("text_of_os", "expected"),
    [
        (system(), set()),
        (system(firmware="efi"), {UEFI}),
        (system("<loader type='pflash'/>"), {UEFI}),
        (system("<loader type='rom'/>"), {("firmware_type", "bios")}),
        (system("<loader secure='no'/>"), set()),
        (system("<loader secure='yes'/>"), {("secure_boot", "required")}),
        (
            system(
                "<firmware><feature name='secure-boot' enabled='yes'/>"
                "</firmware>",
                firmware="efi",
            ),
            {UEFI, ("secure_boot", "required")},
        ),
        (
            system("<loader stateless='yes'/>"),
            {("firmware_stateless", "true")},
        ),
        (system("<bootmenu enable='yes'/>"), {("boot_menu", "true")}),
        (system(machine="pc-i440fx-10.0"), {("machine_type", "pc")}),
        (system(machine="pc-q35-noble"), {("machine_type", "q35")}),
        (system(machine="microvm"), {("machine_type", "microvm")}),
        (system(word="linux"), {("vm_mode", "xen")}),
        (
            system(arch="aarch64", machine="virt-10.0"),
            {
                ("machine_type", "virt"),
                ("emulation_architecture", "aarch64"),
            },
        ),
        (system(arch="i686"), set()),
    ],
)
def test_systems(text_of_os, expected):
    kinds = {kind for kind, _ in expected}
    rest = {choice for choice in ALWAYS if choice[0] not in kinds}
    assert choices(read(system=text_of_os)) == rest | expected


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("pc", True),
        ("pc-1.2", True),
        ("pc-i440fx-rhel7.6.0", True),
        ("q35", True),
        ("pc-q35-noble", True),
        # QEMU 10.0 has none in these
        ("microvm", False),
        ("isapc", False),
        ("virt-10.0", False),
        ("s390-ccw-virtio-10.0", False),
    ],
)
def test_a_machine_that_has_an_hpet_unless_the_domain_says_no(
    machine, expected
):
    result = read(more="<clock/>", system=system(machine=machine))
    assert (("hpet", "true") in choices(result)) == expected


@pytest.mark.parametrize(
    ("allowed", "exempted", "outcome"),
    [
        (["q35"], "x", "allow"),
        (["pc-q35-*"], "x", "allow"),
        (["pc-q35-10.0"], "x", "allow"),
        (["pc-q35-9.*"], "x", "refuse"),
        (["pc"], "x", "refuse"),
        ([], "x", "refuse"),
        (["pc"], "q35", "allow"),
        (["pc"], "pc-q35-10.0", "allow"),
    ],
)
def test_machine_is_allowed_or_exempted_by_either_name(
    allowed, exempted, outcome
):
    exemption = {
        "id": "one",
        "reason": "r",
        "until": "2026-06-15",
        "servers": [UUID],
        "rules": {"guest_devices.machine_type": [exempted]},
    }
    verdict = judged(
        policy(
            guest_devices={"machine_type": {"allow": allowed}},
            exemptions=[exemption],
        ),
        read(),
    )
    assert verdict.outcome == outcome
    assert bool(verdict.exempted) is (exempted != "x")


PCI = "<hostdev mode='subsystem' type='pci'/>"
MDEV = "<hostdev mode='subsystem' type='mdev'/>"
HOSTDEV, VDPA, MACVTAP = (
    f"<interface type='{kind}'><source {mode}/></interface>"
    for kind, mode in (
        ("hostdev", ""),
        ("vdpa", ""),
        ("direct", "mode='passthrough'"),
    )
)
GPU = spec("pci_passthrough:alias", "gpu:2")
MANY = spec("pci_passthrough:alias", f"gpu:{'9' * 5000}")
ODD, VGPU = spec("pci_passthrough:alias", "gpu:x"), spec("resources:VGPU", "1")
FPGA = spec("accel:device_profile", "fpga")


@pytest.mark.parametrize(
    ("devices", "specs", "expected"),
    [
        ("", GPU + VGPU, []),
        (PCI * 2, GPU, [("aliases", "gpu", "2")]),
        (PCI * 3, GPU, [("aliases", "gpu", "2"), ("ports", "pf", "1")]),
        (
            PCI * 1001,
            spec("pci_passthrough:alias", "gpu:1000"),
            [("aliases", "gpu", "1000"), ("ports", "pf", "1")],
        ),
        (PCI, "", [("ports", "pf", "1")]),
        (PCI, FPGA, [("device_profiles", "fpga", "1")]),
        (PCI * 2, MANY, [("aliases", "gpu", "9" * 5000)]),
        (PCI * 2, ODD, [("aliases", "gpu", "x")]),
        (PCI, None, [("aliases", "unknown", "1")]),
        (MDEV, VGPU, [("mdev", "VGPU", "1")]),
        (MDEV, "", [("mdev", "unknown", "1")]),
        (MDEV, GPU, [("mdev", "unknown", "1")]),
        (HOSTDEV * 2, "", [("ports", "vf", "2")]),
        (HOSTDEV, None, [("ports", "vf", "1")]),
        (MACVTAP, "", [("ports", "vf", "1")]),
        (VDPA, "", [("ports", "vdpa", "1")]),
        (
            "<disk type='nvme'><target bus='virtio'/></disk>",
            "",
            [("aliases", "unknown", "1")],
        ),
    ],
)
def test_devices_of_the_host(devices, specs, expected):
    assert [
        (each.kind, each.name, each.count)
        for each in read(devices, meta=instance(specs)).request.passthrough
    ] == expected


def test_the_source_of_a_device_of_the_host():
    assert read(PCI * 2, meta=instance(None)).request.passthrough == (
        hardware.Passthrough(
            *("aliases", "unknown", "hostdev of the domain", "2")
        ),
    )
    port = "ports", "vf", "interface of the domain", "1", ("remote_managed",)
    result = read(HOSTDEV)
    assert result.request.passthrough == (hardware.Passthrough(*port),)
    # a port may be managed remotely
    for allowed in ("vf", "remote_managed"):
        assert not judged(
            policy(passthrough={"allow": {"ports": [allowed]}}), result
        ).violations


@pytest.mark.parametrize(
    ("specs", "checks"),
    [
        (spec("vhard:require", "iommu"), {"iommu"}),
        ("", set()),
        ("<n:extraSpec name='vhard:require'/>", set()),
        ("<n:extraSpec/>", set()),
    ],
)
def test_flavor_demands_checks_of_the_host(specs, checks):
    assert read(meta=instance(specs)).request.host_checks == checks


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ("<vsock model='virtio'/>", "vsock"),
        ("<shmem name='x'/>", "shmem"),
        ("<smartcard mode='host'/>", "smartcard"),
        ("<parallel type='pty'/>", "parallel"),
        ("<unheard-of/>", "unheard-of"),
        ("<hostdev mode='subsystem' type='usb'/>", "hostdev usb"),
        ("<hostdev mode='subsystem' type='scsi'/>", "hostdev scsi"),
        ("<filesystem type='mount'/>", "filesystem"),
        ("<input type='evdev'/>", "input evdev"),
        ("<disk type='dir'/>", "disk dir"),
        ("<disk type='vhostuser'/>", "disk vhostuser"),
        ("<disk type='volume'/>", "disk volume"),
        (
            "<disk><backingStore type='file'><backingStore type='nvme'/>"
            "</backingStore></disk>",
            "backingStore nvme",
        ),
        (
            "<disk><source><dataStore type='nvme'/></source></disk>",
            "dataStore nvme",
        ),
        ("<disk><mirror type='vhostuser'/></disk>", "mirror vhostuser"),
        # libvirt asks its own network what this is when the guest starts
        ("<interface type='network'/>", "interface network"),
        ("<interface type='user'/>", "interface user"),
        ("<serial type='dev'/>", "serial dev"),
        ("<console type='dev'/>", "console dev"),
        ("<channel type='dev'/>", "channel dev"),
        ("<channel type='udp'/>", "channel udp"),
        ("<rng><backend model='egd'/></rng>", "backend egd"),
        (
            "<serial type='pty'><target type='usb-serial'/></serial>",
            "target usb-serial",
        ),
        ("<redirdev bus='usb' type='tcp'/>", "redirdev tcp"),
        ("<graphics type='egl-headless'/>", "graphics egl-headless"),
        ("<graphics type='dbus'/>", "graphics dbus"),
        (
            "<graphics type='spice'><gl rendernode='/dev/dri/renderD128'/>"
            "</graphics>",
            "gl yes",
        ),
        (
            "<video><model type='virtio'><acceleration accel3d='yes'/>"
            "</model></video>",
            "acceleration yes",
        ),
        ("<video><driver name='vhostuser'/></video>", "driver vhostuser"),
        ("<audio id='1' type='alsa'/>", "audio alsa"),
        ("<audio id='1'/>", "audio"),
        (
            "<tpm model='tpm-tis'><backend type='passthrough'/></tpm>",
            "backend passthrough",
        ),
        (
            "<channel type='unix'><target type='virtio' name='x'/></channel>",
            "target x",
        ),
        (
            "<channel type='pty'><target name='org.qemu.guest_agent.1'/>"
            "</channel>",
            "target org.qemu.guest_agent.1",
        ),
        ("<panic model='isa'/>", "panic isa"),
        ("<panic/>", "panic"),
        ("<watchdog model='ib700' action='reset'/>", "watchdog ib700"),
        ("<controller type='ccid' index='0'/>", "controller ccid"),
        ("<controller type='xenbus'/>", "controller xenbus"),
        ("<controller/>", "controller"),
        ("<memory model='virtio-mem'/>", "memory virtio-mem"),
        ("<memory model='sgx-epc'/>", "memory sgx-epc"),
        ("<memory model='unheard-of'/>", "memory unheard-of"),
        ("<disk rawio='yes'/>", "disk rawio"),
        ("<disk sgio='unfiltered'/>", "disk sgio unfiltered"),
        (
            "<disk type='network'><source protocol='nbd'>"
            "<host transport='unix' socket='/x'/></source></disk>",
            "source nbd",
        ),
        (
            "<disk type='block'><source><reservations managed='yes'/>"
            "</source></disk>",
            "reservations",
        ),
        (
            "<interface type='vhostuser'><backend type='passt'/></interface>",
            "backend passt",
        ),
        (
            "<channel type='unix'><source mode='connect' path='/x'/>"
            "</channel>",
            "source connect",
        ),
        ("<serial type='tcp'><source host='h'/></serial>", "source connect"),
        (
            "<console type='pty'><target type='virtio'/></console>",
            "target virtio",
        ),
        (
            "<channel type='pty'><target type='guestfwd'/></channel>",
            "target guestfwd",
        ),
        (
            "<interface type='ethernet'><script path='/x'/></interface>",
            "script /x",
        ),
        (
            "<interface type='ethernet'><downscript path='/x'/></interface>",
            "downscript /x",
        ),
        (
            "<interface type='bridge'><rom file='/x'/></interface>",
            "rom /x",
        ),
        (
            "<filesystem><driver type='virtiofs'/><source socket='/x'/>"
            "</filesystem>",
            "source /x",
        ),
    ],
)
def test_what_no_rule_is_about_is_refused(devices, expected):
    result = read(devices * 2)
    (fault,) = result.request.faults
    assert replace(fault, message="", fix="") == hardware.Fault(
        "device", expected, "", origin=hardware.DOMAIN, count="2"
    )
    assert [
        (each.cause.value, each.count)
        for each in judged(shipped("baseline"), result).refusals
        if each.rule == "guest_devices"
    ] == [(expected, "2")]


@pytest.mark.parametrize(
    ("devices", "passthrough", "outcome"),
    [
        ("audit", "enforce", "refuse"),
        ("enforce", "audit", "refuse"),
        ("audit", "audit", "audit"),
        ("audit", None, "audit"),
        (None, "audit", "refuse"),
        (None, None, "refuse"),
    ],
)
def test_what_no_rule_is_about_may_be_a_device_of_the_host(
    devices, passthrough, outcome
):
    rules = {
        "guest_devices": {"disk_bus": {"allow": ["virtio"], "mode": devices}},
        "passthrough": {"allow": {"ports": ["vf"]}, "mode": passthrough},
    }
    if not devices:
        del rules["guest_devices"]
    if not passthrough:
        del rules["passthrough"]
    result = read("<hostdev mode='subsystem' type='usb'/>")
    assert judged(policy(**rules), result).outcome == outcome


def each(text, *words):
    """Return elements that differ in a word."""
    return "".join(text.format(word) for word in words)


_PORTS = ("file", "null", "pty", "spicevmc", "tcp", "unix")
#: What libvirt and Nova write of what is behind a device.
WRITTEN = (
    each("<disk type='{}'><backingStore/></disk>", "block", "file", "network"),
    each("<interface type='{}'/>", "bridge", "direct", "ethernet", "hostdev"),
    each("<interface type='{}'/>", "vdpa", "vhostuser"),
    each("<serial type='{}'/>", *_PORTS),
    each("<console type='{}'/>", *_PORTS),
    each("<channel type='{}'/>", *_PORTS),
    each("<controller type='{}'/>", "fdc", "ide", "pci", "sata", "scsi"),
    each("<controller type='{}'/>", "usb", "virtio-serial"),
    each(
        "<console type='pty'><target type='{}'/></console>",
        *("serial", "sclp", "sclplm"),
    ),
    each(
        "<serial type='pty'><target type='{}-serial'/></serial>",
        *("isa", "sclp", "spapr-vio", "system"),
    ),
    "<disk type='block'><source><dataStore type='file'/></source>"
    "<mirror file='/x'/><backingStore type='network'><backingStore "
    "type='block'><backingStore/></backingStore></backingStore></disk>",
    "<disk type='nvme'/><disk type='vhostvdpa'/>",
    "<rng><backend model='random'/></rng>",
    "<rng><backend model='builtin'/></rng>",
    "<graphics type='vnc'/><graphics type='spice'><gl enable='no'/>"
    "</graphics><audio id='1' type='spice'/><redirdev type='spicevmc'/>",
    "<video><driver iommu='on'/><model type='virtio'><acceleration/>"
    "</model></video><serial type='pty'><target port='0'/></serial>",
    "<disk rawio='no' sgio='filtered'><source protocol='rbd'>"
    "<host name='h'/></source></disk>",
    "<interface type='bridge'><rom bar='off'/><backend tap='/x'/>"
    "</interface><memory model='dimm'/><memory model='virtio-pmem'/>",
    "<serial type='tcp'><source mode='bind'/></serial>"
    "<channel type='unix'><source mode='bind'/><target type='virtio' "
    "name='org.qemu.guest_agent.0'/></channel><channel type='spicevmc'>"
    "<target name='com.redhat.spice.0'/></channel><panic model='s390'/>"
    "<panic model='pseries'/><watchdog model='i6300esb'/>"
    "<serial type='pty'><source path='/dev/pts/1'/></serial>",
    "<console type='pty'><target/></console>"
    "<interface type='ethernet'><script path=''/></interface>",
)
BESIDE = domain_devices.KNOWN_ELEMENTS - {
    *("devices", "launchSecurity", "metadata", "name", "os", "uuid"),
    "sysinfo",
}
OF_SYSTEM = domain_devices.KNOWN_SYSTEM - {"dtb", "type"}
_HTTP = "<source protocol='http' name='/x'><host name='h'/></source>"
_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"


@pytest.mark.parametrize(
    ("parts", "faults"),
    [
        ({"devices": "".join(WRITTEN)}, []),
        (
            {
                "more": each("<{}/>", *sorted(BESIDE)),
                "system": system(each("<{}/>", *sorted(OF_SYSTEM))),
            },
            [],
        ),
        # variables of the firmware are a file
        ({"system": system("<nvram template='/t'>/x</nvram>")}, []),
        (
            {"system": system("<nvram template='/t' type='file'>/x</nvram>")},
            [],
        ),
        # files that the firmware hands on
        (
            {"more": "<sysinfo type='fwcfg'><entry file='/x'/></sysinfo>"},
            ["sysinfo fwcfg"],
        ),
        ({"more": "<sysinfo type='smbios'/>"}, []),
        # a table in a file
        (
            {"system": system("<acpi><table type='slic'>/x</table></acpi>")},
            ["table slic"],
        ),
        ({"system": system("<dtb>/x</dtb>")}, ["dtb /x"]),
        (
            {
                "system": system(
                    "<nvram type='block'><source dev='/x'/></nvram>"
                )
            },
            ["nvram block"],
        ),
        ({"system": system("<shim>/x</shim>")}, ["shim"]),
        ({"system": system("<varstore path='/x'/>")}, ["varstore"]),
        ({"system": system("<bios useserial='yes'/>")}, ["bios useserial"]),
        # what is next to the devices and is not known
        (
            {"more": "<genid>43dc0cf8-809b-4adb-9bea-a9abb5f3d90e</genid>"},
            ["genid"],
        ),
        ({"more": "<bootloader>/x</bootloader>"}, ["bootloader"]),
        ({"more": "<odd/>"}, ["odd"]),
        # arguments for QEMU
        (
            {
                "more": f"<q:commandline xmlns:q='{_QEMU}'>"
                "<q:arg value='-x'/></q:commandline>"
                f"<q:deprecation xmlns:q='{_QEMU}' behavior='omit'/>"
            },
            ["commandline"],
        ),
        # an image of another process below a disk
        *(
            (
                {"devices": f"<disk type='block'>{inner}</disk>"},
                ["source http"],
            )
            for inner in (
                f"<backingStore type='network'>{_HTTP}<backingStore/>"
                "</backingStore>",
                "<backingStore type='block'><source dev='/x'/><backingStore "
                f"type='network'>{_HTTP}</backingStore></backingStore>",
                f"<mirror type='network' job='copy'>{_HTTP}</mirror>",
                f"<source><dataStore type='network'>{_HTTP}</dataStore>"
                "</source>",
            )
        ),
    ],
)
def test_what_is_not_known_is_refused(parts, faults):
    assert [fault.value for fault in read(**parts).request.faults] == faults


#: As the guard's options are by default.
FOLDERS = {
    option.name: option.default
    for option in guard_conf.OPTS
    if option.name in domain_devices.FILES
}
OWN = f"/var/lib/nova/instances/{UUID}"
BASE = "/var/lib/nova/instances/_base/1"
_CHAIN = "<backingStore type='file'><source file='{}'/></backingStore>"
_DISK = "<disk type='file'>{}</disk>".format
_UNIX = "<channel type='unix'><source mode='bind' path='{}'/></channel>"


@pytest.mark.parametrize(
    ("option", "element", "inside", "outside"),
    [
        (
            "disk_paths",
            _DISK("<source file='{}'/>"),
            f"{OWN}/disk",
            # of another guest
            OWN.replace("155d", "255d") + "/disk",
        ),
        ("disk_paths", _DISK("<source file='{}'/>"), BASE, f"{OWN}/../x"),
        ("disk_paths", _DISK("<source file='{}'/>"), BASE, f"{OWN}_resize/x"),
        ("disk_paths", _DISK("<source file='{}'/>"), BASE, "disk"),
        (
            "disk_paths",
            "<disk type='block'><source dev='{}'/></disk>",
            "/dev/dm-1",
            "/run/dm-1",
        ),
        ("backing_paths", _DISK(_CHAIN), BASE, "/dev/sda"),
        (
            "backing_paths",
            _DISK(_CHAIN.replace(" file=", " dev=")),
            BASE,
            "/dev/sda",
        ),
        (
            "backing_paths",
            _DISK(_CHAIN.replace("<source", "<backingStore/><source")),
            "/var/lib/nova/mnt/a/b",
            "/dev/mem",
        ),
        (
            "disk_paths",
            _DISK("<mirror type='file'><source file='{}'/></mirror>"),
            "/var/lib/nova/instances/snapshots/a/b.delta",
            "/tmp/b",
        ),
        (
            "backing_paths",
            _DISK(
                "<source><dataStore><source file='{}'/></dataStore></source>"
            ),
            f"{OWN}/data",
            "/dev/sda",
        ),
        (
            "disk_paths",
            "<kernel>{}</kernel>",
            f"{OWN}/kernel",
            "/boot/vmlinuz",
        ),
        (
            "disk_paths",
            "<initrd>{}</initrd>",
            f"{OWN}/ramdisk",
            "/boot/initrd",
        ),
        (
            "firmware_paths",
            "<loader type='pflash'>{}</loader>",
            "/usr/share/OVMF/OVMF_CODE_4M.fd",
            "/tmp/code.fd",
        ),
        (
            "firmware_paths",
            "<nvram template='{}'/>",
            "/usr/share/OVMF/OVMF_VARS_4M.fd",
            "/tmp/vars.fd",
        ),
        (
            "nvram_paths",
            "<nvram>{}</nvram>",
            "/var/lib/libvirt/qemu/nvram/instance-1_VARS.fd",
            "/tmp/vars.fd",
        ),
        (
            "nvram_paths",
            "<nvram type='file'><source file='{}'/></nvram>",
            "/var/lib/libvirt/qemu/nvram/instance-1_VARS.fd",
            "/var/lib/libvirt/qemu/other",
        ),
        (
            "rng_paths",
            "<rng model='virtio'><backend model='random'>{}</backend></rng>",
            "/dev/urandom",
            "/dev/sda",
        ),
        (
            "port_paths",
            "<serial type='file'><source path='{}'/></serial>",
            f"{OWN}/console.log",
            "/home/user/.ssh/authorized_keys",
        ),
        (
            "port_paths",
            "<serial type='pty'><log file='{}'/></serial>",
            f"{OWN}/console.log",
            "/home/user/.ssh/authorized_keys",
        ),
        (
            "port_paths",
            "<console type='file'><source path='{}'/></console>",
            f"{OWN}/console.log",
            "/tmp/x",
        ),
        ("port_paths", _UNIX, "/run/libvirt/qemu/channel/1/x", "/run/x"),
        (
            "tpm_paths",
            "<tpm model='tpm-crb'><backend type='emulator' version='2.0'>"
            "<source type='file' path='{}'/></backend></tpm>",
            f"/var/lib/libvirt/swtpm/{UUID}/tpm2",
            "/tmp/tpm2",
        ),
        (
            "share_paths",
            "<filesystem><driver type='virtiofs'/><source dir='{}'/>"
            "</filesystem>",
            "/var/lib/nova/mnt/a",
            "/",
        ),
    ],
)
def test_a_file_where_nova_does_not_put_it(option, element, inside, outside):
    is_system = element.startswith(("<init", "<kern", "<load", "<nvram"))

    def faults(path, folders):
        more = element.format(path)
        result = domain.read(
            text(system=system(more)) if is_system else text(more),
            subject.START,
            "x86_64",
            folders,
        )
        return [
            replace(fault, message=fault.message.rpartition(" ")[2])
            for fault in result.request.faults
        ]

    assert faults(inside, FOLDERS) == []
    fault = hardware.Fault(
        "file", outside, option, origin=hardware.DOMAIN, count="1"
    )
    assert (faults(outside, FOLDERS), faults(outside, {})) == ([fault], [])


KNOWN = subject.Subject(
    subject.MOVE, "p1", image="i1", flavor="m1", flavor_id="42", server=UUID
)


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (instance(), KNOWN),
        (instance(image=""), replace(KNOWN, image=None)),
        ("<metadata/>", subject.Subject(subject.MOVE, server=UUID)),
    ],
)
def test_subject_is_of_novas_metadata(meta, expected):
    assert domain.read(text(meta=meta), subject.MOVE).subject == expected


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (text(), "instance-1"),
        (text().replace(b"<name>instance-1</name>", b""), ""),
    ],
    ids=["named", "nameless"],
)
def test_name_and_uuid(document, name):
    result = domain.read(document, subject.START)
    assert (result.name, result.uuid) == (name, UUID)


ARM = "<os><type arch='aarch64' machine='virt'>hvm</type></os>"


USB = "<controller type='usb' model='qemu-xhci'/>"


@pytest.mark.parametrize(
    ("arguments", "host", "kind", "values"),
    [
        # an architecture that the host cannot run natively is emulated
        (("", "", ARM), "aarch64", "emulation_architecture", []),
        (("", "", ARM), "x86_64", "emulation_architecture", ["aarch64"]),
        (("", "", ARM), "riscv64", "emulation_architecture", ["aarch64"]),
        # devices that libvirt adds depend on the guest, not on the host
        ((USB,), "aarch64", "usb_model", ["qemu-xhci"]),
        ((USB, "", ARM), "x86_64", "usb_model", []),
    ],
)
def test_guest_and_host(arguments, host, kind, values):
    assert [
        each.value
        for each in read(*arguments, host=host).request.explicit(kind)
    ] == values


AGENT = "<target name='org.qemu.guest_agent.0'/>"


@pytest.mark.parametrize(
    ("devices", "more", "kind", "expected"),
    [
        (disk("ide"), "", "disk_bus", {"source": "disk bus of disk d"}),
        (
            "<interface type='bridge'><mac address='fa:16:3e:00:00:01'/>"
            "</interface>",
            "",
            "vif_model",
            {"source": "network card of interface fa:16:3e:00:00:01"},
        ),
        (
            "<interface type='bridge'/>",
            "",
            "vif_model",
            {"source": "network card"},
        ),
        (
            "<sound model='ich6'/>",
            "",
            "sound_model",
            {"source": "sound card", "setting": "sound card"},
        ),
        # as a policy has it
        (
            f"<channel type='unix'>{AGENT}</channel>",
            "",
            "guest_agent",
            {"value": "true", "written": None},
        ),
        *(
            (
                "",
                f"<launchSecurity type='sev'>{element}</launchSecurity>",
                "mem_encryption_model",
                {"value": value, "written": written},
            )
            for element, value, written in (
                ("", None, None),
                ("<policy/>", None, None),
                ("<policy> 0x0037 </policy>", "amd-sev-es", "0x0037"),
            )
        ),
    ],
)
def test_a_choice_says_what_it_is_and_of_which_device(
    devices, more, kind, expected
):
    request = read(devices, more).request
    (choice,) = request.explicit(kind)
    assert {name: getattr(choice, name) for name in expected} == expected
    assert request.devices == ()


def test_the_host_is_this_one_where_none_is_named(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert domain.read(text(system=ARM), subject.START) == read(
        system=ARM, host="aarch64"
    )


@pytest.mark.parametrize(
    ("name", "rules"),
    [("baseline", []), ("strict", ["guest_devices.firmware_type"])],
)
def test_nothing_is_implied_by_what_a_domain_does_not_say(name, rules):
    assert judged(shipped(name), read()).rules == rules


def test_flavor_names_persistent_memory():
    assert ("pmem", "6GB") in choices(
        read("<memory model='nvdimm'/>", meta=instance(spec("hw:pmem", "6GB")))
    )


def test_every_kind_has_a_place_or_a_reason():
    places, untold = domain_xml.PLACES, domain_xml.UNTOLD.keys()
    assert sorted([*places, *untold]) == sorted(KINDS)
    # every place belongs to a known device
    assert {
        place.path.split("/")[1].partition("[")[0]
        for each in places.values()
        for place in each
        if place.path.startswith("devices/")
    } <= domain_devices.KNOWN_DEVICES


BOMB = (
    "<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;'>]>"
    "<domain><name>&b;</name></domain>"
)
EXTERNAL = (
    "<!DOCTYPE d SYSTEM 'file:///etc/passwd'><domain><name>x</name></domain>"
)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "is not XML"),
        (b"<domain", "is not XML"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"\x00" * 20, "is not XML"),
        (b"<domain/>", "does not describe a domain with a uuid"),
        (text(system="<os/>"), "has no machine type"),
        (b"<guest/>", "does not describe a domain with a uuid"),
        (b"<domain><uuid>1</uuid></domain>", "does not describe a domain"),
        (BOMB.encode(), "is a document type"),
        (EXTERNAL.encode(), "is a document type"),
        (b"<!DOCTYPE d><domain/>", "is a document type"),
        (b"<domain>&other;</domain>", "is not XML"),
        (b"<domain a='1' a='2'/>", "is not XML"),
        (b"<d>" * 300 + b"</d>" * 300, "is more than 256 elements in each"),
        (
            b"<d>" + b"<e/>" * xml.MAX_ELEMENTS + b"</d>",
            f"is more than {xml.MAX_ELEMENTS} elements",
        ),
        (b" " * (xml.MAX_SIZE + 1), f"is larger than {xml.MAX_SIZE} bytes"),
        (
            b"<?xml version='1.0' encoding='utf-7'?><domain/>",
            "does not describe a domain",
        ),
    ],
)
def test_what_is_no_domain_says_so_in_a_line(document, why):
    words = re.escape(f"the domain's XML {why}")
    with pytest.raises(domain.DomainError, match=f"^{words}") as caught:
        domain.read(document, subject.START)
    assert len(str(caught.value).splitlines()[0]) == len(str(caught.value))
    assert len(str(caught.value)) < 200
