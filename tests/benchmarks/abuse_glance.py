# SPDX-License-Identifier: Apache-2.0
"""Hostile requests to the Glance API; see ``abuse_service``."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tests import services

services.choose_threads()

from tests.benchmarks import (  # noqa: E402
    abuse_glance_cases,
    abuse_service,
    glance_server,
)
from tests.benchmarks.abuse_case import MIB, Case, seeded  # noqa: E402
from tests.benchmarks.client import TOKEN  # noqa: E402
from tests.functional.glance import service  # noqa: E402
from tests.fuzz import test_fuzz_glance as odd  # noqa: E402

RANDOM = 100


def prepared(directory: Path) -> abuse_service.Service:
    """Return Glance from a directory, with an image in it."""
    glance_server.prepare(directory, service.GATE)
    gate = glance_server.load(directory)
    plain = service.load(service.paste_file(directory / "plain.ini", None))
    image = {"id": odd.IMAGE, "name": "image", "hw_disk_bus": "virtio"}
    case = abuse_glance_cases.post("", **image)
    made = {**case.made(), "HTTP_X_AUTH_TOKEN": TOKEN}
    status, _ = abuse_service.answered(plain, made)
    assert status == 201, status
    database = directory / "glance.sqlite"
    log = directory / "glance.log"
    return abuse_service.Service(gate, plain, log, [database], TOKEN)


def cases() -> Iterator[Case]:
    """Yield all requests."""
    yield from abuse_glance_cases.posts()
    yield from abuse_glance_cases.raw()
    yield from abuse_glance_cases.patches(odd.IMAGE)
    yield from seeded(odd.wish, RANDOM, "glance", MIB)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    settings = json.loads(file.read_text())
    home = Path(settings["directory"])
    os.chdir(home)
    warm_up = abuse_glance_cases.post("warm_up")
    abuse_service.main(file, prepared(home), warm_up, cases())
