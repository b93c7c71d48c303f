# SPDX-License-Identifier: Apache-2.0
"""A Placement over HTTP on loopback for the benchmark; see ``forked``.

One worker of one thread.  What stands for the filter there is the address of
its database.  Whoever calls is the administrator: tokens are Keystone's work.

Run as ``python -m tests.benchmarks.placement_server DIRECTORY DATABASE`` it
serves; with a number behind, it makes the database with that many compute
nodes that have reported.
"""

import datetime
import itertools
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import os_traits
from placement import db_api
from placement.db.sqlalchemy import models

from nova_vhard.catalogue import traits
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.placement import names as names_ahead
from tests.benchmarks import forked
from tests.soak import server

#: When the compute nodes have reported: shortly before the hour turns.
REPORTED = datetime.datetime(2026, 6, 15, 12, 58, tzinfo=datetime.UTC)
#: What each of them has passed.
PASSED = tuple(name for name in CHECKS if "selinux" not in name)
#: How many traits each has of others: about as many as with libvirt on x86.
_OTHERS = 40
_ROWS = 20_000

_CONFIGURATION = """\
[DEFAULT]
log_file = {directory}/placement.log
use_stderr = false
[api]
auth_strategy = noauth2
[placement_database]
connection = {database}
sync_on_startup = true
"""


def name_of(number: int) -> str:
    """Return the host name of a compute node."""
    return f"compute{number:05}"


def prepare(directory: Path, database: str) -> None:
    """Write the configuration."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "placement.conf").write_text(
        _CONFIGURATION.format(directory=directory, database=database)
    )


def load(directory: Path) -> Any:
    """Return Placement, as its WSGI module does."""
    return server.load(str(directory / "placement.conf"))


def fill(directory: Path, number: int) -> None:
    """Put so many compute nodes into the database."""
    load(directory)
    ours = [traits.of_check(name) for name in PASSED]
    ours.append(traits.of_hour(REPORTED))
    nodes = range(1, number + 1)
    trait = models.Trait.__table__
    # As a sweep has made them.
    ahead = traits.hours(REPORTED, 0, 24 * names_ahead.DAYS + 1)
    known = names_ahead.of_checks().union(ours, ahead)
    kinds = ("HW_CPU_X86_", "COMPUTE_")
    others = [x for x in os_traits.get_traits() if x.startswith(kinds)]
    names = [*others[:_OTHERS], *ours]
    with db_api.get_placement_engine().begin() as link:
        link.execute(trait.insert(), [{"name": each} for each in known])
        result = link.execute(trait.select().where(trait.c.name.in_(names)))
        ids = [row.id for row in result]
        providers = (
            {
                "id": number,
                "uuid": str(uuid.UUID(int=number)),
                "name": name_of(number),
                "generation": 1,
                "root_provider_id": number,
            }
            for number in nodes
        )
        has = (
            {"resource_provider_id": number, "trait_id": each}
            for number in nodes
            for each in ids
        )
        for model, rows in (
            (models.ResourceProvider, providers),
            (models.ResourceProviderTrait, has),
        ):
            while block := list(itertools.islice(rows, _ROWS)):
                link.execute(model.__table__.insert(), block)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        forked.main(sys.argv[1:], prepare, load)
    prepare(Path(sys.argv[1]), sys.argv[2])
    fill(Path(sys.argv[1]), int(sys.argv[3]))
    os._exit(0)  # Placement's engine has no end of its own
