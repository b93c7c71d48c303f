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


def read(log: pathlib.Path) -> tuple[int, int]:
    """Return the counts in the log of a run.

    :returns: how often ELF files were opened, and how many QEMU processes
        were started
    """
    elf = qemu = 0
    for line in log.read_text().splitlines():
        what, _, words = line.partition(" ")
        qemu += what == _STARTED and "qemu" in words
        if what == _OPENED:
            with contextlib.suppress(OSError), open(words, "rb") as file:
                elf += file.read(len(_ELF)) == _ELF
    return elf, qemu


def main(log: str, *arguments: str) -> int:
    """Run the reporter, watched."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    descriptor = os.open(log, flags, 0o600)

    def hook(event: str, words: tuple[object, ...]) -> None:
        line = ""
        if event == "open" and isinstance(words[0], str | os.PathLike):
            line = f"{_OPENED} {os.fspath(words[0])}\n"
        elif event in _STARTS:
            line = f"{_STARTED} {words[_STARTS[event]]}\n"
        os.write(descriptor, line.encode(errors="replace"))

    sys.addaudithook(hook)
    return reporter.main(arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
