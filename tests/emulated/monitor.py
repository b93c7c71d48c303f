# SPDX-License-Identifier: Apache-2.0
"""QEMU's monitor, by which the registers of a machine are read."""

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


@contextlib.contextmanager
def connected(path: pathlib.Path) -> Iterator[Callable[..., Any]]:
    """Yield a function that sends a command of QMP and returns its answer.

    :param path: socket of the monitor
    :raises OSError: if it does not listen
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(str(path))
        with connection.makefile("rw") as stream:
            stream.readline()

            def execute(name: str, **arguments: object) -> Any:
                order = {"execute": name, "arguments": arguments}
                stream.write(json.dumps(order) + "\n")
                stream.flush()
                # Events may come first.
                while "return" not in (got := json.loads(stream.readline())):
                    assert "error" not in got, got
                return got["return"]

            execute("qmp_capabilities")
            yield execute


def registers(path: pathlib.Path, addresses: Iterable[int]) -> dict[int, int]:
    """Return the 32 bits at each physical address, or NOTHING."""
    result = {}
    with connected(path) as execute:
        for address in addresses:
            line = {"command-line": f"xp /1wx {address:#x}"}
            answer = execute("human-monitor-command", **line)
            match = re.fullmatch(r"[0-9a-f]+: 0x([0-9a-f]{8})\s*", answer)
            result[address] = int(match[1], 16) if match else NOTHING
    return result
