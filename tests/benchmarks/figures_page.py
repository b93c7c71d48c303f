# SPDX-License-Identifier: Apache-2.0
"""Figures as a part of a page of the documentation, in reStructuredText.

``results`` is what ``tools/bench.sh all`` keeps: name of a benchmark to

- ``state``: ``held``, ``missed`` (a bar), ``unavailable`` (this machine lacks
  something) or ``failed``
- ``said``: lines on why, when not held
- ``figures``, ``bars`` (figure to what is wanted), ``machine``, ``day``
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.list_table import list_table

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "bench.sh"
#: Name of a benchmark to its peers, in the order of the page.
PEERS = {
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
_LINE = re.compile(r"^ +([\w-]+)\) module=([\w.]+) ;;$", re.MULTILINE)

Result = Mapping[str, Any]

_STATES = {
    "held": "all bars held",
    "missed": "**a bar is missed**",
    "unavailable": "**not run: this machine lacks something**",
    "failed": "**failed**",
}
_HEAD = ".. Written by tools/bench.sh all, and by nobody else.\n"


def modules() -> dict[str, str]:
    """Return the modules that the script runs, by name."""
    return dict(_LINE.findall(SCRIPT.read_text(encoding="utf-8")))


def page(results: Mapping[str, Result]) -> str:
    """Return the part of the page.

    :param results: by name; see the module
    """
    overview = [("Benchmark", "Beside", "Result")]
    for name, peer in PEERS.items():
        state = results.get(name, {}).get("state")
        text = _STATES.get(state, "**not run yet**")
        overview.append((f"``{name}``", peer, text))
    parts = [_HEAD, list_table(overview)]
    for name in PEERS:
        if name in results:
            parts += _part(name, results[name])
    return "\n".join(parts)


def _part(name: str, result: Result) -> Iterator[str]:
    """Yield a benchmark's section; its text is the docstring of the module."""
    path = ROOT / f"{modules()[name].replace('.', '/')}.py"
    method = ast.get_docstring(ast.parse(path.read_bytes()))
    title = f"``tools/bench.sh {name}``"
    yield f"{title}\n{'-' * len(title)}\n\n{method}\n"
    facts = result["machine"]
    versions = facts.get("versions", {}).items()
    yield (
        f"On {facts['cores']} cores, {facts['memory_gib']} GiB of memory, "
        f"Python {facts['python']}"
        + ("; " if versions else "")
        + ", ".join(f"{name} {each}" for name, each in versions)
        + f"; {result['day']}.\n"
    )
    if result["said"]:
        yield "".join(f"- {_plain(line)}\n" for line in result["said"])
    rows = list(_rows(result.get("figures", {}), result.get("bars", {})))
    if rows:
        yield list_table([("Figure", "Value", "95 %", "Wanted"), *rows])


def _rows(
    figures: Mapping[str, Any], bars: Mapping[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, value, interval and bar; ratios come first."""
    for name in sorted(figures, key=lambda each: not each.endswith("_ratio")):
        bound = name.removesuffix("_low").removesuffix("_high")
        if bound in figures and bound != name:
            continue
        names = (name, f"{name}_low", f"{name}_high")
        interval = " to ".join(
            str(figures[x]) for x in names[1:] if x in figures
        )
        wanted = "; ".join(bars[each] for each in names if each in bars)
        yield f"``{name}``", _plain(figures[name]), interval, wanted


def _plain(value: object) -> str:
    """Return text in which reStructuredText sees nothing."""
    text = str(value).replace("\\", "\\\\")
    return "".join(f"\\{each}" if each in "*`|_" else each for each in text)
