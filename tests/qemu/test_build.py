# SPDX-License-Identifier: Apache-2.0
"""The built QEMU: what it offers, refuses, and starts."""

import contextlib
import socket
import subprocess
import time
from xml.etree import ElementTree

import pytest

from nova_vhard.catalogue.checks import CHECKS
from tests.qemu import build, figures, plans, source

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
MACHINE = ("-machine", "q35,accel=tcg", "-S")
QUIET = ("-nodefaults", "-no-user-config", "-display", "none")


@pytest.fixture(scope="module")
def offered(emulator):
    return build.devices(emulator)


def test_it_offers_what_the_policy_allows_and_nothing_that_it_refuses(
    offered, plan
):
    assert len(plan.devices) > 30 and len(plan.left_devices) > 60
    assert not offered & set(plan.left_devices)
    assert set(plan.devices) <= offered


def test_what_comes_along_is_known(offered, plan):
    more = {
        each
        for each in offered - set(plan.devices)
        if not each.startswith(("virtio-balloon-", "virtio-serial-"))
    }
    assert more == COMES_ALONG


def start(binary, *words):
    """Start a machine that ends as soon as it is there."""
    return subprocess.run(
        [binary, *QUIET, *MACHINE, *words, "-monitor", "stdio"],
        input="quit\n",
        env=source.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


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
    done = start(emulator, *DEVICES[device])
    assert done.returncode == 1
    assert f"'{device}' is not a valid device model name" in done.stderr
    if device != "scsi-block":
        # That one needs a device of the host.
        assert start(build.SYSTEM, *DEVICES[device]).returncode == 0


def test_it_starts_with_what_is_allowed(emulator):
    more = ("virtio-vga", "virtio-net-pci", "virtio-scsi-pci", "ide-cd")
    words = [word for each in more for word in ("-device", each)]
    done = start(emulator, *DISK, "-device", "virtio-blk-pci,drive=d", *words)
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


def write_images(place):
    """Write a disk that speaks on the serial port, and an empty CD-ROM."""
    sector = (_SENDS + TEXT).ljust(510, b"\0") + b"\x55\xaa"
    (place / "disk.img").write_bytes(sector.ljust(1 << 20, b"\0"))
    (place / "cdrom.img").write_bytes(bytes(1 << 20))


@pytest.fixture(scope="module")
def console():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@pytest.fixture
def connection(libvirtd, place):
    write_images(place)
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
            assert TEXT in until(text, TEXT)
        assert guest.isActive()
        assert greeting(guest).startswith(b"RFB ")
        assert looked_at(guest) == {"virtio", "sata"}
    finally:
        guest.destroy()


def until(stream, text):
    """Read from a socket until a text came, or a minute is over."""
    stream.settimeout(60)
    result = b""
    end = time.monotonic() + 60
    while text not in result and time.monotonic() < end:
        result += stream.recv(4096)
    return result


def greeting(guest):
    """Return the first bytes that the guest's VNC server sends."""
    tree = ElementTree.fromstring(guest.XMLDesc())
    port = int(tree.find("devices/graphics").get("port"))
    with socket.create_connection(("127.0.0.1", port), 20) as stream:
        return stream.recv(12)


def looked_at(guest):
    """Return the buses of the guest's disks; QEMU answers for each."""
    tree = ElementTree.fromstring(guest.XMLDesc())
    targets = tree.findall("devices/disk/target")
    for each in targets:
        assert guest.blockInfo(each.get("dev"))
    return {each.get("bus") for each in targets}


def test_libvirt_starts_none_with_an_e1000(connection, place, console):
    import libvirt

    with pytest.raises(libvirt.libvirtError, match="e1000"):
        connection.createXML(domain(place, console, E1000))


def test_the_figures(emulator, package, plan):
    """Measured, and written into the documentation where that is asked."""
    left = set(plan.left_devices)
    before = figures.measure(build.SYSTEM, left)
    after = figures.measure(emulator, left)
    assert after.devices < before.devices / 2
    assert after.size < before.size
    assert after.loaded < before.loaded / 2
    assert before.refused > 60 and not after.refused
    figures.write(before, after, package)
