# SPDX-License-Identifier: Apache-2.0
"""Servers for test_benchmark_servers: each answers the name of its folder."""

import sys
from pathlib import Path
from typing import Any

from tests.benchmarks import forked


def prepare(directory: Path, name: str) -> None:
    """Log the filter of a folder."""
    print(directory.name, name, file=sys.stderr)


def load(directory: Path) -> Any:
    """Return an application that answers which server it is of."""
    if directory.name == "none":
        raise RuntimeError("this one cannot start")

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [directory.name.encode()]

    return application


def main(arguments: list[str]) -> None:
    """Serve; with the filter ``late`` say only that both are, in any order."""
    if "late" not in arguments:
        forked.main(arguments, prepare, load)
        return
    print("1 20 21\n0 10 11", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
