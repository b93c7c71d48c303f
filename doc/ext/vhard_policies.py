# SPDX-License-Identifier: Apache-2.0
"""Write the policies that ship: every rule, with its reason."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vhard_rst import heading, literals, plain, table

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.policy import document


def shipped_policies() -> str:
    """Return what each of the shipped policies says."""
    return "\n".join(_policy(name) for name in document.SHIPPED)


def _policy(name: str) -> str:
    reading = document.Reading(document.shipped(name))
    data = reading.data
    title = f".. _policy-{name}:\n\n{heading(name)}"
    bases = [Path(file).stem for file in [*reading.stamps][1:]]
    intro = f"Extends {literals(bases)}. " if bases else ""
    intro += f"Mode ``{data['mode']}``. It assumes:\n"
    assumed = "\n".join(
        f"- ``{key}``: {_assumed(value)}"
        for key, value in data["assume"].items()
    )
    said = "\n".join(f"- {one}" for one in _hosts(data))
    return (
        f"{title}\n{intro}\n{assumed}\n\n"
        f"Devices of the hosts, and what hosts must have passed:\n\n{said}\n"
        f"\n{_rules(data['guest_devices'])}"
    )


def _assumed(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"``{word}`` on {key}" for key, word in value.items())
    return literals((value,))


def _hosts(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a policy says beside the rules of device kinds."""
    rule = data["passthrough"]
    for kind, names in rule["allow"].items():
        yield f"``passthrough.allow.{kind}``: {_some(names)}"
    yield f"``passthrough.require``: {_some(rule['require'])}"
    for section in ("hosts", "moves"):
        for key, value in data[section].items():
            listed = value if isinstance(value, list) else [value]
            yield f"``{section}.{key}``: {_some(listed)}"


def _some(words: list[Any]) -> str:
    return literals(words) or "none"


def _rules(rules: Mapping[str, Any]) -> str:
    rows = (
        (f":ref:`{kind} <device-kind-{kind}>`", *_rule(rules[kind]))
        for kind in KINDS
        if kind in rules
    )
    return table(("Rule", "Allowed", "Reason"), rows, (20, 35, 45))


def _rule(rule: Mapping[str, Any]) -> tuple[str, str]:
    allowed = _some(rule["allow"])
    if rule.get("explicit"):
        allowed += "; must be set"
    if "mode" in rule:
        allowed += f"; mode ``{rule['mode']}``"
    return allowed, plain(rule["reason"])
