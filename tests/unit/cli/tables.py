# SPDX-License-Identifier: Apache-2.0
"""Tables of test cases in YAML, and golden files with their output.

A file has groups of cases. Each row inherits the keys of its group. If a row
is a list, ``columns`` has its keys. If a row and its group have a mapping
under the same key, the mappings are merged. A key that begins with a dollar
sign is a variable: its value replaces it in all other keys and values. The
output is in a ``.golden`` file next to the YAML file. To update it, run the
tests with ``NOVA_VHARD_GOLDEN=write`` and review the difference.
"""

import functools
import os
import pathlib
from typing import Any

import pytest
import yaml

CASES = pathlib.Path(__file__).parent / "cases"
#: The C implementation is ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: Prefix of the name of a case in a golden file.
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
            result.append(
                pytest.param(case, id=f"{path.stem}: {case['name']} {number}")
            )
    return result


def filled(value: Any, words: dict[str, str]) -> Any:
    """Return a case, or a part of it, with its variables replaced."""
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
    """Return the expected output of each case in a golden file."""
    text = path.read_text("utf-8") if path.exists() else ""
    blocks = [block.partition("\n") for block in text.split(HEAD)[1:]]
    return {name: said for name, _, said in blocks}


def check(name: str, lines: list[str], folder: pathlib.Path = CASES) -> None:
    """Compare the output of a case with its golden file, or update that."""
    path = folder / f"{name.partition(': ')[0]}.golden"
    kept = sentences(path)
    said = "".join(f"{line}\n" for line in lines)
    if os.environ.get("NOVA_VHARD_GOLDEN") == "write":
        kept.pop(name, None)
        kept |= {name: said} if said else {}
        blocks = [f"{HEAD}{title}\n{kept[title]}" for title in kept]
        path.write_text("".join(blocks), "utf-8")
    assert said == kept.get(name, "")
