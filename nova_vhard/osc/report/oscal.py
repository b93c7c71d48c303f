# SPDX-License-Identifier: Apache-2.0
"""The fleet as assessment results of OSCAL 1.1.2, plain JSON.

For each check an observation of the hosts with the same result at the same
time, and a finding for each of its controls: satisfied where each host has
proven it, or has nothing to prove. What images and servers ask for is not in
it.

Source: https://pages.nist.gov/OSCAL/reference/latest/assessment-results.
"""

import datetime
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nova_vhard.catalogue.checks import OURS
from nova_vhard.catalogue.controls import CONTROLS, TARGETS
from nova_vhard.common.text import clean
from nova_vhard.host import plugins
from nova_vhard.osc.report import summary
from nova_vhard.osc.report.data import EVIDENCE_COLUMNS, Report
from nova_vhard.placement.fleet import HostPosture
from nova_vhard.policy import release

_VERSION = "1.1.2"
# There is no assessment plan; a fragment takes its place.
_PLAN = "#nova-vhard-policy"
_SPACE = uuid.UUID("8a3f2a52-4a39-5d5b-9b87-3d2b0a4f7c10")
_FOR = "urn:nova-vhard"

Item = dict[str, Any]
#: From a pair, host and check, or result and time of a check.
_Pairs = Mapping[tuple[str, str], Any]


class NotWhole(Exception):
    """Raised if no host could be assessed.

    Results without the hosts that could not be read would look like those of
    a fleet that passes.
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
    rows = [
        dict(zip(EVIDENCE_COLUMNS, row, strict=True))
        for row in report.evidence.rows
    ]
    evidence = {(row["Host"], row["Check"]): row for row in rows}
    guides = {check.name: check.guide for check in plugins.load()}
    seen = {name: _seen(report, name, evidence) for name in OURS}
    author, assessor = uuid_of("author", made), "assessor"
    about = {
        **report.origin,
        "policy": report.policy.digest,
        "nova-vhard": str(release.INSTALLED),
    }
    content = {
        "uuid": uuid_of("document", made),
        "metadata": {
            **metadata("Host checks of nova-vhard", report.made, made),
            "props": [_prop(name, value) for name, value in about.items()],
            "roles": [{"id": assessor, "title": "Made the report"}],
            "parties": [
                {
                    "uuid": author,
                    "type": "person",
                    "name": about.get("author", "-"),
                }
            ],
            "responsible-parties": [
                {"role-id": assessor, "party-uuids": [author]}
            ],
        },
        "import-ap": {"href": _PLAN},
        "results": [
            {
                "uuid": uuid_of("result", made),
                "title": "Checks that compute nodes have passed",
                "description": (
                    "By the traits that hosts have in Placement, with a "
                    f"report of the last {report.max_age} hours. A time of a "
                    "whole hour is the hour of the host's report."
                ),
                "start": made,
                "end": made,
                "local-definitions": {
                    "inventory-items": [_host(item) for item in report.hosts]
                },
                "reviewed-controls": {
                    "control-selections": [
                        {
                            "include-controls": [
                                {"control-id": number}
                                for number in sorted(TARGETS)
                            ]
                        }
                    ]
                },
                "observations": [
                    item
                    for name in OURS
                    for item in _observations(
                        name, guides[name], seen[name], evidence, made
                    )
                ],
                "findings": [
                    item
                    for name in OURS
                    for item in _findings(name, seen[name], made)
                ],
            }
        ],
    }
    return json.dumps({"assessment-results": content}, indent=2) + "\n"


def metadata(title: str, made: datetime.datetime, version: str) -> Item:
    """Return what each document of OSCAL says of itself."""
    return {
        "title": title,
        "last-modified": made.isoformat(),
        "version": version,
        "oscal-version": _VERSION,
    }


def references(checks: Iterable[str]) -> list[Item]:
    """Return checks, and the numbers of other guides for them, as props."""
    props = []
    for name in checks:
        controls = CONTROLS[name]
        props.append(_prop("check", name))
        props += [_prop("bsi-grundschutz", each) for each in controls.bsi]
        props += [_prop("iso-27001-annex-a", each) for each in controls.iso]
    return [each for nth, each in enumerate(props) if each not in props[:nth]]


def _prop(name: str, value: str) -> Item:
    return {"name": name, "ns": _FOR, "value": clean(value, 255) or "-"}


def _host(posture: HostPosture) -> Item:
    """Return a host as an item of the inventory."""
    name = clean(posture.name)
    return {
        "uuid": uuid_of("host", posture.name),
        "description": f"compute node {name}",
        "props": [
            {"name": "asset-id", "value": name},
            _prop("report", posture.status),
        ],
    }


def _seen(report: Report, name: str, evidence: _Pairs) -> _Pairs:
    """Return the hosts by the result of a check, and its time.

    Placement knows the hour of a report; the host's own report of the same
    result has the moment. Nothing of a report that is too old counts: that it
    is missing was seen when this report was made.
    """
    seen = defaultdict(list)
    for host in report.hosts:
        result, time = host.result(name), host.reported or report.made
        row = evidence.get((host.name, name), {})
        same = row.get("Result") == result and host.reported
        seen[result, row["Time"] if same else time.isoformat()].append(host)
    return seen


def _observations(
    name: str, guide: str, seen: _Pairs, evidence: _Pairs, made: str
) -> Iterator[Item]:
    """Yield what was seen of a check, by result and time.

    :param guide: paragraph of the OpenStack Security Guide
    """
    for (result, time), hosts in seen.items():
        rows = [evidence.get((host.name, name)) for host in hosts]
        proofs = [
            {
                "description": (
                    f"{row['Host']}, {row['Time']}: {row['Result']}: "
                    f"{row['Reason']}: {row['Evidence']}"
                )
            }
            for row in rows
            if row
        ]
        yield {
            "uuid": uuid_of(f"observation {name} {result} {time}", made),
            "title": f"{OURS[name]}: {name}: {result}",
            "description": f"{name} is {result} on {len(hosts)} hosts.",
            "props": [
                *references([name]),
                _prop("result", result),
                _prop("openstack-security-guide", guide),
            ],
            "methods": ["TEST"],
            "subjects": [
                {
                    "subject-uuid": uuid_of("host", item.name),
                    "type": "inventory-item",
                }
                for item in hosts
            ],
            **({"relevant-evidence": proofs} if proofs else {}),
            "collected": time,
        }


def _findings(name: str, seen: _Pairs, made: str) -> Iterator[Item]:
    """Yield what a check says of each of its controls."""
    results = [result for (result, _), hosts in seen.items() for _ in hosts]
    met = "PASS" in results and {*results} <= {"PASS", "NOT_APPLICABLE"}
    for control in CONTROLS[name].nist:
        target = TARGETS[control]
        objective = target.endswith("_obj")
        yield {
            "uuid": uuid_of(f"finding {name} {control}", made),
            "title": f"{OURS[name]}: {name}",
            "description": (
                "A check is evidence for a part of the control. Hosts: "
                f"{summary.counts(results)}."
            ),
            "target": {
                "type": "objective-id" if objective else "statement-id",
                "target-id": target,
                "status": {"state": "satisfied" if met else "not-satisfied"},
            },
            "related-observations": [
                {
                    "observation-uuid": uuid_of(
                        f"observation {name} {result} {time}", made
                    )
                }
                for result, time in seen
            ],
        }


def uuid_of(kind: str, name: str) -> str:
    """Return the same uuid for the same thing, in each report."""
    return str(uuid.uuid5(_SPACE, f"{kind}\n{name}"))
