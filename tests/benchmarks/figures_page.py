# SPDX-License-Identifier: Apache-2.0
"""Figures as a part of a page of the documentation, in reStructuredText.

``results`` is what ``tools/bench.sh all`` keeps: name of a benchmark to

- ``state``: ``held``, ``missed`` (a bar), ``unavailable`` (this machine lacks
  something) or ``failed``
- ``said``: lines on why, when not held
- ``figures``, ``bars`` (figure to what is wanted), ``machine``, ``day``
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.benchmarks.steps import Step
from tests.list_table import list_table

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
    overview = [("Benchmark", "Beside", "Result")]
    for name, step in steps.items():
        state = results.get(name, {}).get("state")
        text = _STATES.get(state, "**not run yet**")
        overview.append((f"``{name}``", step.peer, text))
    parts = [_HEAD, list_table(overview)]
    for name, step in steps.items():
        if name in results:
            parts += _step(step, results[name])
    return "\n".join(parts)


def _step(step: Step, result: Result) -> Iterator[str]:
    title = f"``tools/bench.sh {step.name}``"
    yield f"{title}\n{'-' * len(title)}\n\n{step.method}\n"
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
