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
import time
import uuid

import pytest

from nova_vhard.catalogue import device_words, traits
from nova_vhard.cleaner import lock
from nova_vhard.cleaner.decide import OperatorRequest
from nova_vhard.cleaner.journal import Journal, State
from nova_vhard.host.root import HostRoot
from nova_vhard.placement.client import PlacementError
from tests.functional.placement.conftest import Answer
from tests.functional.placement.used import (
    ADDRESS,
    GROUP,
    NVME,
    REMOVED,
    RULES,
    RULES_FILE,
    Compare,
    Repair,
    domain,
)
from tests.trees import build

DEVICE = f"/sys/bus/pci/devices/{NVME}"
BROKEN = f"{DEVICE}/4b1c0f6e-0f4c-4f0e-8d7b-5f5f7a1c2d3e"
FULL = OSError(28, "No space left on device")


def test_used_cleaned_and_given_again(used):
    assert used.candidates()
    consumer = used.boot()
    assert used.round()
    assert used.record.state is State.IN_USE
    assert used.record.consumers == (consumer,)
    used.delete()
    assert not used.candidates()
    # Here each step runs in a process of its own, as in service.
    used.isolated = True
    assert used.round()
    used.is_released()
    assert used.record.consumers == (consumer,)
    said = [each.said for each in used.record.steps]
    assert said == ["repaired", "it is good"]
    # Who had it last is not guessed after a use that the cleaner did not see.
    used.isolated = False
    used.happens("use, round")
    assert used.record.consumers == ()
    (result,) = used.cloud.placement.inventories(used.provider)
    assert (result.total, result.reserved) == (1, 0)
    assert result.fields["max_unit"] == 2147483647


#: Events, and why the device is kept then; "" for one that is released.
HISTORIES = {
    "a use between two rounds": ("use, round", ""),
    "failed, then asked for again": (
        "spoil, use, round, repair, ask REQUESTED, round",
        "",
    ),
    "failed, and not tried again on its own": (
        "spoil, use, round, repair, round",
        "COMPARE",
    ),
    "other rules are another chance": (
        "spoil, use, round, repair, rules everything all, round",
        "",
    ),
    "no rule": ("rules 0108 03, use, round", "NO_RULE"),
    "failed, a new provider has forgotten it": (
        "spoil, use, round, delete_provider, round, make_provider, round",
        "COMPARE",
    ),
    "a new provider of a released device": (
        "use, round, renew, infect, round",
        "",
    ),
    "failed, and reserved is lowered by hand": (
        "spoil, use, round, lower, round",
        "COMPARE",
    ),
    "an allocation that was never claimed": (
        "allocate, round, delete, round",
        "",
    ),
    "to be released when asked only": (
        "disable release_automatically, use, round",
        "CLEAN",
    ),
    "asked to release it": (
        "disable release_automatically, use, round, ask RELEASE, round",
        "",
    ),
    "cleaned again before it is released": (
        "disable release_automatically, use, round, infect, spoil, "
        "ask RELEASE, round",
        "COMPARE",
    ),
    "asked to release what was used since": (
        "disable release_automatically, use, round, lower, use, "
        "ask RELEASE, round",
        "CLEAN",
    ),
    "asked to release what is dirty": (
        "spoil, use, round, ask RELEASE, round",
        "COMPARE",
    ),
    # Any reporter of the cloud can write such a trait.
    "no force through Placement by default": (
        "spoil, use, round, ask FORCED, round",
        "REFUSED",
    ),
    "that is said once": (
        "spoil, use, round, ask FORCED, round, round",
        "COMPARE",
    ),
    # It was for that moment: not for when the guest is gone.
    "force takes nothing from a guest": (
        "enable trust_placement_requests, use, hold, ask FORCED, round, "
        "let_go, spoil, round",
        "COMPARE",
    ),
    "no journal, and a new provider": (
        "spoil, use, round, forget, renew, round",
        "COMPARE",
    ),
    "no journal, asked for again": (
        "spoil, use, round, forget, renew, round, repair, "
        "ask REQUESTED, round",
        "",
    ),
    "trusted, and a new provider": (
        "enable trust_new, forget, round, renew, infect, round",
        "",
    ),
}


@pytest.mark.parametrize(("events", "word"), HISTORIES.values(), ids=HISTORIES)
def test_a_history(used, events, word):
    used.happens(events)
    if word:
        used.is_kept(word)
        return
    used.is_released()
    assert used.record.steps


def test_free_devices_of_a_first_roll_out_can_be_trusted(used):
    used.happens("enable trust_new, forget, round")
    assert used.candidates()
    assert used.record.state is State.AVAILABLE
    assert not used.record.steps


