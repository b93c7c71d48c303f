# SPDX-License-Identifier: Apache-2.0
"""The configuration space is compared with the enrolled one."""

import re
from collections.abc import Mapping
from typing import Any

from nova_vhard.node.cleaner import config
from nova_vhard.node.cleaner.baseline import identity_differences
from nova_vhard.node.cleaner.step import (
    Job,
    Outcome,
    Step,
)

_RANGE = r"^0x[0-9a-fA-F]{1,3}(-0x[0-9a-fA-F]{1,3})?$"
_MOST = 32


class ConfigSpace(Step):
    """Show that a device says of itself what it said when it was enrolled.

    Compared is everything but the bits that come and go by the PCI
    specification (config_layout.py) and the bytes that the rules name.
    """

    name = "config_space"
    priority = 30
    schema = {
        "type": "object",
        "properties": {
            "ignore": {
                "type": "array",
                "items": {
                    "type": "string",
                    "pattern": _RANGE,
                    "title": "an offset, such as 0x54 or 0x54-0x57",
                },
                "minItems": 1,
            },
        },
        "additionalProperties": False,
    }

    def run(self, job: Job) -> Outcome:
        """Compare."""
        if job.good is None:
            return Outcome(False, "the device was never enrolled")
        ignored = job.settings.get("ignore", [])
        now = config.read(job.root, job.device.address)
        changed = identity_differences(job.good, job.root)
        changed += config.differences(
            job.good.config,
            now,
            {offset for item in ignored for offset in _range(item)},
        )
        about = f"enrolled {job.good.when} by {job.good.by}"
        if changed:
            more = len(changed) - _MOST
            tail = [f"and {more} more"] if more > 0 else []
            return Outcome(
                False,
                f"{len(changed)} registers are not as they were enrolled",
                (*changed[:_MOST], *tail, about),
            )
        known = [f"{len(now)} bytes compared", about]
        if ignored:
            known.append(f"not compared by the rules: {', '.join(ignored)}")
        return Outcome(True, "as it was enrolled", tuple(known))

    def faults(self, settings: Mapping[str, Any]) -> list[str]:
        """Return the ranges that end before they begin."""
        return [
            f"{item} ends before it begins"
            for item in settings.get("ignore", ())
            if not _range(item)
        ]


def _range(text: str) -> range:
    first, last = (re.findall("0x[0-9a-fA-F]+", text) * 2)[:2]
    return range(int(first, 16), int(last, 16) + 1)
