# SPDX-License-Identifier: Apache-2.0
"""The pages of the documentation, and how tests read them."""

import importlib
import re
import sys
import textwrap
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

from nova_vhard.policy import subject, verdict
from nova_vhard.request import flavor
from nova_vhard.request import image as image_reader
from tests.unit.helpers import shipped

ROOT = Path(__file__).resolve().parents[2]
ETC = ROOT / "etc" / "nova-vhard"
SOURCE = ROOT / "doc" / "source"
README = ROOT / "README.rst"
CHECKS = SOURCE / "admin" / "checks.rst"
CONTRIBUTOR = SOURCE / "contributor" / "index.rst"
INSTALL = SOURCE / "install" / "index.rst"
MONITORING = SOURCE / "admin" / "monitoring.rst"
PASSTHROUGH = SOURCE / "admin" / "passthrough.rst"
REFERENCE = SOURCE / "admin" / "policy-reference.rst"
REFUSED = SOURCE / "user" / "why-was-i-refused.rst"
REPORTER = SOURCE / "admin" / "report.rst"
SECURITY = SOURCE / "admin" / "security-model.rst"

#: The part of the policy reference about commands.
COMMANDS = (
    REFERENCE.read_text(encoding="utf-8")
    .partition(".. _policy-commands:")[2]
    .partition(".. _shipped-policies:")[0]
)
#: Every page that somebody wrote.
PAGES = (
    README,
    ROOT / "CONTRIBUTING.rst",
    *sorted(SOURCE.glob("*.rst")),
    *sorted(SOURCE.glob("[!_]*/*.rst")),
)
IDE_E1000 = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
TODAY = date(2026, 1, 1)


def name_of(page: Path) -> str:
    """Return what a page is called in a test's id."""
    return page.relative_to(ROOT).as_posix()


def words(page: Path | str) -> str:
    """Return a page's text with every run of white space as one blank."""
    return " ".join(text_of(page).split())


def text_of(page: Path | str) -> str:
    """Return the text of a page, or of a part that is given as text."""
    return page if isinstance(page, str) else page.read_text(encoding="utf-8")


def blocks(page: Path | str, language: str) -> list[str]:
    """Return the code blocks of a page that are of one language."""
    result = re.findall(
        rf"^( *)\.\. code-block:: {language}\n\n((?:\1 +.*\n|\n)+)",
        text_of(page),
        re.MULTILINE,
    )
    return [textwrap.dedent(block) for _, block in result]


def schema_keys(part: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key that a file of a schema can have.

    What the rules of an exemption may name is not a key.
    """
    for name, value in part.get("properties", {}).items():
        yield (name,)
        if name != "rules":
            yield from ((name, *rest) for rest in schema_keys(value))
    if "items" in part:
        yield from schema_keys(part["items"])


def judged(
    name: str,
    properties: dict[str, Any],
    disk_format: str | None = None,
    extra_specs: dict[str, str] | None = None,
) -> verdict.Verdict:
    """Return the verdict of a shipped policy on an upload."""
    request = image_reader.read(properties, disk_format)
    return verdict.evaluate(
        shipped(name),
        request.plus(flavor.read(extra_specs or {})),
        subject.Subject(subject.UPLOAD),
        TODAY,
    )


def extension() -> ModuleType:
    """Return the Sphinx extension that writes parts of the pages."""
    folder = str(ROOT / "doc" / "ext")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return importlib.import_module("vhard_reference")
    finally:
        sys.dont_write_bytecode = before
