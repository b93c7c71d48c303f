# SPDX-License-Identifier: Apache-2.0
"""Glance APIs for the comparison with Glance's own means; see ``forked``.

One has the gate; the other one has a filter that only calls on, and a
schema-image.json beside its configuration.  Glance reads that file when it
starts, and an operator gives there what an image property may be.
"""

import json
import sys
from pathlib import Path
from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.policy import document
from tests.benchmarks import forked, glance_server
from tests.benchmarks.pass_on import PASS_ON

load = glance_server.load


def schema() -> dict[str, Any]:
    """Return a schema that allows the values that policy baseline allows.

    A property for each device kind whose rule lists values; a rule with a
    wildcard becomes a pattern.
    """
    policy = document.load(document.shipped("baseline"))
    result: dict[str, Any] = {}
    for name, rule in policy.guest_devices.items():
        allowed = {"type": "string", **_allowed(rule.allow.listed)}
        result |= dict.fromkeys(KINDS[name].image_properties, allowed)
    return result


def _allowed(values: tuple[str, ...]) -> dict[str, Any]:
    if any("*" in each for each in values):
        words = "|".join(each.replace("*", ".*") for each in values)
        return {"pattern": f"^({words})$"}
    # JSON schema does not allow an empty enum.
    return {"enum": list(values) or ["nothing"]}


def prepare(directory: Path, our_filter: str) -> None:
    """Write the configuration of a server and create its database."""
    glance_server.prepare(directory, our_filter)
    if our_filter == PASS_ON:
        text = json.dumps(schema(), indent=2)
        (directory / "schema-image.json").write_text(text)


if __name__ == "__main__":
    forked.main(sys.argv[1:], prepare, load)
