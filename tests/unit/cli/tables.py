# SPDX-License-Identifier: Apache-2.0
"""Tables of cases in YAML, and the sentences that belong to them.

A file has groups of cases. The keys of a group count in each of its rows. A
row that is a list has the keys in ``columns``, and a mapping of a row is
added to that of its group. A key that begins with a dollar replaces that word
in all others. The sentences of a file's cases are in a
``.golden`` file next to it, which ``NOVA_VHARD_GOLDEN=write`` writes again;
review the difference.
"""

import functools
import os
import pathlib
from typing import Any

import pytest
import yaml

CASES = pathlib.Path(__file__).parent / "cases"
#: The one in C is ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: In front of the name of a case in a golden file.
HEAD = "=== "


def cases(path: pathlib.Path) -> list[Any]:
    """Return the cases of a file, each with its name as the id."""
    result = []
    for group in yaml.load(path.read_text("utf-8"), LOADER):
        columns = group.pop("columns", ())
        for number, row in enumerate(group.pop("rows", [{}])):
            if isinstance(row, list):
                row = dict(zip(columns, row, strict=True))
            added = {
                key: group[key] | row[key]
                for key in group.keys() & row.keys()
                if isinstance(row[key], dict)
            }
            case = {**group, **row, **added}
            words = {key: case.pop(key) for key in [*case] if key[0] == "$"}
            case = filled(case, words)
            name = f"{path.stem}: {case['name']} {number}"
            result.append(pytest.param(case, id=name))
    return result


def filled(value: Any, words: dict[str, str]) -> Any:
    """Return a case, or a part of it, with these words replaced."""
    if isinstance(value, dict):
        return {
            filled(key, words): filled(each, words)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [filled(each, words) for each in value]
    if isinstance(value, str):
        for name, text in words.items():
            value = value.replace(name, text)
    return value


@functools.cache
def sentences(path: pathlib.Path) -> dict[str, str]:
    """Return what the cases of a file say, by their names."""
    text = path.read_text("utf-8") if path.exists() else ""
    blocks = [block.partition("\n") for block in text.split(HEAD)[1:]]
    return {name: said for name, _, said in blocks}


def check(name: str, lines: list[str], folder: pathlib.Path = CASES) -> None:
    """Compare what a case says with its golden file, or write it there."""
    path = folder / f"{name.partition(': ')[0]}.golden"
    kept = sentences(path)
    said = "".join(f"{line}\n" for line in lines)
    if os.environ.get("NOVA_VHARD_GOLDEN") == "write":
        kept.pop(name, None)
        kept |= {name: said} if said else {}
        blocks = [f"{HEAD}{title}\n{kept[title]}" for title in kept]
        path.write_text("".join(blocks), "utf-8")
    assert said == kept.get(name, "")
