# SPDX-License-Identifier: Apache-2.0
"""nova-vhard as a component definition of OSCAL 1.1.2, plain JSON.

For each control that a host check is evidence for, the checks and what their
PASS says. It says nothing of a cloud: the assessment results do.

Source: https://pages.nist.gov/OSCAL/reference/latest/component-definition.
"""

import json
from typing import Any

from nova_vhard.catalogue.controls import CATALOGS, CONTROLS
from nova_vhard.host import plugins
from nova_vhard.osc.report import oscal
from nova_vhard.osc.report.data import Report
from nova_vhard.policy import release


def render(report: Report) -> str:
    """Return the text of the file."""
    version = str(release.INSTALLED)
    content = {
        "uuid": oscal.uuid_of("component definition", version),
        "metadata": oscal.metadata("nova-vhard", report.made, version),
        "components": [
            {
                "uuid": oscal.uuid_of("component", "nova-vhard"),
                "type": "software",
                "title": "nova-vhard",
                "description": (
                    "Restricts the virtual hardware of OpenStack servers by a "
                    "policy, and checks the hardening of compute nodes."
                ),
                "props": [{"name": "version", "value": version}],
                "control-implementations": [
                    {
                        "uuid": oscal.uuid_of("implementation", name),
                        "source": catalog["href"],
                        "description": (
                            f"{catalog['title']}: a PASS of the checks is "
                            "evidence for a part of each control."
                        ),
                        "implemented-requirements": _requirements(name),
                    }
                    for name, catalog in CATALOGS.items()
                ],
            }
        ],
    }
    return json.dumps({"component-definition": content}, indent=2) + "\n"


def _requirements(catalog: str) -> list[dict[str, Any]]:
    """Return the controls of a catalog, each with its checks.

    :param catalog: name of a field of Controls
    """
    checks: dict[str, list[Any]] = {}
    for check in plugins.load():
        for control in getattr(CONTROLS.get(check.name), catalog, ()):
            checks.setdefault(control, []).append(check)
    return [
        {
            "uuid": oscal.uuid_of(f"requirement {catalog}", control),
            "control-id": control,
            "description": " ".join(
                f"{check.id} ({check.name}): {check.meaning}"
                for check in checks[control]
            ),
            "props": oscal.references(check.name for check in checks[control]),
        }
        for control in sorted(checks)
    ]
