# SPDX-License-Identifier: Apache-2.0
"""The cleaner on the real Placement: cleaned, released, or kept for good."""

import contextlib
import copy
import json
import os
import shutil
import stat
import subprocess
import sys
import uuid

import pytest
from oslo_config import cfg

from nova_vhard.catalogue import device_words, traits
from nova_vhard.cleaner import lock
from nova_vhard.cleaner.decide import OperatorRequest
from nova_vhard.cleaner.journal import Journal, State
from nova_vhard.cleaner.step import Outcome, Step
from nova_vhard.conf import cleaner as cleaner_conf
from nova_vhard.host.root import HostRoot
from nova_vhard.placement.client import PlacementError
from tests.functional.placement.conftest import Answer
from tests.functional.placement.used import NVME, RULES, Used
from tests.trees import build

DOMAIN = """<domain><uuid>4b1c</uuid><name>g</name><devices>{}</devices>
</domain>"""
ADDRESS = "<address domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>"
HOSTDEV = f"<hostdev type='pci'><source>{ADDRESS}</source></hostdev>"


@pytest.fixture
def used(cloud, tmp_path):
    return Used(cloud, tmp_path)


def virsh(used, devices):
    build(
        used.tree,
        {
            "/CMD/virsh-list": "4b1c\n",
            "/CMD/virsh-dumpxml-4b1c": DOMAIN.format(devices),
        },
    )


def group(used):
    return os.path.basename(os.readlink(f"{used.firmware.parent}/iommu_group"))


def test_used_cleaned_and_given_again(used):
    assert used.candidates()
    consumer = used.boot()
    assert used.round()
    assert used.record.state is State.IN_USE
    assert used.record.consumers == (consumer,)
    used.delete(consumer)
    assert not used.candidates()
    assert used.round()
    assert used.candidates()
    assert used.firmware.read_text() == "good"
    assert used.record.state is State.RELEASED
    assert used.record.consumers == (consumer,)
    assert [each.said for each in used.record.steps] == [
        "repaired",
        "it is good",
    ]
    assert used.words() == set()


def test_a_use_that_nobody_saw(used):
    used.use()
    used.round()
    assert used.candidates()
    assert used.firmware.read_text() == "good"


def test_a_free_device_is_left_alone(used):
    used.cloud.requests.clear()
    used.round()
    assert {method for method, _ in used.cloud.requests} == {"GET"}
    assert os.listdir(used.journal.folder) == [f"{NVME}.json"]


def test_other_fields_of_the_inventory_stay(used):
    used.use()
    used.round()
    (result,) = used.cloud.placement.inventories(used.provider)
    assert (result.total, result.reserved) == (1, 0)
    assert result.fields["max_unit"] == 2147483647


def test_what_fails_stays_for_good_and_says_why(used):
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    assert used.words() == {"COMPARE"}
    assert used.record.state is State.FAILED
    assert "it is good" in used.record.reason
    # Nothing wears out: not even Placement is written to.
    used.firmware.write_text("left as it is")
    used.cloud.requests.clear()
    for _ in range(5):
        used.round()
    assert not used.candidates()
    assert used.firmware.read_text() == "left as it is"
    assert {method for method, _ in used.cloud.requests} == {"GET"}


def test_asked_for_again(used):
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    used.steps["compare"].good = "good"
    used.ask(device_words.REQUESTED)
    used.round()
    assert used.candidates()
    assert used.words() == set()
    prefix = f"startswith:{device_words.DEVICE}"
    assert not used.cloud.placement._names(prefix)


def test_other_rules_are_another_chance(used):
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    (used.base / "cleaning.yaml").write_text(
        RULES.replace(", {step: compare}", "")
    )
    used.round()
    assert used.candidates()


def test_what_no_rule_names_is_not_released(used):
    (used.base / "cleaning.yaml").write_text(RULES.replace("0108", "03"))
    used.use()
    used.round()
    assert not used.candidates()
    assert used.words() == {"NO_RULE"}
    assert "1b36:0010" in used.record.reason


@pytest.mark.parametrize("text", ["", "version: '2'", "}", None])
def test_broken_rules_release_nothing(used, text):
    used.use()
    place = used.base / "cleaning.yaml"
    place.unlink() if text is None else place.write_text(text)
    used.round()
    assert not used.candidates()
    assert used.words() == {"RULES"}
    place.write_text(RULES)
    used.round()
    assert used.candidates()


