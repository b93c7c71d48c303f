# SPDX-License-Identifier: Apache-2.0
"""Policies and verdicts in a line."""

import datetime
import json
import pathlib
import textwrap
from typing import Any

from nova_vhard.policy import document
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.policy.verdict import Verdict, evaluate
from nova_vhard.request import image

DATA = pathlib.Path(__file__).parent.parent / "data"
TODAY = datetime.date(2026, 6, 15)
#: A version whose copies must have no error.
NEWER = "99"


def policy(**keys: Any) -> Policy:
    """Return a policy of the given keys, checked as a file would be."""
    data = json.loads(json.dumps({"version": "1", **keys}))
    return document.restore(data, "test", NEWER)[0]


def shipped(name: str) -> Policy:
    return document.load(document.shipped(name))


def write(path: pathlib.Path, text: str) -> str:
    """Write a policy file in one step, as an operator should."""
    new = path.with_suffix(".new")
    new.write_text(textwrap.dedent(text))
    new.replace(path)
    return str(path)


def judge(
    rules: Policy,
    properties: dict[str, Any],
    disk_format: str | None = None,
    **who: Any,
) -> Verdict:
    subject = Subject(**{"operation": BOOT, "project": "p1", **who})
    request = image.read(properties, disk_format)
    return evaluate(rules, request, subject, TODAY)


def broken(verdict: Verdict) -> set[tuple[str, str | None]]:
    """Return kind and value of every violation."""
    return {
        (each.rule.partition(".")[2], each.cause.value)
        for each in verdict.violations
    }
