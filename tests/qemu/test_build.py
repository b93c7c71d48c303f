# SPDX-License-Identifier: Apache-2.0
"""The built QEMU: what it offers, refuses, and starts."""

import contextlib
import socket
from xml.etree import ElementTree

import pytest

from nova_vhard.catalogue.checks import CHECKS
from tests.qemu import build, figures, plans

# Nobody's choice, and in each build: parts of q35 and of virtio.
COMES_ALONG = {
    "acpi-erst",
    "mc146818rtc",
    "pc-dimm",
    "ramfb",
    "virtio-multitouch-device",
    "virtio-multitouch-pci",
    "vmclock",
    "vmgenid",
}
MACHINE = ("-machine", "q35,accel=tcg")


def test_it_offers_what_the_policy_allows_and_nothing_that_it_refuses(
    emulator, plan
):
    build.check_devices(emulator, plan, COMES_ALONG)


DISK = ("-drive", "if=none,id=d,file=null-co://,format=raw")
DEVICES = {
    "e1000": ("-device", "e1000"),
    "ide-hd": (*DISK, "-device", "ide-hd,drive=d,bus=ide.0"),
    "VGA": ("-device", "VGA"),
    "isa-fdc": ("-device", "isa-fdc"),
    "scsi-block": ("-device", "virtio-scsi-pci", "-device", "scsi-block"),
    "qemu-xhci": ("-device", "qemu-xhci"),
}


@pytest.mark.parametrize("device", DEVICES)
def test_it_refuses_a_device_that_the_full_one_has(emulator, device):
    words = (*MACHINE, *DEVICES[device])
    done = build.start(emulator, *words)
    assert done.returncode == 1
    assert f"'{device}' is not a valid device model name" in done.stderr
    if device != "scsi-block":
        # That one needs a device of the host.
        assert build.start(build.SYSTEM, *words).returncode == 0


def test_it_starts_with_what_is_allowed(emulator):
    more = ("virtio-blk-pci,drive=d", "virtio-vga", "virtio-net-pci")
    more += ("virtio-scsi-pci", "ide-cd")
    words = [word for each in more for word in ("-device", each)]
    done = build.start(emulator, *MACHINE, *DISK, *words)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def results(libvirtd, emulator, place):
    from tests.host.reporter import Reporter

    reporter = Reporter(place / "reporter", libvirtd.uri, policy=plans.BUILT)
    reporter.facts()
    return reporter.check(build.installed(emulator, place))


@pytest.mark.parametrize(
    "name", [name for name in CHECKS if name.startswith("qemu_")]
)
def test_the_reporter_passes_it(results, name):
    result = results[name]
    assert result["status"] == "PASS", result
    assert any("/usr/bin/qemu-system-x86_64" in x for x in result["evidence"])


DOMAIN = """\
<domain type='qemu'>
  <name>minimal</name>
  <memory unit='MiB'>128</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/><vmcoreinfo state='on'/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{place}/disk.img'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='{place}/cdrom.img'/>
      <target dev='sda' bus='sata'/>
      <readonly/>
    </disk>
    <controller type='usb' model='none'/>
    <controller type='pci' model='pcie-root'/>
    <controller type='pci' model='pcie-root-port'/>
    <interface type='ethernet'>
      {nic}
    </interface>
    <serial type='tcp'>
      <source mode='connect' host='127.0.0.1' service='{port}'/>
    </serial>
    <graphics type='vnc' autoport='yes' listen='127.0.0.1'/>
    <video><model type='virtio'/></video>
    <memballoon model='virtio'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
  <seclabel type='none'/>
</domain>
"""
# 16 bits: send the text behind it to the first serial port, then halt.
_SENDS = bytes.fromhex("ba f803 be 117c fc ac 84c0 7403 ee ebf8 f4 ebfd 90")
TEXT = b"booted from the virtio disk\r\n"


@pytest.fixture(scope="module")
def console():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@pytest.fixture
def connection(libvirtd, place):
    """Return a connection; a disk speaks on the serial port."""
    sector = (_SENDS + TEXT).ljust(510, b"\0") + b"\x55\xaa"
    (place / "disk.img").write_bytes(sector.ljust(1 << 20, b"\0"))
    (place / "cdrom.img").write_bytes(bytes(1 << 20))
    with contextlib.closing(libvirtd.connect()) as result:
        yield result


def domain(place, console, nic="<model type='virtio'/>"):
    port = console.getsockname()[1]
    return DOMAIN.format(place=place, nic=nic, port=port)


# On the root, so that libvirt asks for no bridge first, which is not there
# either.
E1000 = """\
<model type='e1000'/>
      <address type='pci' domain='0' bus='0' slot='7' function='0'/>"""


def test_libvirt_starts_a_guest_like_novas(connection, place, console):
    guest = connection.createXML(domain(place, console))
    try:
        text, _address = console.accept()
        with text:
            text.settimeout(60)
            printed = b""
            while TEXT not in printed:
                read = text.recv(4096)
                assert read, printed
                printed += read
        assert guest.isActive()
        tree = ElementTree.fromstring(guest.XMLDesc())
        port = int(tree.find("devices/graphics").get("port"))
        with socket.create_connection(("127.0.0.1", port), 20) as stream:
            assert stream.recv(12).startswith(b"RFB ")
        targets = tree.findall("devices/disk/target")
        # QEMU answers for each.
        assert all(guest.blockInfo(each.get("dev")) for each in targets)
        assert {each.get("bus") for each in targets} == {"virtio", "sata"}
    finally:
        guest.destroy()


def test_libvirt_starts_none_with_an_e1000(connection, place, console):
    import libvirt

    with pytest.raises(libvirt.libvirtError, match="e1000"):
        connection.createXML(domain(place, console, E1000))


def test_the_figures(emulator, package, plan):
    """Measured, and written into the documentation where that is asked."""
    left = set(plan.left_devices)
    before = figures.measure(build.SYSTEM, left)
    after = figures.measure(emulator, left)
    for name, share in (("devices", 2), ("mib", 1), ("loaded", 2)):
        assert after[name] < before[name] / share
    assert before["refused"] > 60 and not after["refused"]
    figures.write(before, after, package)
