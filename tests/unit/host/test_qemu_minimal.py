# SPDX-License-Identifier: Apache-2.0
"""qemu_minimal: what a real QEMU lists, and programs that play one."""

import functools
import json
import os
import pathlib
import re

import pytest

from nova_vhard.catalogue.qemu import DEVICES
from nova_vhard.host import cache, guests
from nova_vhard.host.check import Status
from nova_vhard.host.checks.qemu_minimal import unwanted
from nova_vhard.host.evidence import MAX_EVIDENCE
from nova_vhard.host.host import Expected, Host
from nova_vhard.host.qemu import qemu_devices
from nova_vhard.host.root import HostRoot
from tests import golden
from tests.unit.host.test_cases import CHECKS, shipped
from tests.unit.host.test_check_process import ended
from tests.unit.host.test_running import named

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
CHECK = CHECKS["qemu_minimal"]
HERE = pathlib.Path(__file__)
DATA = HERE.parents[2] / "data" / "qemu"
HELP = DATA / "device-help.txt"
X86 = "/usr/bin/qemu-system-x86_64"


@pytest.fixture(autouse=True)
def no_guests_of_this_machine(tmp_path, monkeypatch):
    """Programs are started here, and guests that run are not looked at."""
    (tmp_path / "no-guests").mkdir()
    monkeypatch.setattr(guests, "PROC", str(tmp_path / "no-guests"))


FULL, MICROVM, ARM = (
    frozenset((DATA / f"device-names-{name}.txt").read_text().split())
    for name in ("all-modules", "microvm", "aarch64")
)


BASELINE, STRICT = shipped("baseline"), shipped("strict")


def test_what_the_shipped_policies_leave_out():
    """Devices of each list that no guest of the policy needs."""
    lines = [
        f"{policy}, {listed}: {device}"
        for policy, expected in (("baseline", BASELINE), ("strict", STRICT))
        for listed, devices, arch in (
            ("x86_64 with all modules", FULL, "x86_64"),
            ("microvm", MICROVM, "x86_64"),
            ("aarch64", ARM, "aarch64"),
        )
        for device in sorted(unwanted(expected, devices, arch))
    ]
    golden.check(HERE.with_name("unwanted_devices.golden"), lines)
    assert not unwanted(Expected(policy=True), FULL)


def refusing(**kinds):
    """Return a policy that allows nothing of these kinds but these words."""
    refused = {
        kind: frozenset(DEVICES[kind]) - set(allowed.split())
        for kind, allowed in kinds.items()
    }
    return Expected(policy=True, refused=refused)


#: A shell command that lists a device.
ONE = "echo 'name \"virtio-net-pci\"'"
BUSES = ("disk_bus", "cdrom_bus", "floppy_bus", "rescue_bus")


@pytest.mark.parametrize(
    ("expected", "stays"),
    [
        # One of several buses that need it is enough.
        (refusing(**dict.fromkeys(BUSES[:3], "virtio")), "piix3-ide ide-hd"),
        (
            refusing(**dict.fromkeys(BUSES, "virtio ide")),
            "piix3-ide ide-hd ide-cd",
        ),
        # A CD-ROM alone.
        (
            refusing(
                **(dict.fromkeys(BUSES, "virtio") | {"cdrom_bus": "sata"})
            ),
            "ich9-ahci ide-cd",
        ),
        # A controller brings the disks of its bus.
        (
            refusing(
                **dict.fromkeys(BUSES, "virtio"), scsi_model="virtio-scsi"
            ),
            "virtio-scsi-pci scsi-hd scsi-cd",
        ),
        # So are all sound cards of Intel's HDA.
        (refusing(sound_model="ich6"), "intel-hda ich9-intel-hda"),
        # A USB controller may serve another kind.
        (
            refusing(usb_model="none", sound_model="", pointer_model=""),
            "qemu-xhci usb-tablet",
        ),
        (refusing(usb_model="nec-xhci"), "qemu-xhci nec-usb-xhci"),
    ],
)
def test_what_stays(expected, stays):
    assert not set(stays.split()) & set(unwanted(expected, FULL))


@pytest.mark.parametrize(
    ("machine", "stays", "goes"),
    [
        ("q35", "ich9-ahci ide-cd", "piix3-ide ide-hd"),
        ("pc", "piix3-ide piix4-ide ide-cd", "ich9-ahci ide-hd"),
        ("virt", "", "piix3-ide ich9-ahci ide-hd ide-cd"),
    ],
)
def test_what_a_machine_is_always_built_with_stays(machine, stays, goes):
    refused = refusing(**dict.fromkeys(BUSES, "virtio")).refused
    out = set(unwanted(Expected(True, refused, frozenset((machine,))), FULL))
    assert out.isdisjoint(stays.split()) and out >= set(goes.split())


def listing(names):
    """Return a script that lists devices."""
    listed = "\n".join(f'name "{name}"' for name in sorted(names))
    return f"cat <<'END'\n{listed}\nEND"


def test_q35_holds_nothing_in_an_emulator_of_arms_guests(program):
    kinds = dict.fromkeys(BUSES, "virtio scsi") | {"scsi_model": "virtio-scsi"}
    refused = refusing(**kinds).refused
    policy = Expected(True, refused, frozenset(("q35", "virt")))
    result = live(program(listing(ARM), "qemu-system-aarch64"), policy)
    assert result.status is FAIL
    held = {"ich9-ahci", "ide-cd"}
    omitted = set(re.findall(r"[\w-]+", "\n".join(result.evidence)))
    assert omitted >= held | {"ide-hd"}
    assert held.isdisjoint(unwanted(policy, FULL, "x86_64"))


