# SPDX-License-Identifier: Apache-2.0
"""The lists of an operator, before, with and after ours: a table of a page.

A list of the tests has A and B, and later C; V is what is ours. What a list
has besides, a role's own volumes, is left out.
"""

import csv
import io
import os
import re

from tests.deploy.places import ROOT

FILE = ROOT / "doc" / "source" / "admin" / "deployers-lists.csv"
_WORD = re.compile(r"(?i)(v(?:irt)?hard)|\b([ABC])\b")


def check(deployer, what, *lists, cannot=""):
    """Compare a row with that of the table, or write it.

    :param lists: before, with ours, after a second run, after the operator
        added C, after ours was removed
    :param cannot: what the deployer makes impossible
    """
    cells = [
        ", ".join(
            "V" if ours else own
            for word in words
            for ours, own in _WORD.findall(word)[:1]
        )
        for words in lists
    ]
    assert len(cells) == 5
    line = io.StringIO()
    row = (deployer, what, *(cell or "none" for cell in cells), cannot)
    csv.writer(line, lineterminator="\n").writerow(row)
    text = FILE.read_text()
    if os.environ.get("NOVA_VHARD_GOLDEN") == "write":
        begin = f"{deployer},{what},"
        lines = text.splitlines(keepends=True)
        kept = [each for each in lines if not each.startswith(begin)]
        text = "".join(sorted([*kept, line.getvalue()]))
        FILE.write_text(text)
    assert line.getvalue() in text