@pytest.mark.parametrize(
    "devices",
    [
        HOSTDEV,
        f"<interface type='hostdev'><source>{ADDRESS}</source></interface>",
        f"<disk type='nvme'><source type='pci'>{ADDRESS}</source></disk>",
        "<disk type='file'><source file='/x'/><backingStore type='file'>"
        "<source file='/y'/><backingStore type='nvme'><source type='pci'>"
        f"{ADDRESS}</source></backingStore></backingStore></disk>",
        "<disk type='file'><source file='/x'><dataStore type='nvme'>"
        f"<source type='pci'>{ADDRESS}</source></dataStore></source></disk>",
        "<disk type='file'><source file='/x'/><mirror type='nvme'>"
        f"<source type='pci'>{ADDRESS}</source></mirror></disk>",
    ],
)
def test_a_guest_of_libvirt_has_it(used, devices):
    used.use()
    virsh(used, devices)
    used.round()
    assert not used.candidates()
    assert used.words() == {"HELD"}
    assert "domain 4b1c" in used.record.reason
    assert used.firmware.read_text() == "evil"
    build(used.tree, {"/CMD/virsh-list": ""})
    used.round()
    assert used.candidates()


@pytest.mark.parametrize("place", ["/dev/vfio/{}", "/dev/vfio/noiommu-{}"])
def test_a_process_has_its_vfio_group(used, place):
    used.use()
    fd = place.format(group(used))
    build(used.tree, {"/proc/77/fd/9": f"-> {fd}"})
    used.round()
    assert not used.candidates()
    assert used.words() == {"HELD"}
    assert f"/proc/77/fd: {fd}" in used.record.reason
    shutil.rmtree(used.tree / "proc/77")
    used.round()
    assert used.candidates()


def test_a_process_has_its_vfio_device(used):
    used.use()
    build(
        used.tree,
        {
            f"/sys/bus/pci/devices/{NVME}/vfio-dev/vfio3": None,
            "/proc/77/fd/9": "-> /dev/vfio/devices/vfio3",
            "/proc/78/fd/9": "-> /dev/vfio/devices/vfio33",
        },
    )
    used.round()
    assert used.words() == {"HELD"}
    assert "/proc/78" not in used.record.reason


def test_a_process_has_a_mediated_device_of_it(used):
    used.use()
    part = f"/sys/bus/pci/devices/{NVME}/4b1c0f6e-0f4c-4f0e-8d7b-5f5f7a1c2d3e"
    build(
        used.tree,
        {
            f"{part}/iommu_group": "-> ../../../../kernel/iommu_groups/44",
            "/proc/77/fd/9": "-> /dev/vfio/44",
        },
    )
    used.round()
    assert not used.candidates()
    assert used.words() == {"HELD"}
    assert "/proc/77/fd: /dev/vfio/44" in used.record.reason
    shutil.rmtree(used.tree / "proc/77")
    used.round()
    assert used.candidates()


