# SPDX-License-Identifier: Apache-2.0
"""A real libvirt beside the tests, in a process of its own.

Its bindings are looked for in this Python and in the system's;
``NOVA_VHARD_LIBVIRT_PATH`` names a folder that has them elsewhere.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).with_name("libvirt_define.py")
_PYTHONS = (sys.executable, "/usr/bin/python3")
#: Guests run as the user who runs the tests, without what a host has beside.
_QEMU_CONF = """\
user = "+0"
group = "+0"
swtpm_user = "root"
swtpm_group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
remember_owner = 0
stdio_handler = "file"
"""


class RealLibvirt:
    """Defines domains, and starts them.

    :param folder: in which libvirt has its own files
    """

    def __init__(self, child: Any, folder: Path) -> None:
        self._child, self._folder = child, folder

    def defined(self, xml: str) -> tuple[str | None, str]:
        """Return what libvirt would start, or None and why it would not."""
        text, why = self._done("defined", xml)
        # "maximum" is not what Nova asked for, and has other devices. Files of
        # the guest get the paths that they have on a host.
        text = text and text.replace("mode='maximum'", "mode='host-model'")
        return text and text.replace(
            f"{self._folder}/lib/", "/var/lib/libvirt/"
        ), why

    def native(self, xml: str) -> tuple[str | None, str]:
        """Return the command line of QEMU, or None and why there is none."""
        return self._done("native", xml)

    def started(self, xml: str) -> tuple[str | None, str]:
        """Return a guest that was started, or None and why it was not."""
        return self._done("started", xml)

    def _done(self, task: str, xml: str) -> tuple[str | None, str]:
        # Of this machine, which may have no KVM.
        xml = xml.replace('<domain type="kvm">', '<domain type="qemu">')
        xml = xml.replace('mode="host-model"', 'mode="maximum"')
        xml = xml.replace(' match="exact"', "")
        self._child.stdin.write(json.dumps((task, xml)) + "\n")
        self._child.stdin.flush()
        text, why = json.loads(self._child.stdout.readline())
        return text, why


@contextmanager
def started(folder: Path) -> Iterator[RealLibvirt | None]:
    """Give a libvirt; None where there is none.

    :param folder: of its own
    """
    (folder / "etc").mkdir(parents=True)
    (folder / "etc" / "qemu.conf").write_text(_QEMU_CONF)
    for python in _PYTHONS:
        child = subprocess.Popen(
            [python, str(_SCRIPT), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.environ.get("NOVA_VHARD_LIBVIRT_PATH", ""),
            },
        )
        with child:
            assert child.stdin is not None
            assert child.stdout is not None
            if child.stdout.readline():
                yield RealLibvirt(child, folder)
                child.stdin.close()
                return
    yield None
