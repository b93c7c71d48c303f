# SPDX-License-Identifier: Apache-2.0
"""Figures as a part of a page of the documentation, in reStructuredText.

``results`` is what ``tools/bench.sh all`` keeps: name of a benchmark to

- ``state``: ``held``, ``missed`` (a bar), ``unavailable`` (this machine lacks
  something) or ``failed``
- ``said``: lines on why, when not held
- ``figures``, ``bars`` (figure to what is wanted), ``machine``, ``day``
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.benchmarks.steps import Step

Result = Mapping[str, Any]

_STATES = {
    "held": "all bars held",
    "missed": "**a bar is missed**",
    "unavailable": "**not run: this machine lacks something**",
    "failed": "**failed**",
}
_HEAD = ".. Written by tools/bench.sh all, and by nobody else.\n"


def page(results: Mapping[str, Result], steps: Mapping[str, Step]) -> str:
    """Return the part of the page.

    :param results: by name; see the module
    :param steps: every benchmark there is, in the order of the page
    """
    parts = [_HEAD, _overview(results, steps)]
    for name, step in steps.items():
        if name in results:
            parts.append(_step(step, results[name]))
    return "\n".join(parts)


def _overview(results: Mapping[str, Result], steps: Mapping[str, Step]) -> str:
    rows = [("Benchmark", "Beside", "Result")]
    for name, step in steps.items():
        state = results.get(name, {}).get("state")
        text = _STATES.get(state, "**not run yet**")
        rows.append((f"``{name}``", step.peer, text))
    return _table(rows)


def _step(step: Step, result: Result) -> str:
    title = f"``tools/bench.sh {step.name}``"
    parts = [title, "-" * len(title), "", step.method, ""]
    parts.append(f"On {_machine(result['machine'])}; {result['day']}.\n")
    parts += [f"- {_plain(line)}" for line in result["said"]]
    if result["said"]:
        parts.append("")
    rows = list(_rows(result.get("figures", {}), result.get("bars", {})))
    if rows:
        parts.append(_table([("Figure", "Value", "95 %", "Wanted"), *rows]))
    return "\n".join(parts)


def _machine(facts: Mapping[str, Any]) -> str:
    versions = facts.get("versions", {})
    named = ", ".join(f"{name} {each}" for name, each in versions.items())
    return (
        f"{facts['cores']} cores, {facts['memory_gib']} GiB of memory, "
        f"Python {facts['python']}" + (f"; {named}" if named else "")
    )


def _rows(
    figures: Mapping[str, Any], bars: Mapping[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, value, interval and bar; ratios come first."""
    for ratios in (True, False):
        for name, value in figures.items():
            bound = name.removesuffix("_low").removesuffix("_high")
            if bound in figures and bound != name:
                continue
            if name.endswith("_ratio") is not ratios:
                continue
            low, high = f"{name}_low", f"{name}_high"
            interval = ""
            if low in figures:
                interval = f"{figures[low]} to {figures[high]}"
            wanted = "; ".join(
                bars[each] for each in (name, low, high) if each in bars
            )
            yield f"``{name}``", _plain(value), interval, wanted


def _plain(value: object) -> str:
    """Return text in which reStructuredText sees nothing."""
    text = str(value).replace("\\", "\\\\")
    return "".join(f"\\{each}" if each in "*`|_" else each for each in text)


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        for number, cell in enumerate(row):
            lead = "   * -" if number == 0 else "     -"
            lines.append(f"{lead} {cell}".rstrip())
    return "\n".join([*lines, ""])
