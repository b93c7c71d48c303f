# SPDX-License-Identifier: Apache-2.0
"""Keylime, a Placement in a process of its own, and a table at the end."""

import os
import pathlib

import pytest

from tests.attestation.keylime import Keylime
from tests.attestation.world import World
from tests.integration.conftest import a_cloud
from tests.soak.cloud import Cloud

ROOT = pathlib.Path(__file__).parents[2] / ".cloud-attestation"
#: Rows of the table: scenario and what came of it.
ROWS: list[tuple[str, str]] = []
#: Where the table is written to, too, as a page of the documentation has it.
RECORD = "NOVA_VHARD_RECORD"


def row(name, text):
    """Add a row to the table."""
    ROWS.append((name, text))


def row_of_cloud(name, text):
    """Add a row of what was tried on the cloud."""
    row(f"cloud: {name}", text)


def pytest_terminal_summary(terminalreporter):
    """Print the table; write it where it is asked for, of a whole run."""
    for name, text in ROWS:
        terminalreporter.write_line(f"{name:55} {text}")
    path = os.environ.get(RECORD)
    whole = terminalreporter.config.args == ["tests/attestation"]
    bad = terminalreporter.stats.keys() & {"failed", "error"}
    if path and whole and not bad:
        pathlib.Path(path).write_text(_written(), encoding="utf-8")


def _written():
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "   :widths: 45 55",
        "",
        "   * - Event",
        "     - Result",
    ]
    for name, text in ROWS:
        lines += [f"   * - {name}", f"     - {text}"]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def keylime(tmp_path_factory):
    keylime = Keylime(tmp_path_factory.mktemp("keylime"))
    keylime.start()
    yield keylime
    keylime.stop()


@pytest.fixture(scope="session")
def world(request, keylime, tmp_path_factory):
    key = {"attestation_key": str(ROOT / "attestation.key")}
    with a_cloud(request, ROOT, posture=key) as cloud:
        folder = tmp_path_factory.mktemp("attestor")
        world = World(cloud, keylime, folder)
        keylime.registrar.start()
        yield world
        keylime.registrar.stop()
        world.switch_off()


@pytest.fixture(scope="session")
def watched(world):
    """Both hosts are watched by Keylime."""
    if not world.machines:
        world.switch_on()
    return world


@pytest.fixture(scope="module")
def placement(tmp_path_factory):
    made = Cloud(tmp_path_factory.mktemp("placement"), 1, 0)
    made.start()
    yield made
    made.kill()