LOOK = """
import os, sys
from nova_vhard.host.libvirt.libvirt import NoLibvirt
from nova_vhard.host.root import HostRoot
from nova_vhard.cleaner import usage
root, device, path, after = sys.argv[1:]
path, _, flag = path.partition(":")
os.open(f"{root}/dev/{path}", getattr(os, flag or "O_RDONLY"))
os.system(f"cd {root}/dev; {after}")
held = usage.look(HostRoot(root), NoLibvirt(), device).held
sys.exit(any(f"/proc/{os.getpid()}/fd:" in text for text in held))
"""
MOUNT = """
mount -t proc own "$2/proc" && mount -t tmpfs own "$2/dev"
mkdir "$2/dev/vfio" && touch "$2/dev/vfio/11" && mknod "$2/dev/node" c 1 7
exec "$0" -c "$1" "$2" "$3" "$4" "$5"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems")
@pytest.mark.parametrize(
    ("path", "after", "held"),
    [
        ("vfio/11", "", 0),
        ("node", "", 1),
        ("node:O_PATH", "", 0),
        ("node", "mv node vfio/12", 1),
        ("node", "rm node", 1),
    ],
)
def test_the_number_of_an_open_device_counts(used, path, after, held):
    """A real process has a file of its own /dev open; sysfs is a copy."""
    build(used.tree, {"/sys/class/vfio/11/dev": "1:7\n", "/dev": None})
    words = ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", MOUNT]
    program = [sys.executable, LOOK, used.tree, NVME]
    ran = subprocess.run([*words, *program, path, after], check=False)
    assert (group(used), ran.returncode) == ("11", held)


def test_another_group_is_another_device(used):
    used.use()
    build(used.tree, {"/proc/77/fd/9": f"-> /dev/vfio/1{group(used)}"})
    used.round()
    assert used.candidates()


UNKNOWN = {
    "libvirt is silent": lambda used: (used.tree / "CMD/virsh-list").unlink(),
    "processes are hidden": lambda used: build(
        used.tree, {"/proc/2/comm": "bash\n"}
    ),
    "a process is not to be read": lambda used: build(
        used.tree,
        {"/ERRORS.json": '[["/proc/77/fd", "EACCES"]]', "/proc/77": None},
    ),
    "an address makes no sense": lambda used: virsh(
        used, "<hostdev type='pci'><source/></hostdev>"
    ),
    "no /proc": lambda used: shutil.rmtree(used.tree / "proc"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_counts_as_held(used, name):
    used.use()
    UNKNOWN[name](used)
    used.round()
    assert not used.candidates()
    assert used.words() == {"UNKNOWN"}
    assert used.firmware.read_text() == "evil"


def test_a_provider_made_anew_has_forgotten_the_use(used):
    """Nova loses it; the journal does not."""
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    used.delete_provider()
    used.round()
    used.make_provider()
    assert used.candidates()
    used.round()
    assert not used.candidates()
    assert used.record.state is State.FAILED
    assert used.words() == {"COMPARE"}


def test_a_new_provider_of_a_released_device_is_not_trusted(used):
    used.use()
    used.round()
    used.delete_provider()
    used.make_provider()
    used.firmware.write_text("evil")
    used.round()
    assert used.candidates()
    assert used.firmware.read_text() == "good"


def test_somebody_lowers_reserved_by_hand(used):
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    used.inventory(reserved=0)
    used.round()
    assert not used.candidates()


def test_a_boot_that_never_got_there(used):
    """An allocation without a claim: Nova reserves nothing."""
    used.allocate("9b9a9f0e-3f3f-4a4f-9e8c-000000000001")
    used.round()
    used.delete("9b9a9f0e-3f3f-4a4f-9e8c-000000000001")
    assert used.candidates()
    used.round()
    assert used.record.state is State.RELEASED
    assert used.record.steps


class Meanwhile(Step):
    """While it is cleaned, something happens."""

    name = "repair"
    priority = 50
    schema = {"type": "object"}

    def __init__(self, act):
        self.act = act

    def run(self, job):
        return Outcome(True, "repaired")


def meanwhile(used, act):
    """Call a function while the device is cleaned."""
    cleaner = used.cleaner()
    real = cleaner.isolation.run

    def run(step, job):
        result = real(step, job)
        if step.name == "compare":
            act()
        return result

    cleaner.isolation.run = run
    return cleaner


def test_a_guest_gets_it_meanwhile(used):
    used.use()
    got = []

    def act():
        used.inventory(reserved=0)  # an operator, by hand
        got.append(used.boot())

    meanwhile(used, act).once()
    assert used.record.state is not State.RELEASED
    assert not used.candidates()
    used.delete(got[0])
    assert used.firmware.read_text() == "evil"
    used.round()
    assert used.candidates()
    assert used.firmware.read_text() == "good"


def test_a_guest_comes_and_goes_meanwhile(used):
    used.use()

    def act():
        used.inventory(reserved=0)
        used.use()

    meanwhile(used, act).once()
    assert not used.candidates()
    assert used.words() == {"VOID"}
    used.round()
    assert used.candidates()
    assert used.firmware.read_text() == "good"


def test_a_guest_without_an_allocation_comes_meanwhile(used):
    used.use()
    meanwhile(used, lambda: virsh(used, HOSTDEV)).once()
    assert not used.candidates()
    assert used.words() == {"VOID"}


#: The end of the URL of a cleaner's claim, and a part of that of its release.
CLAIM, RELEASE = "/inventories", "/inventories/"


@pytest.mark.parametrize(("what", "steps"), [(CLAIM, 0), (RELEASE, 2)])
def test_a_write_in_the_last_moment(used, what, steps):
    used.use()

    def write(method, url):
        if method == "PUT" and what in url:
            used.cloud.faults.clear()
            used.inventory(reserved=0)
            used.use()

    used.cloud.faults.append(write)
    used.round()
    assert not used.candidates()
    assert used.words() == {"VOID"}
    assert len(used.record.steps) == steps
    used.round()
    assert used.firmware.read_text() == "good"


def test_of_two_cleaners_that_look_at_once_one_cleans(used, tmp_path):
    """Each has a sysfs, a journal and a run_dir of its own."""
    used.use()
    other = copy.copy(used)
    other.tree = tmp_path / "other"
    shutil.copytree(used.tree, other.tree, symlinks=True)
    shutil.copytree(used.base / "state", other.tree / "state")
    other.journal = Journal(str(other.tree / "state/devices"))
    other.conf = cfg.ConfigOpts()
    other.conf([], project="test")
    cleaner_conf.register(other.conf)
    other.set(
        root=str(other.tree),
        state_path=str(other.tree / "state"),
        run_dir=str(other.tree / "run"),
        rules_file=str(used.base / "cleaning.yaml"),
    )

    def look(method, url):
        if method == "PUT" and url.endswith(CLAIM):
            used.cloud.faults.clear()
            assert other.round()

    used.cloud.faults.append(look)
    used.round()
    assert other.record.state is State.RELEASED
    assert other.firmware.read_text() == "good"
    assert used.record.word == "VOID"
    assert used.firmware.read_text() == "evil"


def test_the_device_vanishes(used):
    used.use()
    link = used.tree / f"sys/bus/pci/devices/{NVME}"
    away = link.with_name("away")
    link.rename(away)
    used.round()
    assert not used.candidates()
    assert used.words() == {"GONE"}
    away.rename(link)
    used.round()
    assert used.candidates()


@pytest.mark.parametrize("how", ["gone", "rules", "unknown"])
def test_what_failed_is_not_forgotten(used, how):
    """Nothing but a request or other rules makes it be tried again."""
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    used.steps["compare"].good = "good"
    place = {
        "gone": used.tree / f"sys/bus/pci/devices/{NVME}",
        "rules": used.base / "cleaning.yaml",
        "unknown": used.tree / "CMD/virsh-list",
    }[how]
    away = place.with_name("away")
    place.rename(away)
    used.round()
    away.rename(place)
    used.round()
    assert not used.candidates()
    assert used.words() == {"COMPARE"}


def test_who_had_it_last_is_not_guessed(used):
    first = used.boot()
    used.round()
    used.delete(first)
    used.round()
    assert used.record.consumers == (first,)
    used.use()
    used.round()
    assert used.record.consumers == ()


def test_the_device_vanishes_in_a_step(used):
    used.use()
    link = used.tree / f"sys/bus/pci/devices/{NVME}"
    meanwhile(used, link.unlink).once()
    assert not used.candidates()


class Hangs(Step):
    name = "repair"
    priority = 50
    schema = {"type": "object"}

    def run(self, job):
        import time

        time.sleep(600)


def test_a_step_that_hangs_is_ended(used):
    used.steps["repair"] = Hangs()
    (used.base / "cleaning.yaml").write_text(
        RULES.replace("step: repair", "step: repair, time_limit: '1'")
    )
    used.use()
    used.round()
    assert not used.candidates()
    assert used.words() == {"REPAIR"}
    assert "did not end within 1 seconds" in used.record.reason


class Breaks(Hangs):
    def run(self, job):
        os._exit(3)


def test_a_step_that_dies(used):
    used.steps["repair"] = Breaks()
    used.use()
    used.round()
    assert not used.candidates()
    assert used.words() == {"REPAIR"}


FAULTS = {
    "down": lambda: (_ for _ in ()).throw(ConnectionError("refused")),
    "409": lambda: Answer(409, "conflict"),
    "500": lambda: Answer(500, "race"),
    "503": lambda: Answer(503, "down"),
    "404": lambda: Answer(404, "none"),
    "garbage": lambda: Answer(200, "<html>"),
    "no object": lambda: Answer(200, "[]"),
    "another object": lambda: Answer(200, '{"resource_providers": [{}]}'),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize(
    "place",
    ["in_tree", "GET inventories", "allocations", "PUT inventories", "traits"],
)
def test_placement_does_not_help(used, name, place):
    """With any fault, the device is reserved, or clean and released."""
    used.use()
    method, _, part = place.rpartition(" ")

    def fault(how, url):
        return (
            FAULTS[name]() if how.startswith(method) and part in url else None
        )

    used.cloud.faults.append(fault)
    for _ in range(2):
        with contextlib.suppress(PlacementError):
            used.round()
        used.cloud.faults.clear()
        assert not used.candidates() or used.firmware.read_text() == "good"
        used.cloud.faults.append(fault)
    used.cloud.faults.clear()
    used.round()
    assert used.candidates()
    assert used.firmware.read_text() == "good"
    assert used.words() == set()


def test_written_and_not_heard(used):
    """Placement releases it, and the answer is lost."""
    used.use()

    def lose(method, url):
        if method == "PUT" and "/inventories/" in url:
            used.cloud.faults.clear()
            used.cloud.put(url, body(), "1.39")
            raise ConnectionError("reset by peer")

    def body():
        (now,) = used.cloud.placement.inventories(used.provider)
        return {
            **now.fields,
            "reserved": 0,
            "resource_provider_generation": now.generation,
        }

    used.cloud.faults.append(lose)
    assert not used.round()
    assert used.record.state is State.CLEAN
    assert used.candidates()
    used.round()
    assert used.record.state is State.RELEASED
    # The same, but a guest comes and goes before the cleaner looks.
    used.use()
    used.cloud.faults.append(lose)
    used.round()
    used.use()
    used.round()
    assert used.firmware.read_text() == "good"


def test_cleaned_again_after_a_release_that_did_not_work(used):
    """The device was not watched since: a guest may have bypassed Nova."""
    used.use()
    cleaner = used.cleaner()
    used.cloud.faults.append(
        lambda method, url: (
            Answer(503, "down")
            if method == "PUT" and "/inventories/" in url
            else None
        )
    )
    assert not cleaner.once()
    used.cloud.faults.clear()
    used.firmware.write_text("evil")
    assert cleaner.once()
    assert used.firmware.read_text() == "good"
    assert used.candidates()
    assert used.record.steps


HOLD = """
import sys
from nova_vhard.host.root import HostRoot
from nova_vhard.cleaner import lock
with lock.hold(sys.argv[1], sys.argv[2], HostRoot(sys.argv[3])):
    print("held", flush=True)
    sys.stdin.read()
