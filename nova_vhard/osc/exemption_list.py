# SPDX-License-Identifier: Apache-2.0
"""Exemptions for existing servers or images that violate a policy.

They are written as a policy file. Servers or images with the same devices
share an exemption, which names the rules and the values, so that it covers no
other device.
"""

import argparse
import datetime
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import yaml
from osc_lib import exceptions

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.kinds import DeviceKind
from nova_vhard.common import files
from nova_vhard.common.json_schema import NAME_LIMIT
from nova_vhard.common.text import line, quote
from nova_vhard.osc import output
from nova_vhard.policy import check, document, provenance
from nova_vhard.policy.check import PATTERN
from nova_vhard.policy.verdict import GUEST_DEVICES, Violation
from nova_vhard.policy.watch import today

#: Default duration of the exemptions, in days.
DAYS = 365

#: A rule, and a value that it does not allow.
Device = tuple[str, str]

#: Devices that all members of a group have, and the project that owns the
#: members (None for servers).
_Group = tuple[frozenset[Device], str | None]

_HEADER = """\
# Exemptions of {today} for {things} that violate {policy},
# written by 'openstack vhard {noun} audit --write-exemptions'.
# Put this file into the folder of your policy. In your policy, replace the
# line "extends:" with the one below. This file extends what your policy
# extended before.
#
#     extends: {name}
"""


def add_options(parser: argparse.ArgumentParser, noun: str) -> None:
    """Add the options of an audit that can write a list.

    :param noun: what is exempted, ``server``
    """
    parser.add_argument(
        "--write-exemptions",
        metavar="<file>",
        help=f"Write a policy file with exemptions for the {noun}s that "
        "violate the policy. Each exemption covers only the present "
        f"devices of that {noun}. An existing file is not overwritten. "
        "Exit status 1 if a value cannot be exempted.",
    )
    parser.add_argument(
        "--until",
        metavar="<date>",
        type=_day,
        help="Last day of these exemptions, such as 2027-03-31 (default: "
        f"in {DAYS} days).",
    )


def _day(text: str) -> datetime.date:
    """Parse a date that has not passed.

    :raises ArgumentTypeError: if it is not a date, or has passed
    """
    day = output.date(text)
    if day < today():
        raise argparse.ArgumentTypeError(
            f"{quote(text)} is not a future date in the form 2027-03-31"
        )
    return day


class ExemptionList:
    """Servers or images, and what they have that is not allowed.

    :ivar noun: ``server`` or ``image``
    :ivar today: the day (UTC) of the audit
    :ivar count: how many are in it
    :ivar left_out: how many have something that no exemption can name
    """

    def __init__(self, noun: str, day: datetime.date) -> None:
        self.noun = noun
        self.today = day
        self._groups: dict[_Group, list[str]] = defaultdict(list)
        self.count = 0
        self.left_out = 0

    def add(
        self,
        uuid: str,
        violations: Iterable[Violation],
        project: str | None = None,
    ) -> None:
        """Add a server or an image, if it violates the policy.

        :param project: owner of an image. The uploader can choose the
            image's ID, so an exemption must name the owner, too
        """
        devices = list(map(_device, violations))
        known = frozenset(filter(None, devices))
        self.left_out += None in devices
        if known:
            self._groups[known, project].append(uuid)
            self.count += 1

    def exemptions(self, until: datetime.date) -> list[dict[str, Any]]:
        """Return the exemptions, in the format of a policy file.

        :param until: last day on which they apply
        """
        groups = sorted(
            self._groups.items(),
            key=lambda item: (sorted(item[0][0]), item[0][1] or ""),
        )
        return [
            {
                "id": self._id(devices, uuids),
                "reason": f"had the devices on {self.today}",
                "until": until.isoformat(),
                "rules": _by_rule(devices),
                **({"projects": [project]} if project else {}),
                f"{self.noun}s": sorted(uuids),
            }
            for (devices, project), uuids in groups
        ]

    def _id(self, devices: Iterable[Device], uuids: list[str]) -> str:
        """Return a name that no other list has."""
        content = repr((sorted(devices), sorted(uuids))).encode()
        digest = hashlib.sha256(content).hexdigest()[:8]
        return f"{self.noun}s-of-{self.today}-{digest}"


