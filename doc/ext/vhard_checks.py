# SPDX-License-Identifier: Apache-2.0
"""Write the checklist and the profiles of the catalogue."""

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from vhard_rst import heading, literals, plain, table

from nova_vhard.catalogue import traits
from nova_vhard.catalogue.checks import OURS
from nova_vhard.catalogue.controls import CONTROLS
from nova_vhard.catalogue.profiles import PROFILES
from nova_vhard.host import report
from nova_vhard.host.check import Check

EVIDENCE = Path(__file__).parents[1] / "source/admin/evidence.rst"


def checklist() -> str:
    """Return all checks: a table of them, then each in full."""
    rows = (
        (
            f":ref:`{one.id} <check-{one.name}>`",
            f"``{one.name}``",
            plain(one.title),
            plain(one.guide),
        )
        for one in _ours()
    )
    head = ("Id", "Check", "It passes when", "Guide")
    parts = [table(head, rows, (18, 22, 30, 30))]
    parts += [_check(one, evidence()[one.name]) for one in _ours()]
    return "\n".join(parts)


def evidence() -> dict[str, str]:
    """Return what each check reads, and what it does not believe."""
    _, *parts = re.split(
        r"^(\w+)\n~+\n", EVIDENCE.read_text("utf-8"), flags=re.MULTILINE
    )
    return dict(zip(parts[::2], parts[1::2], strict=True))


def profiles() -> str:
    """Return all profiles, with what is in each and why."""
    rows = (
        (
            f"``{one.name}``",
            f"{plain(one.title)}. {plain(one.why)}",
            literals(one.checks),
        )
        for one in PROFILES.values()
    )
    return table(("Profile", "For", "Checks"), rows, (18, 46, 36))


def controls() -> str:
    """Return what each check corresponds to in other guides."""
    rows = (
        (
            f":ref:`{one.id} <check-{one.name}>`",
            f"``{one.name}``",
            plain(one.guide.partition(":")[0]),
            plain(", ".join(_spelled(CONTROLS[one.name].nist))),
            plain(", ".join(CONTROLS[one.name].bsi)),
            plain(", ".join(CONTROLS[one.name].iso)),
            plain(CONTROLS[one.name].scs) or "-",
            plain(CONTROLS[one.name].vmware) or "-",
        )
        for one in _ours()
    )
    head = ("Id", "Check", "Security Guide", "NIST 800-53", "BSI", "ISO")
    return table((*head, "SCS", "VMware"), rows, (12, 16, 16, 9, 13, 6, 9, 19))


def _spelled(numbers: Iterable[str]) -> Iterator[str]:
    """Yield controls as NIST prints them: AC-3(3) of ac-3.3."""
    for number in numbers:
        name, _, enhancement = number.upper().partition(".")
        yield f"{name}({enhancement})" if enhancement else name


def _ours() -> list[Check]:
    return [one for one in report.load() if one.name in OURS]


def _check(info: Check, read: str) -> str:
    title = heading(f"{info.id}: {info.name}")
    fields = "\n".join(f":{name}: {value}" for name, value in _fields(info))
    judged = inspect.cleandoc(type(info).__doc__ or "")
    entry = f"{title}\n{fields}\n\n{judged}\n\n{read.strip()}\n"
    return f".. _check-{info.name}:\n\n{entry}"


def _fields(info: Check) -> Iterator[tuple[str, str]]:
    yield "It passes when", plain(info.title)
    yield "Guide", plain(info.guide)
    yield "What PASS means", plain(info.meaning)
    yield "To do when it is not PASS", plain(info.remediation)
    yield "Trait", f"``{traits.of_check(info.name)}``"
