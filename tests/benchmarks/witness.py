# SPDX-License-Identifier: Apache-2.0
"""A reporter that is watched: which files it opens, what it starts.

    python -m tests.benchmarks.witness LOG ARGUMENT...

runs ``nova-vhard-reporter ARGUMENT...`` in this process. An audit hook, which
its children inherit and nothing can take away, writes a line for each.
"""

import contextlib
import os
import pathlib
import sys
from collections.abc import Callable
from dataclasses import dataclass

from nova_vhard.cmd import reporter

_OPENED, _STARTED = "opened", "started"

# Event: the place of the program's name or words among its arguments.
_STARTS = {
    "subprocess.Popen": 1,
    "os.exec": 1,
    "os.posix_spawn": 1,
    "os.system": 0,
}
_ELF = b"\x7fELF"


@dataclass(frozen=True)
class Seen:
    """Files opened and QEMU processes started in one run.

    :ivar elf: path of each ELF file, once for each time it was opened
    :ivar qemu: command-line arguments of each QEMU process
    """

    elf: list[str]
    qemu: list[str]


def read(log: pathlib.Path) -> Seen:
    """Return what a run has left in its log."""
    elf, qemu = [], []
    for line in log.read_text().splitlines():
        what, _, words = line.partition(" ")
        if what == _STARTED and "qemu" in words:
            qemu.append(words)
        if what == _OPENED:
            with contextlib.suppress(OSError), open(words, "rb") as file:
                if file.read(len(_ELF)) == _ELF:
                    elf.append(words)
    return Seen(elf, qemu)


def watch(log: int) -> Callable[[str, tuple[object, ...]], None]:
    """Return the hook.

    :param log: descriptor of the log, open for appending
    """

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | os.PathLike):
            line = f"{_OPENED} {os.fspath(arguments[0])}"
        elif event in _STARTS:
            line = f"{_STARTED} {arguments[_STARTS[event]]}"
        else:
            return
        os.write(log, f"{line}\n".encode(errors="replace"))

    return hook


def main(log: str, *arguments: str) -> int:
    """Run the reporter, watched."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    sys.addaudithook(watch(os.open(log, flags, 0o600)))
    return reporter.main(arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