@pytest.mark.parametrize("events", ["round", "spoil, use, round, infect"])
def test_nothing_is_written_of_a_device_that_stays_as_it_is(used, events):
    """Nothing wears out: not even Placement is written to."""
    used.happens(events)
    firmware, record = used.firmware.read_text(), used.record
    used.cloud.requests.clear()
    used.happens("round, round")
    assert {method for method, _ in used.cloud.requests} == {"GET"}
    assert used.firmware.read_text() == firmware
    assert used.record == record
    assert os.listdir(used.journal.folder) == [f"{NVME}.json"]


#: What is so on the host, and the word of a device that is kept for it.
OBSTACLES = {
    "a guest's hostdev": (domain(), "HELD"),
    "a guest's interface": (
        domain(
            f"<interface type='hostdev'><source>{ADDRESS}</source></interface>"
        ),
        "HELD",
    ),
    "a guest's disk": (
        domain(
            f"<disk type='nvme'><source type='pci'>{ADDRESS}</source></disk>"
        ),
        "HELD",
    ),
    "a guest's backing store": (
        domain(
            "<disk type='file'><source file='/x'/><backingStore type='file'>"
            "<source file='/y'/><backingStore type='nvme'><source type='pci'>"
            f"{ADDRESS}</source></backingStore></backingStore></disk>"
        ),
        "HELD",
    ),
    "a guest's data store": (
        domain(
            "<disk type='file'><source file='/x'><dataStore type='nvme'>"
            f"<source type='pci'>{ADDRESS}</source></dataStore></source>"
            "</disk>"
        ),
        "HELD",
    ),
    "a guest's mirror": (
        domain(
            "<disk type='file'><source file='/x'/><mirror type='nvme'>"
            f"<source type='pci'>{ADDRESS}</source></mirror></disk>"
        ),
        "HELD",
    ),
    "a VFIO group": ({"/proc/77/fd/9": f"-> /dev/vfio/{GROUP}"}, "HELD"),
    "a VFIO group without IOMMU": (
        {"/proc/77/fd/9": f"-> /dev/vfio/noiommu-{GROUP}"},
        "HELD",
    ),
    "another VFIO group": (
        {"/proc/77/fd/9": f"-> /dev/vfio/1{GROUP}"},
        "",
    ),
    "a VFIO device": (
        {
            f"{DEVICE}/vfio-dev/vfio3": None,
            "/proc/77/fd/9": "-> /dev/vfio/devices/vfio3",
        },
        "HELD",
    ),
    "another VFIO device": (
        {
            f"{DEVICE}/vfio-dev/vfio3": None,
            "/proc/77/fd/9": "-> /dev/vfio/devices/vfio33",
        },
        "",
    ),
    "a mediated device": (
        {
            f"{BROKEN}/iommu_group": "-> ../../../../kernel/iommu_groups/44",
            "/proc/77/fd/9": "-> /dev/vfio/44",
        },
        "HELD",
    ),
    "libvirt does not answer": ({"/CMD/virsh-list": REMOVED}, "UNKNOWN"),
    "processes are hidden": ({"/proc/2/comm": "bash\n"}, "UNKNOWN"),
    "a process that cannot be read": (
        {"/ERRORS.json": '[["/proc/77/fd", "EACCES"]]', "/proc/77": None},
        "UNKNOWN",
    ),
    "a guest's device without an address": (
        domain("<hostdev type='pci'><source/></hostdev>"),
        "UNKNOWN",
    ),
    "no /proc": ({"/proc": REMOVED}, "UNKNOWN"),
    "the device is gone": ({DEVICE: REMOVED}, "GONE"),
    "empty rules": ({RULES_FILE: ""}, "RULES"),
    "rules of another version": ({RULES_FILE: "version: '2'"}, "RULES"),
    "rules that cannot be parsed": ({RULES_FILE: "}"}, "RULES"),
    "no rules": ({RULES_FILE: REMOVED}, "RULES"),
    "rules that all can write": ({RULES_FILE: 0o666}, "RULES"),
    "rules that a group can write": ({RULES_FILE: 0o664}, "RULES"),
    "rules that others can write": ({RULES_FILE: 0o602}, "RULES"),
}


@pytest.mark.parametrize(("files", "word"), OBSTACLES.values(), ids=OBSTACLES)
def test_an_obstacle(used, files, word):
    """The device is kept until the host is as before."""
    used.use()
    with used.changed(files):
        used.round()
        if not word:
            used.is_released()
            return
        assert not used.candidates()
        assert used.words() == {word}
    assert used.firmware.read_text() == "evil"
    used.round()
    used.is_released()


