# SPDX-License-Identifier: Apache-2.0
"""A network service that has nothing at all, for Nova to ask.

``GET /servers/detail`` shows the security groups of every server, by Neutron.
"""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.benchmarks import forked

_COLLECTIONS = ("extensions", "networks", "ports", "security_groups")
#: Without limits: Nova asks for them where a server is made without networks.
_ANSWER = json.dumps(
    {**{name: [] for name in _COLLECTIONS}, "quota": {}}
).encode()


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Answer every question alike."""
    start_response(
        "200 OK",
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(_ANSWER))),
        ],
    )
    return [_ANSWER]


def prepare(directory: Path, our_filter: str) -> None:
    """There is nothing to prepare."""


def load(directory: Path) -> Any:
    """Return the service."""
    return application


if __name__ == "__main__":
    forked.main(sys.argv[1:], prepare, load)
