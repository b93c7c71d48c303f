# SPDX-License-Identifier: Apache-2.0
"""Policies and verdicts in a line."""

import datetime
import functools
import json
import pathlib
import textwrap
from typing import Any

from oslo_config import cfg

from nova_vhard.policy import document, hardware, model
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.policy.verdict import Verdict, ViolationKey, evaluate
from nova_vhard.request import image

DATA = pathlib.Path(__file__).parent.parent / "data"
TODAY = datetime.date(2026, 6, 15)
#: A version whose copies must have no error.
NEWER = "99"


def policy(**keys: Any) -> model.Policy:
    """Return a policy of the given keys, checked as a file would be."""
    return document.restore(
        json.loads(json.dumps({"version": "1", **keys})), "test", NEWER
    )[0]


def never(_: float) -> None:
    """Stand for a sleep that lasts longer than a test: the thread ends."""
    raise SystemExit


@functools.cache
def shipped(name: str) -> model.Policy:
    return document.load(document.shipped(name))


def write(path: pathlib.Path, text: str) -> str:
    """Write a policy file in one step, as an operator should."""
    new = path.with_suffix(".new")
    new.write_text(textwrap.dedent(text))
    new.replace(path)
    return str(path)


def configured(module: Any, group: str = "vhard", **options: Any) -> Any:
    """Return a configuration without files, with some options set.

    :param module: module of nova_vhard.conf that registers the group
    """
    conf = cfg.ConfigOpts()
    conf([], project="test", default_config_files=[])
    module.register(conf)
    for name, value in options.items():
        conf.set_override(name, value, group)
    return conf


def evaluated(
    rules: model.Policy | dict[str, Any],
    request: hardware.HardwareRequest,
    already: frozenset[ViolationKey] = frozenset(),
    **who: Any,
) -> Verdict:
    """Judge a request of project p1, a boot by default.

    :param rules: a policy, or the keys of one
    :param who: of the subject
    """
    known = rules if isinstance(rules, model.Policy) else policy(**rules)
    subject = Subject(**{"operation": BOOT, "project": "p1", **who})
    return evaluate(known, request, subject, TODAY, already)


def judge(
    rules: model.Policy,
    properties: dict[str, Any],
    disk_format: str | None = None,
    **who: Any,
) -> Verdict:
    return evaluated(rules, image.read(properties, disk_format), **who)


def broken(verdict: Verdict) -> set[tuple[str, str | None]]:
    """Return kind and value of every violation."""
    return {
        (each.rule.partition(".")[2], each.cause.value)
        for each in verdict.violations
    }