@pytest.mark.parametrize(
    "name", ["the device is gone", "no rules", "no /proc", "a guest's hostdev"]
)
def test_what_failed_is_not_forgotten(used, name):
    """Only a request or other rules make the cleaner try again."""
    used.happens("spoil, use, round, repair")
    with used.changed(OBSTACLES[name][0]):
        used.round()
    used.round()
    used.is_kept("COMPARE")


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
sys.exit(40 + any(f"/proc/{os.getpid()}/fd:" in text for text in held))
"""
MOUNT = """
mount -t proc own "$2/proc" && mount -t tmpfs own "$2/dev"
mkdir "$2/dev/vfio" && touch "$2/dev/vfio/11" && mknod "$2/dev/node" c 1 7
exec "$0" -c "$1" "$2" "$3" "$4" "$5"
"""
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems")


@root_only
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
    assert ran.returncode == 40 + held


@pytest.mark.parametrize("events", ["lower, boot", "lower, use", "hold"])
def test_while_it_is_cleaned(used, events):
    used.use()
    used.steps["compare"].then = lambda: used.happens(events)
    used.round()
    used.is_kept("VOID")
    used.steps["compare"].then = lambda: None
    used.happens(
        "delete, let_go, round" if "boot" in events else "let_go, round"
    )
    used.is_released()


def test_the_device_vanishes_while_it_is_cleaned(used):
    used.use()
    link = used.tree / DEVICE.lstrip("/")
    used.steps["compare"].then = link.unlink
    used.round()
    assert not used.candidates()


#: The end of the URL of a cleaner's claim, and a part of that of its release.
CLAIM, RELEASE = "/inventories", "/inventories/"


@pytest.mark.parametrize(("what", "steps"), [(CLAIM, 0), (RELEASE, 2)])
def test_a_write_in_the_last_moment(used, what, steps):
    used.use()

    def write(method, url):
        if method == "PUT" and what in url:
            used.cloud.faults.clear()
            used.happens("lower, use")

    used.cloud.faults.append(write)
    used.round()
    used.is_kept("VOID")
    assert len(used.record.steps) == steps
    used.happens("round")
    used.is_released()


def test_of_two_cleaners_that_look_at_once_one_cleans(used, tmp_path):
    """Each has a sysfs, a journal and a run_dir of its own."""
    used.use()
    other = copy.copy(used)
    other.tree = tmp_path / "other"
    other.state = other.base = other.tree / "state"
    shutil.copytree(used.tree, other.tree, symlinks=True)
    shutil.copytree(used.state, other.state)
    other.journal = Journal(str(other.state / "devices"))
    other.conf = other.configured()
    other.steps = {"repair": Repair(other), "compare": Compare(other)}

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


class Hangs(Compare):
    def run(self, job):
        time.sleep(600)


class Dies(Compare):
    def run(self, job):
        os._exit(3)


@pytest.mark.parametrize(
    ("step", "reason"), [(Hangs, "1 seconds"), (Dies, "")]
)
def test_a_step_that_does_not_end_well(used, step, reason):
    used.isolated = True
    used.steps["compare"] = step(used)
    build(used.tree, {RULES_FILE: RULES.replace("}]", ", time_limit: '1'}]")})
    used.happens("use, round")
    used.is_kept("COMPARE")
    assert reason in used.record.reason


#: Status and text of an answer; None for none.
FAULTS = {
    "down": None,
    "409": (409, "conflict"),
    "500": (500, "race"),
    "503": (503, "down"),
    "404": (404, "none"),
    "garbage": (200, "<html>"),
    "no object": (200, "[]"),
    "another object": (200, '{"resource_providers": [{}]}'),
}


@pytest.mark.parametrize(
    "place",
    ["in_tree", "GET inventories", "allocations", "PUT inventories", "traits"],
)
def test_a_fault_of_placement(used, place):
    """With any fault, the device is reserved, or clean and released."""
    method, _, part = place.rpartition(" ")
    for answer in FAULTS.values():
        used.use()
        hits = []

        def fault(how, url, answer=answer, hits=hits):
            if not how.startswith(method) or part not in url:
                return None
            hits.append(url)
            if answer is None:
                raise ConnectionError("refused")
            return Answer(*answer)

        for _ in range(2):
            used.cloud.faults.append(fault)
            with contextlib.suppress(PlacementError):
                used.round()
            used.cloud.faults.clear()
            assert not used.candidates() or used.firmware.read_text() == "good"
        assert hits
        used.happens("round")
        used.is_released()


def test_a_release_whose_answer_is_lost(used):
    """Also if a guest comes and goes before the cleaner looks again."""

    def lose(method, url):
        if method == "PUT" and RELEASE in url:
            used.cloud.faults.clear()
            (now,) = used.cloud.placement.inventories(used.provider)
            generation = {"resource_provider_generation": now.generation}
            body = {**now.fields, "reserved": 0, **generation}
            used.cloud.put(url, body, "1.39")
            raise ConnectionError("reset by peer")

    for events in ("round", "use, round"):
        used.use()
        used.cloud.faults.append(lose)
        assert not used.round()
        assert used.record.state is State.CLEAN
        assert used.candidates()
        used.happens(events)
        used.is_released()


def test_cleaned_again_after_a_release_that_did_not_work(used):
    """The device was not watched since: a guest may have bypassed Nova."""
    used.use()
    cleaner = used.cleaner()

    def fault(method, url):
        refused = method == "PUT" and RELEASE in url
        return Answer(503, "down") if refused else None

    used.cloud.faults.append(fault)
    assert not cleaner.once()
    used.cloud.faults.clear()
    used.infect()
    assert cleaner.once()
    used.is_released()
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


@pytest.mark.parametrize(
    "place",
    [
        None,
        pytest.param("run", marks=root_only),
        pytest.param("another/run", marks=root_only),
    ],
)
def test_another_process_is_at_it(used, place):
    """In the same mount namespace, or in another with any run_dir."""
    used.use()
    with (
        held(used.base / place, NVME, used.tree)
        if place
        else lock.hold(str(used.base / "run"), NVME)
    ):
        assert not used.round()
    assert not used.candidates()
    assert used.firmware.read_text() == "evil"
    used.happens("round")
    used.is_released()


@root_only
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


@root_only
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
    assert b"Traceback" not in ran.stderr


#: Texts of a journal, or fields that are changed.
DAMAGED = {
    "empty": "",
    "{}": "{}",
    "[]": "[]",
    "no": "no",
    "NUL": "\x00",
    "deep": "[" * 100_000,
    "poor": '{"version": 1, "state": "clean"}',
    "word": {"word": 5},
    "reason": {"reason": ["x"]},
    "forced": {"forced": {}},
    "consumers": {"consumers": [5]},
    "negative": {"attempts": -5},
    "attempts": {"attempts": "1"},
    "generation": {"generation": True},
    "history": {"history": [{"when": 1, "what": "x"}]},
    "steps": {
        "steps": [{"step": 1, "clean": 1, "said": "", "evidence": []}],
    },
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_journal_counts_for_nothing(used, damage):
    used.happens("use, round, infect")
    path = used.journal.path(NVME)
    with open(path, "r+", encoding="utf-8") as file:
        if isinstance(damage, dict):
            damage = json.dumps({**json.load(file), **damage})
        file.seek(0)
        file.truncate()
        file.write(damage)
    used.happens("round")
    used.is_released()
    assert os.path.exists(f"{path}.damaged")


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("nova_vhard.common.files.replace", FULL),
        ("nova_vhard.cleaner.usage.look", RuntimeError("a surprise")),
    ],
)
def test_an_error_keeps_the_device(used, monkeypatch, function, error):
    used.use()

    def fail(*arguments, **more):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(function, fail)
        done = used.round()
    assert str(error) in done.troubles[NVME]
    used.is_kept("ERROR", "evil")


@pytest.mark.parametrize(
    "events", ["spoil, use, round, renew", "use, forget, renew"]
)
def test_reserved_before_anything_is_written(used, monkeypatch, events):
    """A full disk leaves no device on offer that is known to be dirty."""
    used.happens(events)

    def full(path, text, mode=0o600):
        raise FULL

    monkeypatch.setattr("nova_vhard.common.files.replace", full)
    assert used.candidates()
    assert not used.round()
    assert not used.candidates()


def test_kept_by_the_configuration(used):
    used.set(keep_reserved=[NVME])
    used.happens("use, round")
    used.is_kept("KEPT")


def force(used):
    """Release the device by force; return the round."""
    request = OperatorRequest(force="the vendor has looked at it")
    return used.round(request=request, only=[NVME])


def test_released_by_force(used):
    used.happens("spoil, use, round")
    force(used)
    assert used.candidates()
    assert used.record.forced == "the vendor has looked at it"
    assert "not known to be clean" in used.record.history[-1].what
    # It is not taken back, and it is not a proof of the next use.
    used.round()
    assert used.candidates()
    used.happens("use, round")
    assert not used.candidates()
    assert used.record.forced == ""


def test_force_for_a_device_on_offer_is_refused(used):
    assert "it is not reserved" in force(used).troubles[NVME]
    assert used.record.forced == ""
    # Nor does it wait for a use.
    used.happens("spoil, use, round")
    assert not used.candidates()


def test_a_request_that_cannot_be_taken_is_not_done(used):
    used.happens("enable trust_placement_requests, spoil, use, round")
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


def test_force_does_not_outlive_its_moment(used):
    """Asked for during a cleaning, a later use is not released by it."""
    used.happens("enable trust_placement_requests, use")
    used.steps["compare"].then = lambda: used.ask(device_words.FORCED)
    used.round()
    assert used.candidates()
    used.steps["compare"].then = lambda: None
    used.happens("spoil, use")
    done = used.round()
    assert not used.candidates()
    assert "void" in done.troubles[NVME]
    assert used.record.forced == ""
    used.round()
    assert not used.candidates()


def test_a_request_for_no_generation_is_void(used):
    used.happens("spoil, use, round")
    ours = used.cloud.traits(used.root)[0]
    old = device_words.of_device(NVME, device_words.REQUESTED)
    used.cloud.give(used.root, ours | {old})
    assert "void" in used.round().troubles[NVME]
    assert used.record.state is State.FAILED
    assert old not in used.cloud.traits(used.root)[0]


def test_a_provider_of_another_host_is_left_alone(used):
    """Two hosts with one compute_id: only its own may act on it."""
    used.use()
    build(used.tree, {"/etc/hostname": "another.example.org\n"})
    with pytest.raises(PlacementError, match=r"another\.example\.org"):
        used.round()
    assert not used.candidates()
    assert used.firmware.read_text() == "evil"
    used.set(provider_name=used.host)
    used.happens("round")
    used.is_released()


def test_an_odd_provider_stops_nothing_but_itself(used):
    odd = str(uuid.uuid4())
    body = {"uuid": odd, "name": "odd", "parent_provider_uuid": used.root}
    used.send("post", "/resource_providers", body)
    used.cloud.give(odd, {traits.ONE_TIME_USE})
    used.use()
    done = used.round()
    assert any(odd in subject for subject in done.troubles)
    assert used.candidates()


def test_traits_of_others_stay(used):
    mine = {"COMPUTE_NODE", "CUSTOM_OTHER", "CUSTOM_VHARD_IOMMU"}
    used.cloud.give(used.root, mine)
    used.happens("spoil, use, round")
    told = device_words.of_device(NVME, "COMPARE")
    assert used.cloud.traits(used.root)[0] == {*mine, told}
    used.happens("repair, ask REQUESTED, round")
    assert used.cloud.traits(used.root)[0] == mine


def test_a_device_that_nobody_has(used):
    done = used.round(only=["0000:ff:00.0"])
    assert "no provider" in done.troubles["0000:ff:00.0"]


#: What has happened before a round that is killed, and every how manieth of
#: its points is tried.
KILLED = {
    # Not the device's first life: there is a journal of it.
    "it ends clean": ("use, round, use", 1),
    "a step fails": ("spoil, use", 3),
    # Asked for, so that what failed is cleaned again.
    "a new provider": (
        "spoil, use, round, renew, repair, ask REQUESTED",
        3,
    ),
    "a lost journal": ("use, forget, renew", 3),
}


@pytest.mark.parametrize(("before", "every"), KILLED.values(), ids=KILLED)
def test_killed_at_each_point(used, before, every):
    """Before each request, and before and after each write of a file."""
    used.happens(before)
    back = used.kept()
    names = used.killed_round()
    assert "repair is half through" in names
    assert sum("journal" in each for each in names) >= 12
    back()
    first = 0
    if used.candidates() and used.firmware.read_text() == "evil":
        # Nova has put it on offer, and the first write reserves it.
        first = next(at for at, name in enumerate(names) if "PUT" in name) + 1
        assert RELEASE in names[first - 1]
        assert not any("journal" in each for each in names[:first])
    for number in range(first + 1, len(names) + 1, every):
        back()
        point = used.killed_round(number)[-1]
        assert point == names[number - 1]
        safe = used.firmware.read_text() == "good"
        assert safe or not used.candidates(), point
        used.round()
        if used.record.state is State.FAILED and "REQUESTED" in before:
            # The request was taken, and nothing was done yet: it is still
            # kept, says so, and can be asked for again.
            used.is_kept("COMPARE")
            used.happens("ask REQUESTED, round")
        if before == "spoil, use":
            used.is_kept("COMPARE")
        else:
            used.is_released()
