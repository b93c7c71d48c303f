# SPDX-License-Identifier: Apache-2.0
"""The cleaner on the real Placement: cleaned, released, or kept for good."""

import contextlib
import copy
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
from unittest import mock

import pytest

from nova_vhard.catalogue import traits
from nova_vhard.cleaner import lock
from nova_vhard.cleaner.journal import Journal, State
from nova_vhard.common import files
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.daemon.systemd import Notifier
from nova_vhard.host.root import HostRoot
from nova_vhard.osc.report import data
from nova_vhard.placement.client import PlacementError
from tests.functional.placement.conftest import killed
from tests.functional.placement.used import (
    ADDRESS,
    CLASS,
    GROUP,
    HOSTDEV,
    NVME,
    REMOVED,
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
    used.happens("offered, boot, round")
    consumers = (used.consumer,)
    record = used.record
    assert (record.state, record.consumers) == (State.IN_USE, consumers)
    used.happens("delete, reserved")
    # Here each step runs in a process of its own, as in service.
    used.isolated = True
    assert used.round()
    used.is_released()
    said = [each.said for each in used.record.steps]
    assert said == ["repaired", "it is good"]
    assert used.record.consumers == consumers
    # Who had it last is not guessed after a use that the cleaner did not see.
    used.isolated = False
    used.happens("use, round")
    assert used.record.consumers == ()
    (result,) = used.cloud.placement.inventories(used.provider)
    expected = {"total": 1, "reserved": 0, "max_unit": 2147483647}
    assert result.fields.items() >= expected.items()


FORCE = "enable trust_placement_requests, "
#: Events, and the reason for which the device is kept; "" if it is released.
#: Then parts of the last round's message about the device.
HISTORIES = {
    "a use between two rounds": ("use, round", ""),
    "failed, then asked for again": (
        "spoil, use, round, repair, ask REQUESTED, round",
        "",
    ),
    "failed, and not tried again on its own": (
        "spoil, use, round, repair, round",
        "FAILED",
    ),
    "other rules are another chance": (
        "spoil, use, round, repair, rules everything all, round",
        "",
    ),
    "no rule": ("rules 0108 03, use, round", "NO_RULE"),
    "failed, a new provider has forgotten it": (
        "spoil, use, round, delete_provider, round, make_provider, round",
        "FAILED",
    ),
    "a new provider of a released device": (
        "use, round, renew, infect, round",
        "",
    ),
    "failed, and reserved is lowered by hand": (
        "spoil, use, round, lower, round",
        "FAILED",
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
        "FAILED",
    ),
    "asked to release what was used since": (
        "disable release_automatically, use, round, lower, use, "
        "ask RELEASE, round",
        "CLEAN",
    ),
    "asked to release what is dirty": (
        "spoil, use, round, ask RELEASE, round",
        "FAILED",
    ),
    # Any reporter of the cloud can write such a trait.
    "no force through Placement by default": (
        "spoil, use, round, ask FORCED, round",
        "REFUSED",
    ),
    "that is said once": (
        "spoil, use, round, ask FORCED, round, round",
        "FAILED",
    ),
    # It was for that moment: not for when the guest is gone.
    "force takes nothing from a guest": (
        "enable trust_placement_requests, use, hold, ask FORCED, round, "
        "let_go, spoil, round",
        "FAILED",
    ),
    "no journal, and a new provider": (
        "spoil, use, round, forget, renew, round",
        "FAILED",
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
    "kept by the configuration": ("keep_reserved, use, round", "KEPT"),
    # The release is not taken back, and does not count for the next use.
    "released by force": (
        "spoil, use, round, force, offered, round, offered, use, round",
        "FAILED",
    ),
    "two inventories": (
        "use, double, round, told 2 inventories instead of one, lower, use, "
        "round",
        "",
    ),
    "another generation with each answer": (
        'use, refuse GET /allocations 200 {"allocations":{},'
        '"resource_provider_generation":99}, round, '
        "told kept changing during the read, answer, round",
        "",
    ),
    "an answer that confirms another amount": (
        'use, refuse PUT /inventories/ 200 {"reserved":7}, round, '
        "told the answer does not confirm the new reserved amount., answer, "
        "round",
        "",
    ),
    "force for a device on offer": (
        "use, round, force, told it is not reserved",
        "",
    ),
    "nor does it wait for a use": ("force, spoil, use, round", "FAILED"),
    "a request that cannot be taken is not done": (
        f"{FORCE}spoil, use, round, ask FORCED, refuse PUT /traits, round, "
        "reserved, answer, round, offered, use, round",
        "FAILED",
    ),
    # A request during a cleaning does not count for a later use.
    "force does not outlive its moment": (
        f"{FORCE}use, during ask FORCED, round, offered, spoil, use, round, "
        "told void",
        "REFUSED",
    ),
    "nor the next round": (
        f"{FORCE}use, during ask FORCED, round, spoil, use, round, round",
        "FAILED",
    ),
    "a request for no generation": (
        "spoil, use, round, ask REQUESTED REQUESTED, round, told void",
        "REFUSED",
    ),
    "booted while it is cleaned": (
        "use, during lower+boot, round, is_kept VOID, delete, round",
        "",
    ),
    "used while it is cleaned": (
        "use, during lower+use, round, is_kept VOID, round",
        "",
    ),
    "a libvirt guest starts while it is cleaned": (
        "use, during hold, round, is_kept VOID, let_go, round",
        "",
    ),
    "used just before it is claimed": (
        "use, before PUT /inventories lower+use, round, is_kept VOID, "
        "cleaned_by 0, round",
        "",
    ),
    "used just before it is released": (
        "use, before PUT /inventories/ lower+use, round, is_kept VOID, "
        "cleaned_by 2, round",
        "",
    ),
    # The answer to the release is lost, perhaps with a guest in between.
    "a release whose answer is lost": (
        "use, before PUT /inventories/ lower+fail, round, offered, round",
        "",
    ),
    "a release whose answer is lost, and a use": (
        "use, before PUT /inventories/ lower+fail, round, offered, use, round",
        "",
    ),
    # No component watched it in between: a guest may have bypassed Nova.
    "cleaned again after a release that did not work": (
        "use, stay, refuse PUT /inventories/, round, answer, infect, round",
        "",
    ),
}


@pytest.mark.parametrize(("events", "word"), HISTORIES.values(), ids=HISTORIES)
def test_a_history(used, events, word):
    used.happens(events)
    assert used.record.forced == ""
    if word:
        used.is_kept(word)
        return
    used.is_released()
    assert used.record.steps


def test_free_devices_of_a_first_roll_out_can_be_trusted(used):
    used.happens("enable trust_new, forget, round, offered, cleaned_by 0")
    assert used.record.state is State.AVAILABLE


def test_the_device_vanishes_while_it_is_cleaned(used):
    used.happens("use, during vanish, round, reserved")


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
    "a guest's virtual function": (
        domain(HOSTDEV.replace("function='0x0'", "function='0x1'")),
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
        used.is_kept(word)
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
    used.is_kept("FAILED")


LOOK = """
import os, sys
from nova_vhard.host.libvirt.libvirt import NoLibvirt
from nova_vhard.daemon import runtime
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
DEEP = (
    "for i in $(seq 20); do mkdir $(printf %0250d 1); cd $(printf %0250d 1); "
    "done; sleep 60 3<. &"
)
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
        # Another process has a folder open whose path is too long to be told.
        ("node", DEEP, 1),
    ],
)
def test_the_number_of_an_open_device_counts(used, path, after, held):
    """A real process has a file of its own /dev open; sysfs is a copy."""
    build(used.tree, {"/sys/class/vfio/11/dev": "1:7\n", "/dev": None})
    words = ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", MOUNT]
    program = [sys.executable, LOOK, used.tree, NVME]
    ran = subprocess.run([*words, *program, path, after], check=False)
    assert ran.returncode == 40 + held


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

    used.cloud.before("PUT", "/inventories", other.round)
    used.round()
    assert other.record.state is State.RELEASED
    assert other.firmware.read_text() == "good"
    assert used.record.word == "VOID"
    assert used.firmware.read_text() == "evil"


#: Events before a round that is killed, and the reason for which the device is
#: kept after the next round; "" if it is released.
KILLED = {
    "the last step passes": ("use, round, use", ""),
    "the last step fails": ("spoil, use", "FAILED"),
    "no journal": ("use, forget, renew", ""),
}


@pytest.mark.parametrize(("before", "word"), KILLED.values(), ids=KILLED)
def test_killed_at_each_request_and_write(used, before, word):
    """The device is then reserved or clean; the next round cleans it."""
    used.happens(before)
    used.state.mkdir(exist_ok=True)
    kept, database = used.base / "kept", used.cloud.copied()
    shutil.copytree(used.state, kept)
    journal, replace = used.journal.path(NVME), files.replace

    def begin():
        used.forget()
        shutil.copytree(kept, used.state)
        used.cloud.put_back(database)
        used.infect()

    def work(kill):
        def write(*arguments):
            kill()
            replace(*arguments)
            kill()

        with mock.patch("nova_vhard.common.files.replace", write):
            used.round()

    for points in killed(used.cloud, begin, work):
        good = used.firmware.read_text() == "good"
        # Without a journal, the device is new, and Nova offers it.
        new = not os.path.exists(journal)
        assert good or new or not used.candidates(), points
        used.round()
        if word:
            used.is_kept(word)
        else:
            used.is_released()
    assert points > 20


#: Status and text of an answer, or none.
FAULTS = {
    "down": (),
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
        for _ in range(2):
            refused = used.cloud.refuse(method, part, *answer)
            with contextlib.suppress(PlacementError):
                used.round()
            assert refused
            used.answer()
            assert not used.candidates() or used.firmware.read_text() == "good"
        used.happens("round")
        used.is_released()


HOLD = """
import sys
from nova_vhard.daemon import runtime
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
    assert used.firmware.read_text() == "evil"
    used.happens("reserved, round")
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
    path = pathlib.Path(used.journal.path(NVME))
    if isinstance(damage, dict):
        damage = json.dumps({**json.loads(path.read_text()), **damage})
    path.write_text(damage)
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
def test_an_error_keeps_the_device(used, function, error):
    used.use()
    with mock.patch(function, side_effect=error):
        done = used.round()
    assert str(error) in done.troubles[NVME]
    used.is_kept("ERROR", "evil")


@pytest.mark.parametrize(
    "events", ["spoil, use, round, renew", "use, forget, renew"]
)
def test_reserved_before_anything_is_written(used, events):
    """A full disk leaves no device on offer that is known to be dirty."""
    used.happens(f"{events}, offered")
    with mock.patch("nova_vhard.common.files.replace", side_effect=FULL):
        assert not used.round()
    used.reserved()


def test_a_provider_of_another_host_is_left_alone(used):
    """Two hosts with one compute_id: only its own may act on it."""
    used.use()
    build(used.tree, {"/etc/hostname": "another.example.org\n"})
    with pytest.raises(PlacementError, match=r"another\.example\.org"):
        used.round()
    assert used.firmware.read_text() == "evil"
    used.reserved()
    used.set(provider_name=used.host)
    used.happens("round")
    used.is_released()


def test_an_odd_provider_stops_nothing_but_itself(used):
    odd = used.cloud.make(name="odd", parent_provider_uuid=used.root)
    used.cloud.give(odd, {traits.ONE_TIME_USE})
    used.use()
    done = used.round()
    assert odd in str(done.troubles)
    used.offered()


def test_a_round_that_fails_is_reported_and_the_next_one_runs(used):
    used.happens("use, refuse GET /resource_providers")
    manager = mock.Mock(spec=Notifier)
    cleaner = used.cleaner(Runtime(manager))
    cleaner.round()
    used.answer()
    cleaner.round()
    failed, done = (each.args[0] for each in manager.status.call_args_list)
    assert failed.startswith("Placement: status 503")
    assert done == "1 devices, nothing waits"


def test_the_report_has_what_waits_and_why(used):
    # A device without an inventory, which a host's own login can make of one
    used.cloud.give(
        used.cloud.make(
            name=f"{used.host}_0000:05:00.0", parent_provider_uuid=used.root
        ),
        {traits.ONE_TIME_USE},
    )
    assert not list(data.device_rows(used.cloud.placement))
    used.use()
    assert list(data.device_rows(used.cloud.placement)) == [
        (used.host, NVME, CLASS, "no cleaner has reported on it")
    ]
