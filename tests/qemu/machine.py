# SPDX-License-Identifier: Apache-2.0
"""A machine like those that libvirt starts for Nova, spoken to by QMP."""

import contextlib
import json
import pathlib
import socket
import subprocess
import time
from typing import Any

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
        self._stream: Any = None

    def __enter__(self) -> "Machine":
        end = time.monotonic() + _SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError):
                connection = socket.socket(socket.AF_UNIX)
                connection.settimeout(_SECONDS)
                connection.connect(str(self._path))
                self._stream = connection.makefile("rw")
                self._stream.readline()
                self.ask("qmp_capabilities")
                break
            time.sleep(0.1)
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self.output()

    def ask(self, command: str, **arguments: object) -> Any:
        """Give a command; return what it returns."""
        order = {"execute": command, "arguments": arguments}
        self._stream.write(json.dumps(order) + "\n")
        self._stream.flush()
        while True:
            answer = json.loads(self._stream.readline())
            if "event" not in answer:
                assert "return" in answer, answer
                return answer["return"]

    def migrate(self, path: pathlib.Path) -> str:
        """Migrate to who listens; return ``completed`` or ``failed``."""
        self.ask("migrate", uri=f"unix:{path}")
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            status = self.ask("query-migrate").get("status", "")
            if status in ("completed", "failed"):
                return str(status)
            time.sleep(0.1)
        raise TimeoutError(status)

    def status(self) -> str:
        """Return whether it is ``running``, once it has made up its mind."""
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            result = str(self.ask("query-status")["status"])
            if result != "inmigrate":
                return result
            time.sleep(0.1)
        return "inmigrate"

    def output(self) -> str:
        """Wait until it has ended; return its errors."""
        return self._process.communicate(timeout=_SECONDS)[1] or ""
