# SPDX-License-Identifier: Apache-2.0
"""The benchmarks that ``tools/bench.sh`` knows, for what runs them all."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "bench.sh"

#: Those that run others.
RUNNERS = ("all", "compare")

_LINE = re.compile(r"^ +([\w-]+)\) module=([\w.]+) ;;$", re.MULTILINE)
#: Name to what it is compared with; the order in which they are run.
_PEERS = {
    "policy": "jsonschema, oslo.policy, yaml.safe_load",
    "filter": "Nova's ImagePropertiesFilter and other filters",
    "scheduler": "Nova's scheduler without our filter",
    "schema": "Glance with a schema-image.json of the same values",
    "glance": "Glance without the gate",
    "nova-api": "Nova's API without the gate",
    "audit": "paging through the images by python-glanceclient",
    "server-audit": "paging through the servers by openstacksdk",
    "weight": "openstack --version and openstack module list",
    "reporter": "virt-host-validate and checksec",
    "guard": "a hook that ends at once, and one exempted server",
    "placement": "none: parts of one Placement worker",
    "scale": "none: growth with the number of things",
    "abuse": "the same services without the gates",
    "boots": "the same cloud without the gates",
}


@dataclass(frozen=True)
class Step:
    """A benchmark.

    :ivar module: its module's name
    :ivar peer: what it is compared with
    """

    name: str
    module: str
    peer: str

    @property
    def method(self) -> str:
        """Return the module docstring; its first paragraph is a title."""
        path = ROOT / f"{self.module.replace('.', '/')}.py"
        return ast.get_docstring(ast.parse(path.read_bytes())) or ""


def known() -> dict[str, Step]:
    """Return every benchmark by its name, in the order of a run."""
    modules = dict(_LINE.findall(SCRIPT.read_text(encoding="utf-8")))
    return {
        name: Step(name, modules[name], _PEERS.get(name, "see below"))
        for name in dict.fromkeys([*_PEERS, *sorted(modules)])
        if name in modules and name not in RUNNERS
    }