"""
#: Another mount namespace, with a run_dir and a /sys of its own.
NAMESPACE = """
mkdir -p "$1" && mount -t tmpfs run "$1" && mount -t sysfs sys /sys
shift && exec "$@"
"""


@contextlib.contextmanager
def held(run_dir, address, root):
    """Hold a device's locks by a cleaner in another mount namespace."""
    inside = ["sh", "-ec", NAMESPACE, "sh", run_dir]
    program = [sys.executable, "-c", HOLD, run_dir, address, root]
    with subprocess.Popen(
        ["unshare", "--mount", *inside, *program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield
        process.stdin.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems")
@pytest.mark.parametrize("place", ["run", "another/run"])
def test_another_cleaner_in_another_mount_namespace(used, place):
    """Where the run_dir is the same, it is another one in there, too."""
    used.use()
    with held(used.base / place, NVME, used.tree):
        assert not used.round()
    assert not used.candidates()
    assert used.firmware.read_text() == "evil"
    used.round()
    assert used.candidates()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems")
def test_the_lock_is_on_a_file_of_the_kernels(tmp_path):
    """Only root can open the file."""
    devices = sorted(os.listdir("/sys/bus/pci/devices"))
    if not devices:
        pytest.skip("no PCI device")
    mine = str(tmp_path / "mine"), devices[0], HostRoot()
    with (
        held(tmp_path / "another", devices[0], "/"),
        pytest.raises(lock.Locked, match="/rescan"),
        lock.hold(*mine),
    ):
        pass
    with lock.hold(*mine):
        mode = os.fstat(max(lock.descriptors())).st_mode
        assert stat.S_IMODE(mode) & 0o077 == 0


OWN_SYSFS = "mount -t sysfs own /sys && exec $0 -m nova_vhard.cmd.cleaner $@"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems")
@pytest.mark.parametrize(
    ("network", "command", "starts"),
    [
        (["--net"], ["run"], False),
        (["--net"], ["once"], False),
        (["--net"], ["clean", NVME], False),
        ([], ["once"], True),
    ],
)
def test_a_cleaner_with_a_sysfs_of_its_own_does_not_start(
    tmp_path, network, command, starts
):
    """As in a pod without the host's network; without Placement here."""
    conf = tmp_path / "cleaner.conf"
    conf.write_text("[placement]\nauth_type = none\n")
    inside = ["unshare", "--mount", *network, "sh", "-ec", OWN_SYSFS]
    ran = subprocess.run(
        [*inside, sys.executable, "--config-file", conf, *command],
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 1
    assert (b"/sys is not the host's" in ran.stderr) is not starts


def test_another_process_is_at_it(used):
    used.use()
    with lock.hold(str(used.base / "run"), NVME):
        assert not used.round()
    assert not used.candidates()
    assert used.firmware.read_text() == "evil"
    used.round()
    assert used.candidates()


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "no", "\x00", "[" * 100_000),
        '{"version": 1, "state": "clean"}',
    ],
    ids=["empty", "{}", "[]", "no", "NUL", "deep", "poor"],
)
def test_a_damaged_journal_knows_nothing_good(used, text):
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    used.inventory(reserved=0)
    with open(used.journal.path(NVME), "w", encoding="utf-8") as file:
        file.write(text)
    used.steps["compare"].good = "good"
    used.firmware.write_text("evil")
    used.round()
    assert used.firmware.read_text() == "good"
    assert used.candidates()
    assert os.path.exists(used.journal.path(NVME) + ".damaged")


