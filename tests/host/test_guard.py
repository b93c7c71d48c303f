# SPDX-License-Identifier: Apache-2.0
"""The guard between a real libvirt and its guests."""

import contextlib
import signal
import subprocess

import libvirt
import pytest

from tests.host import daemon
from tests.host.guard import Guard, wait

POLICY = """\
version: "1"
extends: baseline
on_host: {{mode: {mode}, hot_plug: {hot_plug}, unanswered: {unanswered}}}
"""
REFUSED = "nova-vhard-guard: "
CARD = "<interface type='ethernet'><model type='e1000e'/></interface>"


def policy(mode="enforce", hot_plug="report", unanswered="allow"):
    return POLICY.format(mode=mode, hot_plug=hot_plug, unanswered=unanswered)


@pytest.fixture(scope="module")
def host(place):
    with daemon.Libvirt(place / "guarded") as running:
        yield running


@pytest.fixture(scope="module")
def connection(host):
    with contextlib.closing(host.connect()) as result:
        yield result


@pytest.fixture(scope="module")
def installed(place, host):
    with Guard(place / "guard", host).installed(policy()) as result:
        wait(result.is_asked)
        yield result


@pytest.fixture
def guard(installed, connection):
    """Return the guard, in mode enforce; take all guests away afterwards."""
    installed.policy(policy())
    yield installed
    for domain in connection.listAllDomains():
        persistent = domain.isPersistent()
        if domain.isActive():
            domain.destroy()
        if persistent:
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)


def refusal(call, *arguments):
    """Return what libvirt says of what the guard refuses."""
    with pytest.raises(libvirt.libvirtError, match=REFUSED) as caught:
        call(*arguments)
    return str(caught.value)


def test_a_probe_of_a_guarded_host(guard, connection):
    done = guard.command("probe")
    assert (done.returncode, done.stdout[:9]) == (0, "guarded: ")
    assert guard.command("status").returncode == 0
    assert connection.listAllDomains() == []


def runs(host, name):
    return [each for each in host.processes() if f"{name}.img" in each]


def test_a_guest_that_is_refused_never_runs(guard, host, connection):
    text = refusal(connection.createXML, host.describe("bad", bus="sata"))
    assert "disk bus of disk sda=sata (allowed: virtio, scsi)" in text
    assert (connection.listAllDomains(), runs(host, "bad")) == ([], [])
    host.start("good")
    assert guard.outcomes()[-2:] == [("start", "refuse"), ("start", "allow")]


def disk_of(text):
    """Return the path of the first disk of a guest."""
    return text.partition("<source file='")[2].partition("'")[0]


def overlay(host, name, backing=None):
    """Describe a guest whose backing file only the image names.

    :param backing: backing file; by default one that the policy allows
    """
    text = host.describe(name).replace("type='raw'", "type='qcow2'")
    backing = str(backing or disk_of(host.describe("base")))
    options = ["-u", "-F", "raw", "-b", backing]
    if backing.startswith("data_file="):
        options = ["-o", backing]
    create = ["qemu-img", "create", "-f", "qcow2", *options, disk_of(text)]
    subprocess.run([*create, "1M"], check=True)
    return text


@pytest.fixture(scope="module")
def elsewhere():
    """Yield a folder that the policy does not allow for files of guests."""
    with daemon.folder() as path:
        (path / "raw").write_bytes(bytes(1 << 20))
        yield path


@pytest.mark.parametrize(
    ("backing", "named"),
    [
        ("nbd+unix:///?socket=/nbd", "source nbd"),
        ("http://192.0.2.1/raw", "source http"),
        ("data_file={}/raw,data_file_raw=on", "disk_paths"),
        ('json:{{"driver": "file", "filename": "{}/raw"}}', "disk_paths"),
        ("{}/raw", "raw' is not in a folder of [vhard_guard] disk_paths"),
    ],
)
def test_a_guest_whose_image_names_what_it_is_based_on(
    guard, host, connection, elsewhere, backing, named
):
    text = overlay(host, "based", backing.format(elsewhere))
    guest = connection.defineXML(text)
    assert named in refusal(guest.create)
    assert (guest.isActive(), runs(host, "based")) == (False, [])
    events = guard.outcomes()
    assert events[-1] == ("start", "refuse")
    # the same with what every image may be based on
    overlay(host, "based")
    guest.create()
    assert guard.outcomes() == [*events, ("start", "allow")]


def test_what_a_guest_had_follows_it(guard, host, connection):
    guard.policy(policy("audit"))
    guest = connection.defineXML(host.describe("old", bus="sata"))
    guest.create()
    guard.policy(policy())
    # A hard reboot, as Nova does it; the daemon is started again, too.
    guest.destroy()
    guest.undefine()
    guard.kill(signal.SIGTERM)
    guard.start()
    own = {"bus": "sata", "more": f"<uuid>{guest.UUIDString()}</uuid>"}
    guest = connection.defineXML(host.describe("old", **own))
    guest.create()
    assert guard.outcomes()[-1] == ("start", "warn")
    guest.destroy()
    # The same with one device more.
    text = host.describe("old", devices=CARD, **own)
    more = connection.defineXML(text)
    assert "=e1000e (allowed: virtio)" in refusal(more.create)


