# SPDX-License-Identifier: Apache-2.0
"""The lists of an operator, before, with and after ours: a table of a page.

A list of the tests has A and B, and later C; V is what is ours. What a list
has besides, a role's own volumes, is left out.
"""

import csv
import re

from nova_vhard.status import files
from tests.deploy.places import ROOT

FILE = ROOT / "doc" / "source" / "admin" / "deployers-lists.csv"
_WORD = re.compile(r"(?i)(v(?:irt)?hard)|\b([ABC])\b")


def scheduler(folder, text):
    """Return the lists of filters that nova-scheduler reads in a nova.conf.

    :returns: those available, those enabled
    """
    path = folder / "nova.conf"
    path.write_text(text)
    group = files.nova([str(path)]).filter_scheduler
    return group.available_filters, group.enabled_filters


def check(deployer, what, *lists, cannot=""):
    """Compare a row with that of the table.

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
    row = [deployer, what, *(cell or "none" for cell in cells), cannot]
    with FILE.open(newline="") as file:
        assert row in list(csv.reader(file))


def follow(deployer, cloud, **cannot):
    """Compare the rows of a deployer that tests run.

    :param cloud: ``own`` writes the operator's lists, ``install`` and
        ``remove`` add and remove our entries, ``lists`` returns the result
    :param cannot: for each list the limitation of the deployer
    """
    cloud.remove()
    cloud.own("A", "B")
    seen = [cloud.lists()]
    for own in (("A", "B"), ("A", "B"), ("A", "B", "C")):
        cloud.own(*own)
        cloud.install()
        seen.append(cloud.lists())
    cloud.remove()
    seen.append(cloud.lists())
    for name, *rows in zip(cannot, *seen, strict=True):
        what = "plug-ins of imports" if name == "plugins" else name
        check(deployer, what, *rows, cannot=cannot[name])
