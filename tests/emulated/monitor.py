# SPDX-License-Identifier: Apache-2.0
"""The registers of an emulated machine, by QEMU's monitor."""

import contextlib
import json
import pathlib
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_SECONDS = 60

#: In place of a value where nothing answers.
NOTHING = -1


def registers(path: pathlib.Path, addresses: Iterable[int]) -> dict[int, int]:
    """Return the 32 bits at each physical address, or NOTHING.

    :param path: socket of the monitor
    """
    with _monitor(path) as ask:
        return {address: _register(ask, address) for address in addresses}


@contextlib.contextmanager
def _monitor(path: pathlib.Path) -> Iterator[Callable[[str], str]]:
    """Yield what gives a command of QEMU's monitor and returns its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(str(path))
        with connection.makefile("rw") as stream:
            stream.readline()

            def execute(name: str, **arguments: str) -> Any:
                order = {"execute": name, "arguments": arguments}
                stream.write(json.dumps(order) + "\n")
                stream.flush()
                while "return" not in (got := json.loads(stream.readline())):
                    assert "error" not in got, got
                return got["return"]

            execute("qmp_capabilities")
            yield lambda line: execute(
                "human-monitor-command", **{"command-line": line}
            )


def _register(ask: Callable[[str], str], address: int) -> int:
    answer = ask(f"xp /1wx {address:#x}")
    match = re.fullmatch(r"[0-9a-f]+: 0x([0-9a-f]{8})\s*", answer)
    return int(match[1], 16) if match else NOTHING
