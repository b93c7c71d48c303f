# SPDX-License-Identifier: Apache-2.0
"""Change lines of the code, and see whether the tests notice.

    python -m tests.mutants [AREA ...] [--all | --count N] [--since COMMIT]
                            [--resume | --table]

Mutants are drawn by NOVA_VHARD_SEED. Exit status 1: no test has noticed a
mutant, and ``reasons.yaml`` does not say why none can. What a run on all
areas with --all or --since has found, or what it has found so far, is written
where NOVA_VHARD_RECORD says; the table says how many were tried.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests import seeds
from tests.mutants import survivor
from tests.mutants.areas import AREAS, Area, drawn
from tests.mutants.folder import ROOT, Folder
from tests.mutants.table import Result, page

#: What became of a mutant that the tests have noticed.
KILLED = frozenset(("killed", "timeout"))


def tried(
    area: Area,
    count: int | None,
    resume: bool = False,
    run: bool = True,
    since: str | None = None,
) -> Result:
    """Run the tests of an area on its mutants.

    :param count: how many are drawn; None for all
    :param since: commit; mutants of lines that it does not have are tried, too
    :param resume: whether what an earlier run has killed is dead
    :param run: whether mutants are tried that no run has tried yet
    """
    folder = Folder(area, resume=resume)
    every = folder.names()
    amount = len(every) if count is None else count
    names = set(drawn(area, every, amount, seeds.SEED))
    if since:
        lines = survivor.lines_since(since, ROOT)
        names |= {
            name
            for name, diff in folder.diffs(list(every)).items()
            if survivor.of_diff(name, diff).is_of(lines)
        }
    wanted = {name: every[name] for name in every if name in names}
    states = folder.run(wanted) if run else folder.known(wanted)
    alive = [name for name in states if states[name] not in KILLED]
    diffs = folder.diffs(alive)
    mutants = [survivor.of_diff(name, diffs[name]) for name in alive]
    return Result(area.name, len(every), len(states), mutants)


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description=__doc__
    )
    parser.add_argument("areas", nargs="*", metavar="AREA", default=[])
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--all", action="store_true", help="every mutant")
    amount.add_argument("--count", type=int, help="so many of each area")
    parser.add_argument(
        "--since",
        metavar="COMMIT",
        help="also every mutant of lines that this commit does not have",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume",
        action="store_true",
        help="do not try again what an earlier run has killed",
    )
    again.add_argument(
        "--table",
        action="store_true",
        help="try nothing: show what a run that was stopped has found",
    )
    chosen = parser.parse_args(argv)
    for name in chosen.areas:
        if name not in AREAS:
            parser.error(f"no {name}; there are {', '.join(AREAS)}")
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    """Try the areas; return the exit status."""
    chosen = options(argv)
    known = survivor.reasons()
    results = []
    for name in chosen.areas or AREAS:
        area = AREAS[name]
        count = None if chosen.all else chosen.count or area.count
        resume = chosen.resume or chosen.table
        results.append(
            tried(area, count, resume, not chosen.table, chosen.since)
        )
    seed = None if chosen.all else seeds.SEED
    text = page(results, known, seed, chosen.since)
    print(text)
    target = os.environ.get("NOVA_VHARD_RECORD")
    if target and (chosen.all or chosen.since) and not chosen.areas:
        Path(target).write_text(text, encoding="utf-8")
    alive = [mutant for result in results for mutant in result.alive]
    unexplained = list(survivor.without_reason(alive, known))
    for mutant in unexplained:
        print(f"no test notices {mutant}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