@pytest.mark.parametrize(
    "change",
    [
        {"word": 5},
        {"reason": ["x"]},
        {"forced": {}},
        {"consumers": [5]},
        {"attempts": -5},
        {"attempts": "1"},
        {"generation": True},
        {"history": [{"when": 1, "what": "x"}]},
        {"steps": [{"step": 1, "clean": 1, "said": "", "evidence": []}]},
    ],
    ids=str,
)
def test_a_journal_of_other_types_is_a_damaged_one(used, change):
    used.use()
    used.round()
    path = used.journal.path(NVME)
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**data, **change}, file)
    used.round()
    assert os.path.exists(path + ".damaged")
    assert used.words() <= {"DIRTY", "JOURNAL"}


def test_a_journal_that_cannot_be_written(used, monkeypatch):
    used.use()

    def full(path, text, mode=0o600):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("nova_vhard.common.files.replace", full)
        assert not used.round()
    assert not used.candidates()
    assert used.firmware.read_text() == "evil"
    assert used.words() == {"ERROR"}


def test_a_surprise_keeps_the_device(used, monkeypatch):
    used.use()

    def surprise(*arguments):
        raise RuntimeError("nobody thought of it")

    with monkeypatch.context() as patched:
        patched.setattr("nova_vhard.cleaner.usage.look", surprise)
        done = used.round()
    assert "nobody thought of it" in done.troubles[NVME]
    assert not used.candidates()
    assert used.words() == {"ERROR"}


