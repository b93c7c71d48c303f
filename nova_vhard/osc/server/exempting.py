# SPDX-License-Identifier: Apache-2.0
"""A list of servers that a policy lets keep what they have.

It is a policy file of exemptions: for servers with the same devices one, which
names the rules and the values, so that nothing else is let through.
"""

import datetime
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml
from osc_lib import exceptions

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.catalogue.kinds import DeviceKind
from nova_vhard.common import files
from nova_vhard.common.json_schema import NAME_LIMIT
from nova_vhard.common.text import line
from nova_vhard.osc.server.servers import Server, violations
from nova_vhard.policy import check, document, origin
from nova_vhard.policy.meaning import PATTERN
from nova_vhard.policy.model import Policy
from nova_vhard.policy.verdict import GUEST_DEVICES, Violation

#: Days for which the list holds, unless somebody says otherwise.
DAYS = 365

#: A rule, and a value that it does not allow.
Device = tuple[str, str]

_HEADER = """\
# Servers that {policy} lets keep what they had
# on {today}, by 'openstack vhard server audit --write-exemptions'.
# Put this file beside it, and let it say there:
#
#     extends: {name}
"""


class ExemptionList:
    """Servers, and what they have that the policy does not allow.

    :ivar servers: how many are in it
    :ivar left_out: how many have something that no exemption can name
    """

    def __init__(self, policy: Policy, today: datetime.date) -> None:
        """Begin an empty list."""
        self._policy = policy
        self._today = today
        self._servers: dict[frozenset[Device], list[str]] = defaultdict(list)
        self.servers = 0
        self.left_out = 0

    def add(self, server: Server) -> None:
        """Add a server, if it violates the policy."""
        broken = list(violations(self._policy, server, self._today))
        devices = frozenset(filter(None, map(_device, broken)))
        self.left_out += None in map(_device, broken)
        if devices:
            self._servers[devices].append(server.id)
            self.servers += 1

    def exemptions(self, until: datetime.date) -> list[dict[str, Any]]:
        """Return the exemptions, as they stand in a policy file.

        :param until: last day on which they hold
        """
        return [
            {
                "id": self._id(devices, servers),
                "reason": f"had it on {self._today}, before the policy "
                "was enforced on hosts",
                "until": until.isoformat(),
                "rules": _by_rule(devices),
                "servers": sorted(servers),
            }
            for devices, servers in sorted(
                self._servers.items(), key=lambda item: sorted(item[0])
            )
        ]

    def _id(self, devices: Iterable[Device], servers: list[str]) -> str:
        """Return a name that no other list has."""
        content = repr((sorted(devices), sorted(servers))).encode()
        digest = hashlib.sha256(content).hexdigest()[:8]
        return f"servers-of-{self._today}-{digest}"


def _device(violation: Violation) -> Device | None:
    """Return what an exemption has to name; None where it cannot."""
    (rule,) = violation.rules
    value = violation.cause.value
    if value is None or rule == GUEST_DEVICES or not _is_plain(value):
        return None
    kind = KINDS.get(rule.partition(".")[2])
    return (rule, value) if kind is None or _is_known(kind, value) else None


def _is_known(kind: DeviceKind, value: str) -> bool:
    """Return whether a policy may name such a value."""
    if kind.value_type == "int":
        return value.isascii() and value.isdecimal()
    return not kind.values or value in kind.values


def _is_plain(value: str) -> bool:
    """Return whether a value stands for itself alone.

    What an outsider wrote must not become a pattern, which would let
    anything through.
    """
    return (
        value.isprintable()
        and 0 < len(value) <= NAME_LIMIT
        and (not set(value) & PATTERN)
    )


def _by_rule(devices: Iterable[Device]) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for rule, value in sorted(devices):
        rules.setdefault(rule, []).append(value)
    return rules


def refuse_existing(path: str) -> None:
    """Refuse a file that is there already, before anybody is asked.

    :raises CommandError: if it is
    """
    if os.path.lexists(path):
        raise exceptions.CommandError(
            f"{path} is there already, and is not overwritten; name another "
            "file"
        )


def write(
    path: str, policy: str, content: ExemptionList, until: datetime.date
) -> None:
    """Write a list as a policy file that another one can extend.

    :param path: of a file that is not there yet
    :param policy: path of the policy that the servers were judged by
    :raises CommandError: if it is there, or cannot be written
    """
    data: dict[str, Any] = {"version": "1", **_extended(policy)}
    data["exemptions"] = content.exemptions(until)
    for place, fault in check.faults(data):
        raise exceptions.CommandError(f"no such exemption: {place} {fault}")
    header = _HEADER.format(
        policy=line(os.path.basename(policy)),
        today=datetime.datetime.now(datetime.UTC).date(),
        name=line(os.path.basename(path)),
    )
    text = yaml.safe_dump(data, sort_keys=False, default_flow_style=False)
    refuse_existing(path)
    try:
        files.create(path, header + text)
    except FileExistsError:
        refuse_existing(path)
    except OSError as error:
        raise exceptions.CommandError(
            f"{path} cannot be written: {error.strerror}"
        ) from error


def _extended(policy: str) -> Mapping[str, str]:
    """Return what the policy extends, which the list is to extend for it."""
    base = origin.plain(document.own(policy)).get("extends")
    if not base:
        return {}
    if base not in document.SHIPPED:
        folder = os.path.dirname(os.path.abspath(policy))
        base = os.path.abspath(document.resolve(base, folder))
    return {"extends": base}


def notes(path: str, content: ExemptionList) -> Iterator[str]:
    """Yield what to know of a list, for a person."""
    if not content.servers:
        yield f"no server violates the policy: {path} was not written"
        return
    yield f"{content.servers} servers are exempted in {path}"
    if content.left_out:
        yield (
            f"{content.left_out} servers have something that no exemption "
            "can name; it is in the rows above, and is not in the file"
        )
