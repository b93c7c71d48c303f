# SPDX-License-Identifier: Apache-2.0
"""The table of survivors, in reStructuredText."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.mutants.survivor import Mutant

_HEAD = ".. Written by ``tox -e mutants``; do not edit.\n"
_NO_REASON = "**none yet**"


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

    :param known: reasons
    :param seed: by which mutants were drawn; None where all were to be tried
    :param since: commit; all mutants of lines changed since were to be tried
    """
    rows = [("Area", "Mutants", "Tried", "Killed", "Equivalent", "Open")]
    rows += [_row(result, known) for result in results]
    tried = sum(result.tried for result in results)
    every = sum(result.every for result in results)
    if since:
        amount = (
            f"{tried} of {every} mutants: of lines changed since {since}, "
            f"and drawn by seed {seed}.\n"
        )
    elif seed is not None:
        amount = f"{tried} of {every} mutants, drawn by seed {seed}.\n"
    elif tried < every:
        amount = f"{tried} of {every} mutants: the whole run was stopped.\n"
    else:
        amount = f"All {every} mutants.\n"
    parts = [_HEAD, amount, _table(rows)]
    survivors = list(_survivors(results, known))
    if survivors:
        head = ("Function", "Was", "Became", "Why no test can notice")
        parts.append(_table([head, *survivors]))
    return "\n".join(parts)


def _row(result: Result, known: Mapping[Mutant, str]) -> tuple[str, ...]:
    explained = sum(mutant in known for mutant in result.alive)
    numbers = (
        result.every,
        result.tried,
        result.tried - len(result.alive),
        explained,
        len(result.alive) - explained,
    )
    return (f"``nova_vhard.{result.area}``", *map(str, numbers))


def _survivors(
    results: Sequence[Result], known: Mapping[Mutant, str]
) -> Iterator[tuple[str, ...]]:
    for result in results:
        for mutant in result.alive:
            module = mutant.module.removeprefix("nova_vhard.")
            yield (
                f"``{module}.{mutant.plain_name}``",
                _code(mutant.was),
                _code(mutant.becomes),
                known.get(mutant, _NO_REASON),
            )


def _code(lines: str) -> str:
    """Return lines of code as one literal, or as nothing."""
    text = " ".join(lines.split())
    # A literal may neither hold the end of one nor end with a backslash.
    text = text.replace("``", "` `").rstrip("\\")
    return f"``{text}``" if text else ""


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        for number, cell in enumerate(row):
            lead = "   * -" if number == 0 else "     -"
            lines.append(f"{lead} {cell}".rstrip())
    return "\n".join([*lines, ""])