def test_kept_by_the_configuration(used):
    used.set(keep_reserved=[NVME])
    used.use()
    used.round()
    assert not used.candidates()
    assert used.words() == {"KEPT"}


def test_released_when_asked_only(used):
    used.set(release_automatically=False)
    used.use()
    cleaner = used.cleaner()
    cleaner.once()
    assert not used.candidates()
    assert used.words() == {"CLEAN"}
    used.ask(device_words.RELEASE)
    used.round()
    assert used.candidates()
    assert used.words() == set()


def test_cleaned_again_before_it_is_released(used):
    """The device is not watched between the two rounds."""
    used.set(release_automatically=False)
    used.use()
    used.round()
    used.firmware.write_text("evil")  # by a guest that is past Nova
    used.steps["repair"] = Breaks()
    used.ask(device_words.RELEASE)
    used.round()
    assert not used.candidates()
    assert used.words() == {"REPAIR"}


def test_asked_to_release_what_has_changed_since(used):
    used.set(release_automatically=False)
    used.use()
    used.round()
    used.inventory(reserved=0)
    used.use()
    used.ask(device_words.RELEASE)
    used.round()
    assert not used.candidates()
    assert used.firmware.read_text() == "good"
    assert used.words() == {"CLEAN"}


def test_asked_to_release_what_is_dirty(used):
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    used.ask(device_words.RELEASE)
    used.round()
    assert not used.candidates()
    assert used.words() == {"COMPARE"}


def test_released_by_force(used):
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    used.round(
        request=OperatorRequest(force="the vendor has looked at it"),
        only=[NVME],
    )
    assert used.candidates()
    assert used.record.forced == "the vendor has looked at it"
    assert "not known to be clean" in used.record.history[-1].what
    # It is not taken back, and it is not a proof of the next use.
    used.round()
    assert used.candidates()
    used.use()
    used.round()
    assert not used.candidates()
    assert used.record.forced == ""


def test_force_takes_nothing_from_a_guest(used):
    used.set(trust_placement_requests=True)
    used.use()
    virsh(used, HOSTDEV)
    used.ask(device_words.FORCED)
    used.round()
    assert not used.candidates()
    # It was for that moment: not for when the guest is gone.
    build(used.tree, {"/CMD/virsh-list": ""})
    used.steps["compare"].good = "better"
    used.round()
    assert not used.candidates()


