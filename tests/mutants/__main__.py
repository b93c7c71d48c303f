# SPDX-License-Identifier: Apache-2.0
"""Change lines of the code, and see whether the tests notice.

    python -m tests.mutants [AREA ...] [--all | --count N] [--since COMMIT]
                            [--resume]

Mutants are drawn by NOVA_VHARD_SEED. Exit status 1: no test has noticed a
mutant, and ``reasons.yaml`` does not say why none can. What a run on all
areas with --all or --since has found is written where NOVA_VHARD_RECORD says;
the table says how many were tried.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests import seeds
from tests.mutants import survivor
from tests.mutants.areas import AREAS, Area, drawn
from tests.mutants.folder import ALIVE, ROOT, Folder
from tests.mutants.table import Result, page


def tried(
    area: Area, count: int | None, resume: bool, since: str | None
) -> Result:
    """Run the tests of an area on its mutants.

    :param count: how many are drawn; None for all
    :param resume: whether what an earlier run has killed is dead
    :param since: commit; mutants of lines that it does not have are tried, too
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
    states = folder.run([name for name in names if every[name] in ALIVE])
    alive = [name for name in sorted(states) if states[name] in ALIVE]
    diffs = folder.diffs(alive)
    mutants = [survivor.of_diff(name, diffs[name]) for name in alive]
    return Result(area.name, len(every), len(names), mutants)


def main(argv: Sequence[str] | None = None) -> int:
    """Try the areas; return the exit status."""
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
    parser.add_argument(
        "--resume",
        action="store_true",
        help="do not try again what an earlier run has killed",
    )
    chosen = parser.parse_args(argv)
    if unknown := set(chosen.areas) - set(AREAS):
        parser.error(f"no {unknown}; there are {', '.join(AREAS)}")
    known = survivor.reasons()
    results = []
    for name in chosen.areas or AREAS:
        count = None if chosen.all else chosen.count or AREAS[name].count
        result = tried(AREAS[name], count, chosen.resume, chosen.since)
        results.append(result)
    seed = None if chosen.all else seeds.SEED
    text = page(results, known, seed, chosen.since)
    print(text)
    target = os.environ.get("NOVA_VHARD_RECORD")
    if target and (chosen.all or chosen.since) and not chosen.areas:
        Path(target).write_text(text, encoding="utf-8")
    alive = {mutant for result in results for mutant in result.alive}
    unexplained = alive - set(known)
    for mutant in unexplained:
        print(f"no test notices {mutant}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