@pytest.fixture
def program(tmp_path):
    """Return what puts an emulator into place that is a shell script."""

    def made(script, name="qemu-system-x86_64"):
        path = tmp_path / "usr" / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return made


def live(paths, expected=BASELINE, state_dir=None):
    """Run the check on this machine, with one emulator or several."""
    cache._MEMORY.clear()
    paths = paths if isinstance(paths, list) else [paths]
    host = Host(HostRoot("/"), named(*paths), expected, state_dir=state_dir)
    return CHECK.run(host)


def test_the_list_of_what_to_leave_out(program):
    path = program(f"cat {HELP}")
    result = live(path)
    assert result.status is FAIL
    assert "--with-devices" in result.remediation
    last = result.evidence[-1]
    assert last.startswith(f"{path} -device help: 431 devices, ")
    assert (
        "omit e1000, e1000-82544gc, e1000-82545em: needed only for "
        "e1000 (vif_model)" in result.evidence
    )
    # It is not cut for two emulators.
    result = live([path, program(f"cat {HELP}", "qemu-system-i386")])
    assert result.status is FAIL
    assert len(result.evidence) <= MAX_EVIDENCE


def test_a_minimal_build_passes(program):
    offered = MICROVM - {"scsi-block", "scsi-generic"}
    path = program(listing(offered))
    result = live(path, STRICT)
    said = f"{path} -device help: {len(offered)} devices, 0 to omit"
    assert (result.status, result.evidence) == (PASS, (said,))


def test_how_it_is_asked(program, tmp_path, monkeypatch):
    monkeypatch.setenv("QEMU_MODULE_DIR", "/nowhere")
    monkeypatch.setenv("LD_PRELOAD", "/nowhere.so")
    seen = tmp_path / "seen"
    path = program(f'echo "$@" > {seen}; env >> {seen}; cat >> {seen}; {ONE}')
    assert live(path).status is PASS
    arguments, *environment = seen.read_text().splitlines()
    for words in ("-machine none -device help", "-no-user-config -nodefaults"):
        assert words in arguments
    names = {each.partition("=")[0] for each in environment}
    # The shell sets some of its own.
    assert names <= {"PATH", "LC_ALL", "HOME", "PWD", "SHLVL", "_", "OLDPWD"}


@pytest.mark.parametrize(
    ("script", "mode", "why"),
    [
        ("exit 0", 0o755, "lists no device"),
        ("exit 0", 0o644, "Permission denied"),
        # Any user may have chosen what it does.
        (f"cat {HELP}", 0o757, "others can write"),
        ("exit 0", None, "No such file"),
        (f"cat {HELP}; exit 3", 0o755, "ended with 3"),
        (f"cat {HELP}; kill -9 $$", 0o755, "ended with -9"),
        (f"while :; do {ONE}; done", 0o755, "too much"),
        (f"{ONE}; sleep 60", 0o755, "takes over"),
        (f"{ONE}; sleep 60 & exec sleep 60", 0o755, "takes over"),
        ("exec >&-; sleep 60", 0o755, "takes over"),
    ],
)
def test_an_emulator_that_gives_no_list_is_unknown(
    program, monkeypatch, script, mode, why
):
    limit = 5.0 if why == "too much" else 0.3
    monkeypatch.setattr(qemu_devices, "_SECONDS", limit)
    path = program(script)
    path.chmod(mode or 0)
    if mode is None:
        path.unlink()
    result = live(path)
    assert (result.status, why in result.evidence[0]) == (UNKNOWN, True)


def test_nothing_is_left_running(program, tmp_path, monkeypatch):
    monkeypatch.setattr(qemu_devices, "_SECONDS", 0.5)
    numbers = tmp_path / "numbers"
    path = program(f"sleep 60 & echo $! $$ > {numbers}; wait")
    assert live(path).status is UNKNOWN
    assert all(map(ended, numbers.read_text().split()))


def test_one_that_gives_no_list_hides_no_fault_of_another(program):
    good = program(f"cat {HELP}")
    result = live([program("exit 1", "qemu-system-i386"), good])
    assert result.status is FAIL
    assert "ended with 1" in "".join(result.evidence)


def test_without_a_policy_nobody_is_asked(program, tmp_path):
    seen = tmp_path / "seen"
    result = live(program(f"touch {seen}"), Expected())
    assert (result.status, seen.exists()) == (UNKNOWN, False)


def test_asked_again_only_when_something_has_changed(program, tmp_path):
    script = f"echo x >> {tmp_path}/seen; cat {HELP}"
    path, state = program(script), tmp_path / "state"
    module = tmp_path / "usr/lib/x86_64-linux-gnu/qemu/a.so"
    module.parent.mkdir(parents=True)
    state.mkdir()

    def damage():
        (file,) = state.iterdir()
        content = json.loads(file.read_text())
        content["results"] = {key: [1, None] for key in content["results"]}
        file.write_text(json.dumps(content))

    for number, change in enumerate(
        (
            dict,
            module.touch,
            functools.partial(os.utime, module, (1, 1)),
            module.unlink,
            functools.partial(program, f"{script}; :"),
            damage,
        ),
        1,
    ):
        change()
        for _ in range(2):
            live(path, state_dir=str(state))
        assert (tmp_path / "seen").read_text() == "x\n" * number


def test_without_an_emulator():
    assert live([]).status is Status.NOT_APPLICABLE
