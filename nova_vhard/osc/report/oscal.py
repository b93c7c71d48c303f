# SPDX-License-Identifier: Apache-2.0
"""The fleet as assessment results of OSCAL 1.1.2, plain JSON.

For each check two observations at most, of the hosts that have proven it and
of those that have not, and a finding for each of its controls: satisfied
where every host has proven it. What images and servers ask for is not in it.

Source: https://pages.nist.gov/OSCAL/reference/latest/assessment-results.
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from nova_vhard.catalogue.checks import OURS
from nova_vhard.catalogue.controls import CONTROLS
from nova_vhard.common.text import clean
from nova_vhard.osc.report.data import Report
from nova_vhard.placement.fleet import FRESH, HostPosture

_VERSION = "1.1.2"
# Of what there is no assessment plan, a fragment stands for it.
_PLAN = "#nova-vhard-policy"
_SPACE = uuid.UUID("8a3f2a52-4a39-5d5b-9b87-3d2b0a4f7c10")
_FOR = "urn:nova-vhard"

Item = dict[str, Any]


class NotWhole(Exception):
    """Raised where there is nothing to be assessed.

    Results that say nothing of hosts that could not be read would look like
    those of a good fleet.
    """


def render(report: Report) -> str:
    """Return the text of the file.

    :raises NotWhole: if the hosts could not be read, or there are none
    """
    if report.fleet.trouble:
        raise NotWhole(f"the hosts could not be read: {report.fleet.trouble}")
    if not report.hosts:
        raise NotWhole("Placement knows no compute node")
    made = report.made.isoformat()
    observations = [
        item for name in OURS for item in _observations(report, name, made)
    ]
    every = {number for item in CONTROLS.values() for number in item.nist}
    controls = [{"control-id": number} for number in sorted(every)]
    content = {
        "uuid": _uuid("document", made),
        "metadata": {
            "title": "Host checks of nova-vhard",
            "last-modified": made,
            "version": made,
            "oscal-version": _VERSION,
        },
        "import-ap": {"href": _PLAN},
        "results": [
            {
                "uuid": _uuid("result", made),
                "title": "What compute nodes have proven",
                "description": (
                    "By the traits that hosts have in Placement, with a "
                    f"report of the last {report.max_age} hours."
                ),
                "start": made,
                "end": made,
                "local-definitions": {
                    "inventory-items": [_host(item) for item in report.hosts]
                },
                "reviewed-controls": {
                    "control-selections": [{"include-controls": controls}]
                },
                "observations": observations,
                "findings": [
                    item
                    for name in OURS
                    for item in _findings(report, name, made)
                ],
            }
        ],
    }
    return json.dumps({"assessment-results": content}, indent=2) + "\n"


def _host(posture: HostPosture) -> Item:
    """Return a host as an item of the inventory."""
    name = clean(posture.name)
    status = {"name": "report", "ns": _FOR, "value": posture.status}
    return {
        "uuid": _uuid("host", posture.name),
        "description": f"compute node {name}",
        "props": [
            {"name": "asset-id", "value": name},
            status,
        ],
    }


def _observations(report: Report, name: str, made: str) -> Iterator[Item]:
    """Yield what was seen of a check, by what it came to."""
    proven, lacking = _divided(report.hosts, name)
    for word, hosts in (("proven", proven), ("not proven", lacking)):
        if hosts:
            yield {
                "uuid": _uuid(f"observation {name} {word}", made),
                "title": f"{OURS[name]}: {name}: {word}",
                "description": (
                    f"{name} is {word} by {len(hosts)} of "
                    f"{len(report.hosts)} hosts."
                ),
                "props": [{"name": "check", "ns": _FOR, "value": name}],
                "methods": ["TEST"],
                "subjects": [
                    {
                        "subject-uuid": _uuid("host", item.name),
                        "type": "inventory-item",
                    }
                    for item in hosts
                ],
                "collected": made,
            }


def _findings(report: Report, name: str, made: str) -> Iterator[Item]:
    """Yield what a check says of each of its controls."""
    proven, lacking = _divided(report.hosts, name)
    words = [
        word
        for word, hosts in (("proven", proven), ("not proven", lacking))
        if hosts
    ]
    state = "not-satisfied" if lacking else "satisfied"
    for control in CONTROLS[name].nist:
        yield {
            "uuid": _uuid(f"finding {name} {control}", made),
            "title": f"{OURS[name]}: {name}",
            "description": (
                "A check is evidence for a part of the control: "
                f"{len(lacking)} of {len(report.hosts)} hosts lack it."
            ),
            "target": {
                "type": "objective-id",
                "target-id": control,
                "status": {"state": state},
            },
            "related-observations": [
                {"observation-uuid": _uuid(f"observation {name} {word}", made)}
                for word in words
            ],
        }


def _divided(
    hosts: Sequence[HostPosture], name: str
) -> tuple[list[HostPosture], list[HostPosture]]:
    """Return the hosts that have proven a check, and the others.

    Nothing of a report that is too old counts.
    """
    proven = [
        item for item in hosts if item.status == FRESH and name in item.proven
    ]
    return proven, [item for item in hosts if item not in proven]


def _uuid(kind: str, name: str) -> str:
    """Return the same uuid for the same thing, in each report."""
    return str(uuid.uuid5(_SPACE, f"{kind}\n{name}"))
