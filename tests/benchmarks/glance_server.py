# SPDX-License-Identifier: Apache-2.0
"""Glance APIs over HTTP on loopback for the benchmarks; see ``forked``.

The filter stands after ``context``.  With PASS_ON_WITH_SCHEMA, Glance has a
schema-image.json beside its configuration, which it reads when it starts: an
operator gives there what an image property may be.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import glance.api.v2.router  # noqa: F401
from glance.common import wsgi_app

import nova_vhard.gates.glance_api  # noqa: F401  (all imports before a fork)
from nova_vhard.catalogue.devices import KINDS
from nova_vhard.policy import document
from tests.benchmarks import forked
from tests.functional.glance import service

POLICY = 'version: "1"\nextends: baseline\n'

#: A log file, as in production. SQLite does not wait for the disk, which is
#: not measured.
_TUNING = """
[DEFAULT]
log_file = {directory}/glance.log
[database]
sqlite_synchronous = false
"""


def schema() -> dict[str, Any]:
    """Return a schema that allows the values that policy baseline allows.

    A property for each device kind whose rule lists values; a rule with a
    wildcard becomes a pattern.
    """
    policy = document.load(document.shipped("baseline"))
    result: dict[str, Any] = {}
    for name, rule in policy.guest_devices.items():
        values = rule.allow.listed
        # JSON schema does not allow an empty enum.
        allowed: dict[str, Any] = {
            "type": "string",
            "enum": list(values) or ["nothing"],
        }
        if any("*" in each for each in values):
            words = "|".join(each.replace("*", ".*") for each in values)
            allowed = {"type": "string", "pattern": f"^({words})$"}
        result |= dict.fromkeys(KINDS[name].image_properties, allowed)
    return result


def prepare(directory: Path, our_filter: str) -> None:
    """Write the configuration of a server and create its database."""
    configuration = service.write(directory, our_filter)
    with configuration.open("a") as stream:
        stream.write(_TUNING.format(directory=directory))
    (directory / "vhard.yaml").write_text(POLICY)
    if our_filter == forked.PASS_ON_WITH_SCHEMA:
        text = json.dumps(schema(), indent=2)
        (directory / "schema-image.json").write_text(text)
    service.create_database(configuration)


def load(directory: Path) -> Any:
    """Return Glance, as glance.wsgi.api does under a WSGI server."""
    os.environ["OS_GLANCE_CONFIG_DIR"] = str(directory)
    # A server that buffers a body does it on the checkout's disk, too.
    tempfile.tempdir = str(directory)
    return wsgi_app.init_app()


if __name__ == "__main__":
    forked.main(sys.argv[1:], prepare, load)
