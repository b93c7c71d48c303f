# SPDX-License-Identifier: Apache-2.0
"""Find the phrases of idioms.toml in code and documents.

    python -m tests.idioms           print each of them and its place

In Python files only docstrings, comments and other strings are searched.
"""

import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACES = (
    *("nova_vhard/**/*.py", "nova_vhard_dashboard/**/*.py"),
    *("tests/**/*.py", "bench/**/*.py", "tools/**/*.py"),
    *("deploy/**/*.*", "devstack/*.*", "etc/**/*.*"),
    *("doc/source/**/*.rst", "releasenotes/notes/*.yaml", "*.rst"),
)

_PATTERNS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
_ANYWHERE, _DOCSTRING = (
    {name: re.compile(pattern) for name, pattern in listed.items()}
    for listed in _PATTERNS.values()
)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line number and text of what a person reads in a file."""
    if path.suffix != ".py":
        yield from enumerate(path.read_text("utf-8").splitlines(), 1)
        return
    with path.open("rb") as stream:
        for token in tokenize.tokenize(stream.readline):
            name = tokenize.tok_name[token.type]
            if name in ("COMMENT", "STRING", "FSTRING_MIDDLE"):
                yield token.start[0], token.string


def found(root: Path = ROOT) -> Iterator[str]:
    """Yield place, name and text of each phrase."""
    paths = {path for place in PLACES for path in root.glob(place)}
    # A module of Ansible's leaves its bytecode below deploy/.
    files = (each for each in paths if each.suffix != ".pyc")
    for path in sorted(filter(Path.is_file, files)):
        for number, text in texts(path):
            flat = " ".join(text.split())
            hits = [
                (name, match)
                for name, pattern in _ANYWHERE.items()
                for match in pattern.finditer(flat)
            ]
            if flat.lower().lstrip("rbu").startswith('"""'):
                matches = ((k, p.match(flat)) for k, p in _DOCSTRING.items())
                hits += [(name, match) for name, match in matches if match]
            for name, match in hits:
                part = flat[max(0, match.start() - 40) : match.end() + 40]
                place = path.relative_to(root)
                yield f"{place}:{number}: [{name}] {part}"


if __name__ == "__main__":
    print("\n".join(found()))
