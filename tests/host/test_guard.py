# SPDX-License-Identifier: Apache-2.0
"""The guard between a real libvirt and its guests."""

import collections
import concurrent.futures
import contextlib
import itertools
import signal
import subprocess
import time

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
PORTS = "".join(
    f"<controller type='pci' index='{index}' model='pcie-root-port'/>"
    for index in range(1, 5)
)
#: Guests that are started at once.
MANY = 200


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
    """Return a guard that is installed and runs."""
    result = Guard(place / "guard", host.hooks, host.own_uri, host.pid_file)
    result.policy(policy())
    result.start()
    assert result.command("install").returncode == 0
    wait(lambda: result.command("probe").returncode == 0)
    yield result
    result.kill()


@pytest.fixture
def guard(installed, connection):
    """Return the guard, in mode enforce; take all guests away afterwards."""
    if not installed.running:
        installed.start()
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


def test_a_probe_of_a_host_without_a_guard(place, host):
    result = Guard(place / "none", host.hooks, host.own_uri, host.pid_file)
    done = result.command("probe")
    assert done.returncode == 1
    assert done.stdout.startswith("unguarded: ")
    assert done.stdout.count("\n") == 1
    assert result.command("status").returncode == 1


def test_a_probe_of_a_guarded_host(guard, connection):
    done = guard.command("probe")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert done.stdout.startswith("guarded: ")
    status = guard.command("status")
    assert status.returncode == 0, status.stdout
    assert connection.listAllDomains() == []
    # The same hook, and nobody behind it.
    guard.kill()
    done = guard.command("probe")
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)


def test_nothing_is_known_without_libvirt(place, host):
    result = Guard(
        place / "lost",
        host.hooks,
        "qemu+unix:///system?socket=/no",
        host.pid_file,
    )
    done = result.command("probe")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_guest_that_is_refused_never_runs(guard, host, connection):
    text = refusal(connection.createXML, host.describe("bad", bus="sata"))
    assert "disk bus of disk sda=sata (allowed: virtio, scsi)" in text
    assert connection.listAllDomains() == []
    assert not [each for each in host.processes() if "bad.img" in each]
    host.start("good")
    assert guard.outcomes()[-2:] == [("start", "refuse"), ("start", "allow")]


def overlay(host, name, backing):
    """Describe a guest whose image alone names what it is based on."""
    text = host.describe(name).replace("type='raw'", "type='qcow2'")
    image = text.partition("<source file='")[2].partition("'")[0]
    options = ["-u", "-F", "raw", "-b", backing]
    if str(backing).startswith("data_file="):
        options = ["-o", backing]
    create = ["qemu-img", "create", "-f", "qcow2", *options, image, "1M"]
    subprocess.run(create, check=True)
    return text


@pytest.fixture(scope="module")
def elsewhere():
    """Return a folder in which no file of a guest may be."""
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
    backing = backing.format(elsewhere)
    guest = connection.defineXML(overlay(host, "based", backing))
    assert named in refusal(guest.create)
    assert not guest.isActive()
    assert not [each for each in host.processes() if "based.img" in each]
    assert guard.outcomes()[-1] == ("start", "refuse")
    # the same with what every image may be based on
    events = len(guard.outcomes())
    base = host.describe("base").partition("<source file='")[2]
    overlay(host, "based", base.partition("'")[0])
    guest.create()
    assert guard.outcomes()[events:] == [("start", "allow")]


def test_a_guest_without_a_timer_gets_one_of_qemu(guard, host, connection):
    guard.policy(policy() + "guest_devices: {hpet: {allow: [false]}}\n")
    text = refusal(connection.createXML, host.describe("timed"))
    assert "HPET timer=yes (allowed: false)" in text
    off = "<clock offset='utc'><timer name='hpet' present='no'/></clock>"
    host.start("untimed", off)


def test_what_a_guest_had_follows_it(guard, host, connection):
    guard.policy(policy("audit"))
    guest = connection.defineXML(host.describe("old", bus="sata"))
    guest.create()
    guard.policy(policy())
    # A hard reboot, as Nova does it.
    guest.destroy()
    guest.undefine()
    guest = connection.defineXML(
        host.describe(
            "old", bus="sata", more=f"<uuid>{guest.UUIDString()}</uuid>"
        )
    )
    guest.create()
    assert guard.outcomes()[-1] == ("start", "warn")
    guest.destroy()
    # The same with one device more, and the daemon started again.
    guard.kill(signal.SIGTERM)
    guard.start()
    guest = connection.defineXML(
        host.describe(
            "old",
            bus="sata",
            devices=CARD,
            more=f"<uuid>{guest.UUIDString()}</uuid>",
        )
    )
    assert "=e1000e (allowed: virtio)" in refusal(guest.create)


def test_a_guest_from_a_saved_state(guard, host, connection):
    guard.policy(policy("audit"))
    guest = connection.defineXML(host.describe("saved", bus="sata"))
    guest.create()
    guest.managedSave()
    guard.policy(policy())
    guest.create()
    assert guest.isActive()
    assert guard.outcomes()[-1] == ("start", "warn")
    metrics = guard.place / "metrics" / "nova_vhard_guard.prom"
    wait(lambda: 'operation="restore"' in metrics.read_text())


