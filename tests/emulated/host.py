# SPDX-License-Identifier: Apache-2.0
"""Emulated hosts: what the checks say of them, and what their registers say.

Each is booted, waits once it has said everything, and is switched off.
"""

import json
import pathlib
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.emulated import monitor

_HERE = pathlib.Path(__file__).resolve().parent

#: The program under test, in the environment that the tests run in.
PROGRAM = pathlib.Path(sys.executable).with_name("nova-vhard-reporter")

# Seconds; 60 at most on an idle machine of 2 cores.
_LIMIT = 900

_X86 = """\
nice -n 15 qemu-system-x86_64 -m 1024 -nodefaults -display none -no-reboot
-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,\
multidevs=remap
-serial file:{console} -serial file:{answers}
-qmp unix:{monitor},server=on,wait=off
"""
_ARM = """\
nice -n 15 {made}/arm64/usr/bin/qemu-system-aarch64 -cpu cortex-a57 -smp 2
-m 512 -nodefaults -display none -no-reboot
-kernel {made}/arm64/vmlinuz -initrd {made}/arm64/initrd
-drive if=none,id=copy,file={copy},format=raw
-device nvme,serial=vhard,drive=copy -device e1000e
-serial file:{console}
-qmp unix:{monitor},server=on,wait=off
"""
_COPY = 32 << 20
_COPIED = "vhard: the copy is written"


@dataclass(frozen=True)
class Answers:
    """Results and output of an emulated host.

    :ivar checks: name of a check to its result, as in the JSON report
    :ivar words: the machine's own reports, by case
    :ivar registers: address to value
    :ivar console: console output of its kernel
    :ivar root: folder with a copy of its files, for an Arm host
    """

    checks: dict[str, dict[str, Any]]
    words: dict[str, dict[str, Any]]
    registers: dict[int, int]
    console: str
    root: pathlib.Path | None = None

    @property
    def statuses(self) -> dict[str, str]:
        """Check to its status."""
        return {name: each["status"] for name, each in self.checks.items()}


@dataclass(frozen=True)
class Machine:
    """A host to boot.

    :ivar options: of QEMU
    :ivar kernel: more of the kernel's command line
    :ivar registers: addresses to read
    :ivar uefi: whether its firmware describes it by ACPI, of Arm; otherwise
        QEMU does, by a device tree
    """

    options: str
    kernel: str = ""
    registers: tuple[int, ...] = ()
    uefi: bool = False


def x86(machine: Machine, place: pathlib.Path, made: pathlib.Path) -> Answers:
    """Boot an x86 host, on which the reporter runs.

    :param place: folder for logs
    :param made: folder that prepare.sh filled
    """
    paths = _paths(place, "console", "answers", "monitor")
    command = _words(_X86, machine, **paths)
    program = f"{sys.executable},{_HERE / 'host_inside.py'}"
    kernel = f"panic=-1 loglevel=5 vhard={program} {machine.kernel}"
    command += ["-kernel", str(made / "vmlinuz")]
    command += ["-initrd", str(made / "initrd")]
    command += ["-append", f"console=ttyS0 {kernel}"]

    def ready() -> bool:
        return '{"case": "end"}' in _text(paths["answers"])

    registers = _run(command, machine, paths, ready)
    lines = _text(paths["answers"]).splitlines()
    entries = [json.loads(x) for x in lines if x.startswith('{"case": ')]
    words = {each.pop("case"): each for each in entries}
    checks = {name: each for name, each in words.items() if "status" in each}
    checks = {name: each for name, each in checks.items() if "check" in each}
    return Answers(checks, words, registers, _text(paths["console"]))


def arm(machine: Machine, place: pathlib.Path, made: pathlib.Path) -> Answers:
    """Boot an Arm host, and check the copy of its files that it hands out.

    :param place: folder for logs and for the copy
    :param made: folder that prepare-arm64.sh filled
    """
    paths = _paths(place, "console", "copy", "monitor")
    with open(paths["copy"], "wb") as file:
        file.truncate(_COPY)
    command = _words(_ARM, machine, made=made, **paths)
    kernel = f"console=ttyAMA0 panic=-1 loglevel=5 {machine.kernel}"

    def ready() -> bool:
        return _COPIED in _text(paths["console"])

    command += ["-append", kernel]
    if machine.uefi:
        command += ["-bios", str(made / "arm64" / "uefi")]
    registers = _run(command, machine, paths, ready)
    root = place / "root"
    with tarfile.open(paths["copy"], "r:") as packed:
        # Links lead out of it: HostRoot keeps them in.
        packed.extraction_filter = getattr(
            tarfile, "fully_trusted_filter", None
        )
        packed.extractall(root)
    words = {
        "dmesg": {"printed": _text(root / "CMD" / "dmesg")},
        "version": {"printed": _text(root / "proc" / "version")},
    }
    console = _text(paths["console"])
    return Answers(_checked(root), words, registers, console, root)


def _checked(root: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Return check to result, of a copy of a host's files."""
    done = subprocess.run(
        [PROGRAM, "check", "--root", root, "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1, 2), done.stderr
    results = json.loads(done.stdout)["results"]
    return {each["check"]: each for each in results}


def _paths(place: pathlib.Path, *names: str) -> dict[str, pathlib.Path]:
    place.mkdir(parents=True, exist_ok=True)
    return {name: place / name for name in names}


def _words(template: str, machine: Machine, **names: Any) -> list[str]:
    text = template.format(**names).replace("\\\n", "")
    return [*text.split(), *machine.options.split()]


def _text(path: pathlib.Path) -> str:
    """Return what a file has by now; nothing where there is none yet."""
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _run(
    command: list[str],
    machine: Machine,
    paths: Mapping[str, pathlib.Path],
    ready: Callable[[], bool],
) -> dict[int, int]:
    """Run a machine until it has said everything; return its registers."""
    log = paths["console"].with_name("qemu")
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        end = time.monotonic() + _LIMIT
        while not ready() and process.poll() is None:
            assert time.monotonic() < end, _last(paths)
            time.sleep(0.2)
        assert ready(), f"{_text(log)}\n{_last(paths)}"
        return monitor.registers(paths["monitor"], machine.registers)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _last(paths: Mapping[str, pathlib.Path]) -> str:
    names = ("answers", "console")
    return "\n".join(_text(paths[x])[-3000:] for x in names if x in paths)
