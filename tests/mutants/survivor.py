# SPDX-License-Identifier: Apache-2.0
"""Mutants that no test has noticed, and why some of them cannot be.

``reasons.yaml`` lists those that are equivalent::

    - function: nova_vhard.common.text.x_clean
      was: return str(text)[:LIMIT]
      becomes: return str(text)[:LIMIT + 0]
      why: Adding nothing changes nothing.

A mutant is known again by the function and by its lines, not by its number,
which moves with every other change of the function.
"""

import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

REASONS = Path(__file__).with_name("reasons.yaml")

_HEADERS = ("---", "+++", "@@")


@dataclass(frozen=True)
class Mutant:
    """Change that a mutant makes.

    :ivar function: module and mangled name, as in mutmut
    :ivar was: the removed lines, without their indentation
    :ivar becomes: the added lines
    """

    function: str
    was: str
    becomes: str

    @property
    def module(self) -> str:
        """Return the dotted name of the module."""
        return self.function.rpartition(".")[0]

    @property
    def plain_name(self) -> str:
        """Return the function as a person would write it."""
        mangled = self.function.rpartition(".")[2]
        return mangled.removeprefix("x").strip("_ǁ").replace("ǁ", ".")

    def is_of(self, lines: Mapping[str, Collection[str]]) -> bool:
        """Return True if one of these lines is changed.

        :param lines: of modules, without their indentation
        """
        return not set(self.was.split("\n")).isdisjoint(
            lines.get(self.module, ())
        )


def of_diff(name: str, diff: str) -> Mutant:
    """Return a mutant.

    :param name: mutmut's, with the number at its end
    :param diff: a unified diff of the function
    """
    lines = [
        line for line in diff.splitlines() if not line.startswith(_HEADERS)
    ]
    was, becomes = (
        "\n".join(line[1:].strip() for line in lines if line[:1] == sign)
        for sign in "-+"
    )
    return Mutant(name.partition("__mutmut_")[0], was, becomes)


def lines_since(commit: str, root: Path) -> dict[str, set[str]]:
    """Return the lines of modules that a commit does not have.

    :param root: of the checkout
    """
    command = ["git", "diff", "--unified=0", "--no-color", "--find-renames"]
    done = subprocess.run(
        [*command, "--src-prefix=a/", "--dst-prefix=b/", commit, "--", "*.py"],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    result: dict[str, set[str]] = {}
    lines: set[str] = set()
    for line in done.stdout.splitlines():
        if line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/").removesuffix(".py")
            module = path.removesuffix("/__init__").replace("/", ".")
            lines = result[module] = set()
        elif line.startswith("+"):
            lines.add(line[1:].strip())
    return result


def reasons(text: str | None = None) -> dict[Mutant, str]:
    """Return why mutants are equivalent.

    :param text: YAML; that of ``REASONS`` if there is none
    :raises ValueError: if an entry lacks something, or comes twice
    """
    if text is None:
        text = REASONS.read_text(encoding="utf-8")
    result: dict[Mutant, str] = {}
    for entry in yaml.safe_load(text) or ():
        if set(entry) != {"function", "was", "becomes", "why"}:
            raise ValueError(f"not a reason: {entry}")
        why = " ".join(entry.pop("why").split())
        mutant = Mutant(**{key: text.strip() for key, text in entry.items()})
        if mutant in result or not why:
            raise ValueError(f"twice, or no reason: {mutant}")
        result[mutant] = why
    return result