def _device(violation: Violation) -> Device | None:
    """Return what an exemption has to name; None where it cannot."""
    (rule,) = violation.rules
    value = violation.cause.value
    # A user's value must not become a pattern, which could match anything.
    if (
        value is None
        or rule == GUEST_DEVICES
        or not value.isprintable()
        or not 0 < len(value) <= NAME_LIMIT
        or set(value) & PATTERN
    ):
        return None
    kind = KINDS.get(rule.partition(".")[2])
    return (rule, value) if kind is None or _is_known(kind, value) else None


def _is_known(kind: DeviceKind, value: str) -> bool:
    """Return whether a policy may name such a value."""
    if kind.value_type == "int":
        return value.isascii() and value.isdecimal()
    return not kind.values or value in kind.values


def _by_rule(devices: Iterable[Device]) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for rule, value in sorted(devices):
        rules.setdefault(rule, []).append(value)
    return rules


def refuse_existing(path: str) -> None:
    """Reject an existing file before any request is sent.

    :raises CommandError: if the file exists
    """
    if os.path.lexists(path):
        raise exceptions.CommandError(
            f"{path} already exists and is not overwritten; specify another "
            "file"
        )


def write(
    path: str, policy: str, content: ExemptionList, until: datetime.date
) -> None:
    """Write a list as a policy file that another one can extend.

    :param path: of a file that is not there yet
    :param policy: name or path of the policy that they were judged by
    :raises CommandError: if it is there, or cannot be written
    """
    # The list extends what the policy extends.
    base: str | None = (
        policy
        if policy in document.SHIPPED
        else provenance.plain(document.own(policy)).get("extends")
    )
    if base and base not in document.SHIPPED:
        folder = os.path.dirname(os.path.abspath(policy))
        base = os.path.abspath(document.resolve(base, folder))
    data: dict[str, Any] = {
        "version": "1",
        **({"extends": base} if base else {}),
        "exemptions": content.exemptions(until),
    }
    for place, fault in check.faults(data):
        raise exceptions.CommandError(
            f"the exemptions cannot be written: {place} {fault}"
        )
    header = _HEADER.format(
        things=f"{content.noun}s",
        noun=content.noun,
        policy=line(os.path.basename(policy)),
        today=content.today,
        name=line(os.path.basename(path)),
    )
    text = yaml.safe_dump(data, sort_keys=False, default_flow_style=False)
    try:
        files.create(path, header + text)
    except FileExistsError:
        refuse_existing(path)
    except OSError as error:
        raise exceptions.CommandError(
            output.unwritable(path, error)
        ) from error


def start(noun: str, options: argparse.Namespace) -> ExemptionList | None:
    """Return an empty list, None if none is asked for.

    An existing file is rejected before any request is sent.

    :param noun: ``server`` or ``image``
    :raises UsageError: if a day is given, and no file
    :raises CommandError: if the file is there
    """
    if options.write_exemptions:
        refuse_existing(options.write_exemptions)
        return ExemptionList(noun, today())
    if options.until:
        raise output.UsageError("--until requires --write-exemptions")
    return None


def finish(
    content: ExemptionList, options: argparse.Namespace
) -> Iterator[str]:
    """Write the exemptions of an audit; return messages for the user.

    :param options: with those of ``add_options``, and the policy
    """
    path = options.write_exemptions
    until = options.until or content.today + datetime.timedelta(DAYS)
    if content.count:
        write(path, options.policy, content, until)
    return notes(path, content)


def notes(path: str, content: ExemptionList) -> Iterator[str]:
    """Yield what to know of a list, for a person."""
    noun = content.noun
    if content.count:
        yield f"{output.counted(content.count, noun)} exempted in {path}"
    else:
        yield f"no {noun} was exempted: {path} was not written"
    if content.left_out:
        yield (
            f"{output.counted(content.left_out, noun)} with a value that no "
            f"exemption can name: this value is not in {path} (see the rows "
            "above)"
        )