def test_a_guest_from_a_saved_state(guard, host, connection):
    guard.policy(policy("audit"))
    guest = connection.defineXML(host.describe("saved", bus="sata"))
    guest.create()
    guest.managedSave()
    guard.policy(policy())
    guest.create()
    assert (guest.isActive(), guard.outcomes()[-1]) == (1, ("start", "warn"))
    metrics = guard.place / "metrics" / "nova_vhard_guard.prom"
    wait(lambda: 'operation="restore"' in metrics.read_text())


def test_a_restore_that_is_refused_keeps_what_was_saved(
    guard, host, connection, elsewhere
):
    saved = elsewhere / "saved"
    connection.createXML(overlay(host, "restored")).save(str(saved))
    # What its image is based on is another file by then.
    overlay(host, "restored", elsewhere / "raw")
    assert "is not in a folder" in refusal(connection.restore, str(saved))
    assert (connection.listAllDomains(), saved.exists()) == ([], True)
    overlay(host, "restored")
    connection.restore(str(saved))
    (guest,) = connection.listAllDomains()
    assert guest.isActive()


def test_without_a_daemon(guard, host, connection):
    guard.policy(policy(unanswered="refuse"))
    guard.kill()
    # The same hook, without the daemon.
    assert not guard.is_asked()
    with pytest.raises(libvirt.libvirtError, match="does not answer"):
        host.start("refused")
    guard.start()
    guard.policy(policy())
    guard.kill()
    host.start("unjudged", bus="sata")
    # When the daemon starts again, it judges running guests but stops none.
    guard.start()
    wait(lambda: ("attach", "refuse") in guard.outcomes())
    assert len(connection.listAllDomains()) == 1


def test_a_device_that_a_guest_gives_up_is_taken_away(guard, host, connection):
    guard.policy(policy(hot_plug="detach"))
    text = host.describe("gives")
    # QEMU removes a USB device without the guest's help.
    text = text.replace("usb' model='none'/", "usb' model='qemu-xhci'/")
    guest = connection.createXML(text)
    disk = host.describe("other").partition("<disk")[2].partition("</disk>")[0]
    disk = f"<disk{disk}</disk>".replace("bus='virtio'", "bus='usb'")
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE
    guest.attachDeviceFlags(disk.replace("vda", "sda"), flags)
    wait(lambda: f"taken from guest {guest.UUIDString()}" in guard.log())
    assert guard.outcomes()[-2:] == [("start", "allow"), ("attach", "refuse")]
    # An allowed device stays.
    buses = [f"bus='{bus}'" in guest.XMLDesc(0) for bus in ("usb", "virtio")]
    assert buses == [False, True]


CDROM = (
    "<disk type='file' device='cdrom'>{}<target dev='sdb' bus='sata'/></disk>"
)
COPY = "<disk type='file'><source file='{}'/><driver type='raw'/></disk>"
SNAPSHOT = (
    "<domainsnapshot><disks><disk name='vda' snapshot='external'>"
    "<source file='{}'/></disk></disks></domainsnapshot>"
)


def change_media(guest, path):
    path.write_bytes(bytes(1 << 20))
    text = CDROM.format(f"<source file='{path}'/>")
    guest.updateDeviceFlags(text, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def copy_blocks(guest, path):
    guest.blockCopy("vda", COPY.format(path))


def snapshot(guest, path):
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
    flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
    guest.snapshotCreateXML(SNAPSHOT.format(path), flags)


@pytest.mark.parametrize(
    ("change", "hot_plug"),
    [
        (change_media, "detach"),
        (copy_blocks, "report"),
        (copy_blocks, "detach"),
        (snapshot, "detach"),
    ],
)
def test_a_file_of_a_running_guest_changes(
    guard, host, connection, elsewhere, change, hot_plug
):
    guard.policy(policy(hot_plug=hot_plug))
    uuid = host.start("changes", devices=CDROM.format(""))
    guest = connection.lookupByUUIDString(uuid)
    before = len(guard.outcomes())
    path = elsewhere / f"{change.__name__}-{hot_plug}"
    change(guest, path)
    wait(lambda: len(guard.outcomes()) > before)
    (refused,) = guard.events()[-1]["violations"]
    assert (refused["source"], refused["value"]) == ("file", str(path))
    kept = f"Guest {uuid} keeps"
    if hot_plug == "detach":
        wait(lambda: kept in guard.log(), 60)
    assert (kept in guard.log()) == (hot_plug == "detach")
    # It is never ended, and nothing is said twice.
    assert guest.isActive()
    assert guard.outcomes()[before:] == [("attach", "refuse")]
