# SPDX-License-Identifier: Apache-2.0
"""Emulated Arm hosts: their registers, and the results of the checks.

Each boots, sends a copy of its files, and is switched off.
"""

import json
import pathlib
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from typing import Any

from tests.emulated import monitor

#: The program under test, in the environment that the tests run in.
PROGRAM = pathlib.Path(sys.executable).with_name("nova-vhard-reporter")

# Seconds; 60 at most on an idle machine of 2 cores.
_LIMIT = 900

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
# Control registers, SMMU_CR0 and GITS_CTLR of machine virt: bit 0 is "on".
CR0, ITS = 0x09050020, 0x08080000


@dataclass(frozen=True)
class Answers:
    """Results and output of an emulated host.

    :ivar checks: name of a check to its result, as in the JSON report
    :ivar dmesg: messages of its kernel
    :ivar version: version of its kernel
    :ivar registers: address to value
    """

    checks: dict[str, dict[str, Any]]
    dmesg: str
    version: str
    registers: dict[int, int]


@dataclass(frozen=True)
class Machine:
    """A host to boot.

    :ivar options: of QEMU
    :ivar kernel: more of the kernel's command line
    :ivar uefi: whether its firmware describes it by ACPI; otherwise QEMU
        does, by a device tree
    """

    options: str
    kernel: str = ""
    uefi: bool = False


def boot(machine: Machine, place: pathlib.Path, made: pathlib.Path) -> Answers:
    """Boot a host, and check the copy of its files that it sends.

    :param place: folder for logs and for the copy
    :param made: folder that prepare-arm64.sh filled
    """
    names = ("console", "copy", "monitor", "log")
    paths = {name: place / name for name in names}
    paths["console"].touch()
    with open(paths["copy"], "wb") as file:
        file.truncate(_COPY)
    kernel = f"console=ttyAMA0 panic=-1 loglevel=5 {machine.kernel}"
    command = _ARM.format(made=made, **paths).split()
    command += [*machine.options.split(), "-append", kernel]
    if machine.uefi:
        command += ["-bios", str(made / "arm64" / "uefi")]
    with open(paths["log"], "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    end = time.monotonic() + _LIMIT
    try:
        while _COPIED not in (text := _text(paths["console"])):
            running = process.poll() is None and time.monotonic() < end
            assert running, _text(paths["log"]) + text[-3000:]
            time.sleep(0.2)
        registers = monitor.registers(paths["monitor"], (CR0, ITS))
    finally:
        process.kill()
        process.wait()
    root = place / "root"
    with tarfile.open(paths["copy"], "r:") as packed:
        # Links lead out of it: HostRoot keeps them in.
        packed.extraction_filter = getattr(
            tarfile, "fully_trusted_filter", None
        )
        packed.extractall(root)
    done = subprocess.run(
        [PROGRAM, "check", "--root", root, "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1, 2), done.stderr
    results = json.loads(done.stdout)["results"]
    return Answers(
        {each["check"]: each for each in results},
        _text(root / "CMD" / "dmesg"),
        _text(root / "proc" / "version"),
        registers,
    )


def _text(path: pathlib.Path) -> str:
    return path.read_text(errors="replace")
