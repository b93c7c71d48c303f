# SPDX-License-Identifier: Apache-2.0
"""A file of policy tests: requests, and the verdicts that they should get."""

import datetime
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema

from nova_vhard.catalogue.checks import REQUIRABLE
from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.passthrough import OF_DEVICES
from nova_vhard.common import schema_errors, source, yaml_lines
from nova_vhard.common.json_schema import (
    BOOL,
    DATE,
    TEXT,
    TEXTS,
    array,
    keys,
    mapping,
)
from nova_vhard.common.problems import (
    Path,
    PolicyError,
    nearest,
    problem,
)
from nova_vhard.common.text import quote
from nova_vhard.policy import document
from nova_vhard.policy.hosts import HOSTS_REQUIRE
from nova_vhard.policy.model import Mode, Policy
from nova_vhard.policy.verdict import (
    ALLOW,
    DISABLED,
    PASSTHROUGH_ALLOW,
    PASSTHROUGH_REQUIRE,
    REFUSE,
)
from nova_vhard.request import described
from nova_vhard.request.server_request import ServerRequest

OUTCOMES = (ALLOW, str(Mode.WARN), REFUSE, str(Mode.AUDIT), DISABLED)

# A cloud can define its own properties, so any name is valid. Values are text
# or, because YAML reads them as booleans, true and false.
_PROPERTIES = mapping({"type": ["string", "boolean"]})
_SPECS = mapping({"type": "string"})

_DEVICE = keys(
    device_type=TEXT,
    disk_bus=TEXT,
    source_type=TEXT,
    destination_type=TEXT,
    boot_index=TEXT,
    uuid=TEXT,
    volume_size=TEXT,
)
_PORT = keys("vnic_type", vnic_type=TEXT, id=TEXT)

CASE = keys(
    *("name", "operation", "expect"),
    name=TEXT,
    operation={"enum": list(described.LOOKED_AT)},
    project=TEXT,
    domain=TEXT,
    roles=TEXTS,
    image=keys(id=TEXT, disk_format=TEXT, properties=_PROPERTIES),
    volume=keys(properties=_PROPERTIES),
    flavor=keys(name=TEXT, id=TEXT, extra_specs=_SPECS),
    block_devices=array(_DEVICE),
    ports=array(_PORT),
    config_drive=BOOL,
    server=keys(
        id=TEXT,
        properties=_PROPERTIES,
        disk_format=TEXT,
        extra_specs=_SPECS,
        config_drive=BOOL,
        same_image=BOOL,
    ),
    expect=keys(
        "verdict",
        verdict={"enum": list(OUTCOMES)},
        rules=TEXTS,
        exemptions=TEXTS,
        host_checks=TEXTS,
    ),
)

SCHEMA: dict[str, Any] = keys(
    "cases",
    policy=TEXT,
    date=DATE,
    cases=array(CASE, least=1),
)

_VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)
_RULES = (
    *(f"guest_devices.{kind}" for kind in KINDS),
    PASSTHROUGH_ALLOW,
    # Only for devices that can never be one_time_use. All other violations of
    # this rule are about hosts.
    PASSTHROUGH_REQUIRE,
)
_CHECKS = (*REQUIRABLE, *sorted(OF_DEVICES))


@dataclass(frozen=True)
class Expected:
    """A test: a request, and the expected verdict.

    :ivar case: the request
    :ivar expect: ``verdict`` and, optionally, ``rules``, ``exemptions`` and
        ``host_checks``
    """

    name: str
    case: ServerRequest
    expect: Mapping[str, Any]

    def differences(self, policy: Policy, today: datetime.date) -> list[str]:
        """Return what is not as expected, as lines of a diff.

        :param today: the day (UTC) by which exemptions are judged
        """
        verdict = self.case.verdict(policy, today)
        result = {
            "verdict": [verdict.outcome],
            "rules": verdict.rules,
            "exemptions": sorted({name for _, name in verdict.exempted}),
            "host_checks": sorted(
                described.host_checks(self.case, policy, today)
            ),
        }
        wanted = {**self.expect, "verdict": [self.expect["verdict"]]}
        return [
            f"{sign}{name}: {item}"
            for name in result
            if name in wanted
            for sign, items in (
                ("-", set(wanted[name]) - set(result[name])),
                ("+", set(result[name]) - set(wanted[name])),
            )
            for item in sorted(items)
        ]


@dataclass(frozen=True)
class CaseFile:
    """A file of tests.

    :ivar policy: path of the policy that it names, if any
    :ivar date: the day by which exemptions are judged, if it says one
    """

    path: str
    policy: str | None
    date: datetime.date | None
    tests: tuple[Expected, ...]


def read(path: str) -> CaseFile:
    """Read a file of tests.

    :raises PolicyError: with every fault of the file
    """
    try:
        text = source.read_text(path)
    except source.UnreadableError as error:
        raise PolicyError(
            [problem(path, error.line, (), str(error))]
        ) from error
    data, _, problems = yaml_lines.load(path, text, _faults)
    if problems:
        raise PolicyError(problems)
    named = data.get("policy")
    day = data.get("date")
    return CaseFile(
        path=path,
        policy=document.resolve(named, os.path.dirname(path))
        if named
        else None,
        date=datetime.date.fromisoformat(day) if day else None,
        tests=tuple(
            Expected(case["name"], described.read(case), case["expect"])
            for case in data["cases"]
        ),
    )


def _faults(data: Any) -> Iterator[schema_errors.Fault]:
    if not isinstance(data, dict):
        yield (), "must be a mapping with the list cases"
        return
    wrong = list(schema_errors.schema_faults(data, _VALIDATOR))
    yield from wrong
    broken = [path[:2] for path, _ in wrong]
    if ("cases",) in broken:
        return
    names: set[str] = set()
    for index, case in enumerate(data["cases"]):
        place: Path = ("cases", index)
        if place in broken:
            continue
        if case["name"] in names:
            name = quote(case["name"])
            yield (*place, "name"), f"{name} is the name of another case"
        names.add(case["name"])
        yield from _case(case, place)


def _case(
    fields: dict[str, Any], place: Path
) -> Iterator[schema_errors.Fault]:
    operation = fields["operation"]
    known = described.LOOKED_AT
    looked_at = known[operation]
    for key in frozenset().union(*known.values()) & fields.keys() - looked_at:
        listed = ", ".join(sorted(looked_at))
        yield (
            (*place, key),
            f"is not used in operation {operation}, which uses {listed}",
        )
    if "image" in fields and "volume" in fields:
        text = "image and volume cannot be combined: remove one of them"
        yield (*place, "volume"), text
    expect: Path = (*place, "expect")
    for index, rule in enumerate(fields["expect"].get("rules", ())):
        if rule == HOSTS_REQUIRE:
            text = f"{rule} is about hosts; expect host_checks instead"
            yield (*expect, "rules", index), text
        elif rule not in _RULES:
            text = f"{quote(rule)} is not a rule{nearest(rule, _RULES)}"
            yield (*expect, "rules", index), text
    for index, name in enumerate(fields["expect"].get("host_checks", ())):
        if name not in _CHECKS:
            text = f"{quote(name)} is not a check{nearest(name, _CHECKS)}"
            yield (*expect, "host_checks", index), text