def test_a_request_that_cannot_be_taken_is_not_done(used):
    used.set(trust_placement_requests=True)
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    used.ask(device_words.FORCED)

    def fault(method, url):
        wrong = method == "PUT" and url.endswith("/traits")
        return Answer(503, "down") if wrong else None

    used.cloud.faults.append(fault)
    used.round()
    used.cloud.faults.clear()
    assert not used.candidates()
    used.round()
    assert used.candidates()


def test_nobody_vouches_through_placement_by_default(used):
    """Any reporter of the cloud can write such a trait."""
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    used.ask(device_words.FORCED)
    done = used.round()
    assert "trust_placement_requests" in done.troubles[NVME]
    assert used.words() == {"REFUSED"}
    assert not used.candidates()
    # It is said once; then why it is not to be had.
    assert used.round()
    assert used.words() == {"COMPARE"}


def test_force_does_not_outlive_its_moment(used):
    """Asked for during a cleaning, a later use is not released by it."""
    used.set(trust_placement_requests=True)
    used.use()
    meanwhile(used, lambda: used.ask(device_words.FORCED)).once()
    assert used.candidates()
    used.steps["repair"] = used.steps["compare"]
    used.use()
    done = used.round()
    assert not used.candidates()
    assert "void" in done.troubles[NVME]
    assert used.record.forced == ""
    used.round()
    assert not used.candidates()


def test_a_request_for_no_generation_is_void(used):
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    ours = used.cloud.traits(used.root)[0]
    old = device_words.of_device(NVME, device_words.REQUESTED)
    used.cloud.give(used.root, ours | {old})
    assert "void" in used.round().troubles[NVME]
    assert used.record.state is State.FAILED
    assert old not in used.cloud.traits(used.root)[0]


def test_force_for_a_device_on_offer_is_refused(used):
    request = OperatorRequest(force="to be sure")
    done = used.round(request=request, only=[NVME])
    assert "it is not reserved" in done.troubles[NVME]
    assert used.record.forced == ""
    # Nor does it wait for a use.
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    assert not used.candidates()


def test_a_device_without_a_journal_is_cleaned_once(used):
    """The host was reinstalled, and Nova has lost the use too."""
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    shutil.rmtree(used.base / "state")
    used.delete_provider()
    used.make_provider()
    assert used.candidates()
    used.round()
    assert not used.candidates()
    assert used.words() == {"COMPARE"}
    used.steps["compare"].good = "good"
    used.ask(device_words.REQUESTED)
    used.round()
    assert used.candidates()


def test_free_devices_of_a_first_roll_out_can_be_trusted(used):
    shutil.rmtree(used.base / "state")
    used.set(trust_new=True)
    used.round()
    assert used.candidates()
    assert used.record.state is State.AVAILABLE
    assert not used.record.steps
    # Only as long as its provider is the same.
    used.delete_provider()
    used.make_provider()
    used.round()
    assert used.record.steps


def test_reserved_before_anything_is_written(used, monkeypatch):
    """A full disk leaves no device on offer that is known to be dirty."""
    used.steps["compare"].good = "better"
    used.use()
    used.round()
    used.delete_provider()
    used.make_provider()

    def full(path, text, mode=0o600):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("nova_vhard.common.files.replace", full)
        assert not used.round()
    assert not used.candidates()


def test_a_provider_of_another_host_is_left_alone(used):
    """Two hosts with one compute_id: only its own may act on it."""
    used.use()
    (used.tree / "etc/hostname").write_text("another.example.org\n")
    with pytest.raises(PlacementError, match=r"another\.example\.org"):
        used.round()
    assert not used.candidates()
    assert used.firmware.read_text() == "evil"
    used.set(provider_name=used.name.rpartition("_")[0])
    used.round()
    assert used.candidates()


def test_an_odd_provider_stops_nothing_but_itself(used):
    odd = str(uuid.uuid4())
    body = {"uuid": odd, "name": "odd", "parent_provider_uuid": used.root}
    used.send("post", "/resource_providers", body)
    used.cloud.give(odd, {traits.ONE_TIME_USE})
    used.use()
    done = used.round()
    assert any(odd in subject for subject in done.troubles)
    assert used.candidates()


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o602])
def test_rules_that_others_can_write_are_no_rules(used, mode):
    used.use()
    place = used.base / "cleaning.yaml"
    place.chmod(mode)
    used.round()
    assert not used.candidates()
    assert used.words() == {"RULES"}
    assert "others can write" in used.record.reason
    place.chmod(0o644)
    used.round()
    assert used.candidates()


