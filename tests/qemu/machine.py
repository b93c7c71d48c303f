# SPDX-License-Identifier: Apache-2.0
"""A machine like those that libvirt starts for Nova, spoken to by QMP."""

import contextlib
import pathlib
import subprocess
import time
from collections.abc import Callable

from tests.emulated import monitor
from tests.qemu import source

# What Nova's guests have; under emulation, and on null devices.
_GUEST = """\
-nodefaults -no-user-config -display none -vnc none -m 128
-machine {machine},accel=tcg,usb=off,hpet=off
-device pcie-root-port,id=p1,bus=pcie.0,addr=1,chassis=1
-device pcie-root-port,id=p2,bus=pcie.0,addr=2,chassis=2
-device pcie-root-port,id=p3,bus=pcie.0,addr=3,chassis=3
-device pcie-root-port,id=p4,bus=pcie.0,addr=4,chassis=4
-device pcie-root-port,id=p5,bus=pcie.0,addr=5,chassis=5
-blockdev null-co,node-name=disk,size=1048576
-device virtio-blk-pci,drive=disk,bus=p1
-blockdev null-co,node-name=cdrom,size=1048576,read-only=on
-device ide-cd,drive=cdrom,bus=ide.0
-netdev hubport,id=net,hubid=0
-device virtio-net-pci,netdev=net,bus=p2,romfile=
-device virtio-balloon-pci,bus=p3
-object rng-random,id=rng,filename=/dev/urandom
-device virtio-rng-pci,rng=rng,bus=p4
-device virtio-serial-pci,bus=p5
-device virtio-vga,bus=pcie.0,addr=6
-device vmcoreinfo
-chardev null,id=serial -device isa-serial,chardev=serial
"""
_SECONDS = 60


class Machine:
    """A machine, until the block ends.

    :param place: folder for its socket
    :param more: words of the command line
    """

    def __init__(
        self,
        binary: pathlib.Path,
        place: pathlib.Path,
        name: str,
        machine: str,
        *more: str,
    ) -> None:
        self._path = place / f"{name}.qmp"
        self._path.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                str(binary),
                *_GUEST.format(machine=machine).split(),
                *("-qmp", f"unix:{self._path},server=on,wait=off"),
                *more,
            ],
            env=source.ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Machine":
        end = time.monotonic() + _SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError):
                connected = monitor.connected(self._path)
                self._ask = self._stack.enter_context(connected)
                break
            time.sleep(0.1)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        self._process.kill()
        self.output()

    def migrate(self, path: pathlib.Path) -> str:
        """Migrate to who listens; return ``completed`` or ``failed``."""
        self._ask("migrate", uri=f"unix:{path}")
        ended = {"completed", "failed"}
        return self._until("query-migrate", ended.__contains__)

    def status(self) -> str:
        """Return whether it is ``running``, once it has made up its mind."""
        return self._until("query-status", "inmigrate".__ne__)

    def _until(self, command: str, rests: Callable[[str], bool]) -> str:
        """Ask for a status until it is final."""
        end = time.monotonic() + _SECONDS
        while not rests(status := self._ask(command).get("status", "")):
            assert time.monotonic() < end, status
            time.sleep(0.1)
        return status

    def output(self) -> str:
        """Wait until it has ended; return its errors."""
        return self._process.communicate(timeout=_SECONDS)[1] or ""
