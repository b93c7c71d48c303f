# SPDX-License-Identifier: Apache-2.0
"""The table of survivors, in reStructuredText."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.list_table import list_table
from tests.mutants.survivor import Mutant

_HEAD = ".. Written by ``tox -e mutants``; do not edit.\n"


@dataclass(frozen=True)
class Result:
    """Result of an area.

    :ivar every: number of mutants
    :ivar tried: mutants on which the tests ran
    :ivar alive: mutants that no test has noticed
    """

    area: str
    every: int
    tried: int
    alive: Sequence[Mutant]


def page(
    results: Sequence[Result],
    known: Mapping[Mutant, str],
    seed: int | None,
    since: str | None = None,
) -> str:
    """Return the part of the page.

    :param known: reasons why no test can notice a mutant
    :param seed: seed by which mutants were drawn; None if all were tried
    :param since: commit; all mutants of lines changed since then were tried
    """
    rows = [("Area", "Mutants", "Tried", "Killed", "Equivalent", "Open")]
    survivors = [("Function", "Was", "Became", "Why no test can notice")]
    for result in results:
        alive = len(result.alive)
        explained = sum(mutant in known for mutant in result.alive)
        numbers = (result.tried - alive, explained, alive - explained)
        counts = (result.every, result.tried, *numbers)
        rows.append((f"``nova_vhard.{result.area}``", *map(str, counts)))
        survivors += (
            (
                f"``{mutant.module.removeprefix('nova_vhard.')}"
                f".{mutant.plain_name}``",
                _code(mutant.was),
                _code(mutant.becomes),
                known.get(mutant, "**none yet**"),
            )
            for mutant in result.alive
        )
    tried = sum(result.tried for result in results)
    amount = f"{tried} of {sum(result.every for result in results)} mutants"
    if seed is None:
        amount = f"All {tried} mutants"
    elif since:
        amount += f": of lines changed since {since}, and drawn by seed {seed}"
    else:
        amount += f", drawn by seed {seed}"
    parts = [_HEAD, f"{amount}.\n", list_table(rows)]
    return "\n".join([*parts, *[list_table(survivors)][: len(survivors) > 1]])


def _code(lines: str) -> str:
    """Return lines of code as one literal, or as nothing."""
    text = " ".join(lines.split())
    # A literal may neither hold the end of one nor end with a backslash.
    text = text.replace("``", "` `").rstrip("\\")
    return f"``{text}``" if text else ""
