# SPDX-License-Identifier: Apache-2.0
"""The records of emulated machines for the documentation."""

import datetime
import os
import pathlib
from collections.abc import Iterable

from tests.list_table import list_table

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_HEAD = """\
.. Written by ``tox -e emulated``; do not edit.

The last run: {date}, {versions}.

"""


def write(variable: str, versions: str, rows: Iterable[Iterable[str]]) -> None:
    """Write a table to the file that an environment variable names, if any.

    :param rows: the table's, the first of them its header
    """
    if target := os.environ.get(variable):
        date = datetime.datetime.now(datetime.UTC).date()
        text = _HEAD.format(date=date, versions=versions) + list_table(rows)
        (_ROOT / target).write_text(text, encoding="utf-8")