def test_traits_of_others_stay(used):
    used.steps["compare"].good = "better"
    mine = {"COMPUTE_NODE", "CUSTOM_OTHER", "CUSTOM_VHARD_IOMMU"}
    used.cloud.give(used.root, mine)
    used.use()
    used.round()
    assert used.cloud.traits(used.root)[0] == {
        *mine,
        device_words.of_device(NVME, "COMPARE"),
    }
    used.steps["compare"].good = "good"
    used.ask(device_words.REQUESTED)
    used.round()
    assert used.cloud.traits(used.root)[0] == mine


def test_a_device_that_nobody_has(used):
    done = used.round(only=["0000:ff:00.0"])
    assert "no provider" in done.troubles["0000:ff:00.0"]


# Killed with SIGKILL, in a process of its own, at every point of a round.


def kill_everywhere(used, check, every=1):
    """Kill the round after a use at its points; run another one each time."""
    used.use()
    back = used.kept()
    names = used.killed_round()
    assert len(names) >= 30
    check(killed=None)
    for number in range(1, len(names) + 1, every):
        back()
        assert used.killed_round(number) == []
        safe = used.firmware.read_text() == "good"
        assert safe or not used.candidates(), names[number - 1]
        used.killed_round()
        check(killed=names[number - 1])
    return names


def test_killed_everywhere_it_ends_clean_and_released(used):
    def check(killed):
        assert used.candidates(), killed
        assert used.firmware.read_text() == "good", killed
        assert used.record.state is State.RELEASED, killed
        assert used.words() == set(), killed

    # Not the device's first life: there is a journal of it.
    used.use()
    used.round()
    names = kill_everywhere(used, check)
    assert {"repair is half through", "compare ends"} <= set(names)
    assert sum("/inventories/" in each for each in names) == 2
    assert sum("journal" in each for each in names) >= 16


def test_killed_everywhere_with_a_step_that_fails(used):
    used.steps["compare"].good = "better"

    def check(killed):
        assert not used.candidates(), killed
        assert used.record.state is State.FAILED, killed
        assert used.words() == {"COMPARE"}, killed

    kill_everywhere(used, check, every=2)


def test_killed_everywhere_with_a_provider_made_anew(used):
    used.steps["compare"].good = "better"
    used.use()
    used.killed_round()
    used.cloud.give(used.root, {"COMPUTE_NODE"})
    used.delete_provider()
    used.make_provider()
    used.steps["compare"].good = "good"
    # Asked for, so that what failed is cleaned again.
    used.ask(device_words.REQUESTED)
    back = used.kept()
    names = used.killed_round()
    assert len(names) >= 30
    for number in range(1, len(names) + 1, 2):
        back()
        used.killed_round(number)
        used.killed_round()
        safe = used.firmware.read_text() == "good"
        assert safe or not used.candidates(), names[number - 1]
        if used.record.state is State.FAILED:
            # The request was taken, and nothing was done yet: it is still
            # kept, says so, and can be asked for again.
            assert not used.candidates(), names[number - 1]
            assert used.words() == {"COMPARE"}, names[number - 1]
            used.ask(device_words.REQUESTED)
        used.killed_round()
        assert used.candidates(), names[number - 1]
        assert used.firmware.read_text() == "good", names[number - 1]


def test_killed_everywhere_with_a_lost_journal(used):
    """The device is on offer, and a guest had it: reserved, then cleaned."""
    used.steps["compare"].good = "good"

    def prepare():
        used.use()
        shutil.rmtree(used.base / "state", ignore_errors=True)
        used.delete_provider()
        used.make_provider()

    prepare()
    names = used.killed_round()
    first = next(at for at, name in enumerate(names) if "journal" in name)
    reserved = [at for at, name in enumerate(names) if "after put" in name]
    assert "/inventories/" in names[reserved[0]]
    assert reserved[0] < first
    for number in range(reserved[0] + 1, len(names) + 1, 2):
        prepare()
        used.killed_round(number)
        safe = used.firmware.read_text() == "good"
        assert safe or not used.candidates(), names[number - 1]
        used.killed_round()
        assert used.candidates(), names[number - 1]
        assert used.firmware.read_text() == "good", names[number - 1]