def test_a_restore_that_is_refused_keeps_what_was_saved(
    guard, host, connection, elsewhere
):
    base = host.describe("base").partition("<source file='")[2]
    text = overlay(host, "restored", base.partition("'")[0])
    guest = connection.createXML(text)
    saved = elsewhere / "saved"
    guest.save(str(saved))
    # What its image is based on is another file by then.
    overlay(host, "restored", elsewhere / "raw")
    assert "is not in a folder" in refusal(connection.restore, str(saved))
    assert connection.listAllDomains() == []
    assert saved.stat().st_size > 0
    overlay(host, "restored", base.partition("'")[0])
    connection.restore(str(saved))
    (guest,) = connection.listAllDomains()
    assert guest.isActive()


def test_without_a_daemon(guard, host, connection):
    guard.policy(policy(unanswered="refuse"))
    host.start("first")
    guard.kill()
    with pytest.raises(libvirt.libvirtError, match="does not answer"):
        host.start("refused")
    guard.start()
    guard.policy(policy())
    host.start("second")
    guard.kill()
    begin = time.monotonic()
    host.start("unjudged", bus="sata")
    assert time.monotonic() - begin < 30
    # It comes back: what runs is judged, and left alone.
    guard.start()
    wait(lambda: ("attach", "refuse") in guard.outcomes())
    assert len(connection.listAllDomains()) == 3


def test_a_daemon_that_hangs(guard, host):
    guard.send(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        host.start("unjudged", bus="sata")
        assert time.monotonic() - begin < 30
    finally:
        guard.send(signal.SIGCONT)


def plug(connection, uuid, device=CARD):
    guest = connection.lookupByUUIDString(uuid)
    guest.attachDeviceFlags(device, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    return guest


def test_a_device_that_is_plugged_in_is_reported(guard, host, connection):
    uuid = host.start("plugged", devices=PORTS)
    guest = plug(connection, uuid)
    wait(lambda: ("attach", "refuse") in guard.outcomes())
    assert "e1000e" in guest.XMLDesc(0)
    # What is plugged in against the policy is not what it had.
    guest.destroy()
    more = f"<uuid>{uuid}</uuid>"
    refusal(connection.createXML, host.describe("plugged", more, devices=CARD))


def test_a_device_that_a_guest_keeps_is_an_alert(guard, host, connection):
    guard.policy(policy(hot_plug="detach"))
    uuid = host.start("keeps", devices=PORTS)
    plug(connection, uuid)
    wait(lambda: f"Guest {uuid} keeps" in guard.log(), 60)
    # What is allowed stays.
    assert "virtio" in connection.lookupByUUIDString(uuid).XMLDesc(0)


def test_a_device_that_a_guest_gives_up_is_taken_away(guard, host, connection):
    guard.policy(policy(hot_plug="detach"))
    text = host.describe("gives")
    disk = text[text.index("<disk") : text.index("</disk>")] + "</disk>"
    text = text.replace("usb' model='none'/", "usb' model='qemu-xhci'/")
    guest = connection.createXML(text)
    # QEMU takes a USB device away without the guest's help.
    disk = disk.replace("bus='virtio'", "bus='usb'").replace("vda", "sda")
    host.describe("other")
    disk = disk.replace("gives.img", "other.img")
    plug(connection, guest.UUIDString(), disk)
    wait(lambda: f"taken from guest {guest.UUIDString()}" in guard.log())
    assert "bus='usb'" not in guest.XMLDesc(0)
    assert "bus='virtio'" in guest.XMLDesc(0)


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


@pytest.mark.parametrize("change", [change_media, copy_blocks, snapshot])
@pytest.mark.parametrize("hot_plug", ["report", "detach"])
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
    assert guard.outcomes()[before:] == [("attach", "refuse")]
    (refused,) = [*guard.events()][-1]["violations"]
    assert (refused["source"], refused["value"]) == ("file", str(path))
    kept = f"Guest {uuid} keeps"
    if hot_plug == "detach":
        wait(lambda: kept in guard.log(), 60)
    assert (kept in guard.log()) == (hot_plug == "detach")
    # It is never ended, and nothing is said twice.
    assert guest.isActive()
    assert len(guard.outcomes()) == before + 1


def start_all(host, texts):
    """Start guests at once and count the outcomes."""
    connections = itertools.cycle([host.connect() for _ in range(20)])

    def start(pair):
        text, connection = pair
        try:
            connection.createXML(text)
        except libvirt.libvirtError as error:
            if REFUSED in str(error):
                return "refused"
            # The guard let it pass.
            return "passed" if "storage file" in str(error) else str(error)
        return "started"

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        return collections.Counter(
            pool.map(start, zip(texts, connections, strict=False))
        )


def test_many_guests_at_once(guard, host):
    texts = [
        host.describe(f"m{i}", bus="sata" if i % 2 else "virtio", disk=False)
        for i in range(MANY)
    ]
    before = len(guard.outcomes())
    unanswered = guard.log().count("is not answered")
    counts = start_all(host, texts)
    print(f"{MANY} starts at once: {dict(counts)}")
    assert counts == {"refused": MANY // 2, "passed": MANY // 2}
    # Those that pass here miss their disk before they start.
    assert len(guard.outcomes()) - before == MANY // 2
    assert guard.log().count("is not answered") == unanswered


def test_uninstall_leaves_nothing(guard, host):
    guard.policy(policy(unanswered="refuse"))
    host.start("one")
    guard.kill()
    assert guard.command("uninstall").returncode == 0
    assert list(host.hooks.iterdir()) == []
    assert list((guard.place / "state").iterdir()) == []
    assert list((guard.place / "run").iterdir()) == []
    # Its guest runs on, and others start.
    host.start("two", bus="sata")
    with contextlib.closing(host.connect()) as own:
        assert len(own.listAllDomains()) == 2
