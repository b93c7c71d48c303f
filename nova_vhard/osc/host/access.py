# SPDX-License-Identifier: Apache-2.0
"""Access rules: what a host's reporter and cleaner send to Placement.

Keystone stores them with an application credential. For each request that no
rule allows, the keystonemiddleware of Placement answers 401. In a path, ``*``
stands for a segment, or for the end of one.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from nova_vhard.placement.client import HOST
from nova_vhard.placement.reader import PROVIDERS

#: Type of the service in the catalogue, and ``[keystone_authtoken]
#: service_type`` of Placement.
SERVICE = "placement"


class Rule(NamedTuple):
    """A method, and the path that it is allowed for."""

    method: str
    path: str

    def as_dict(self) -> dict[str, str]:
        """Return it as Keystone wants it."""
        return {"service": SERVICE, "method": self.method, "path": self.path}


def of_reporter(root: str, devices: Iterable[str] = ()) -> list[Rule]:
    """Return what a reporter needs: the traits of its host's provider.

    :param root: uuid of the host's root provider
    """
    # The sample policy forbids the role to create traits, which is a 403.
    # Without this rule it would be a 401, after which keystoneauth logs in
    # again each time.
    names = (Rule("PUT", f"/traits/{prefix}*") for prefix in HOST)
    return [*_traits(root), *names]


def of_cleaner(root: str, devices: Iterable[str] = ()) -> list[Rule]:
    """Return what a cleaner needs: also the inventories of its devices.

    :param root: uuid of the host's root provider
    :param devices: uuids of the providers of its one-time-use devices
    """
    # No rule to create trait names: a host could create so many that
    # Placement becomes slow for all hosts. "host enroll" has created the
    # names for its devices.
    rules = _traits(root)
    for device in devices:
        place = f"{PROVIDERS}/{device}"
        rules += [
            Rule("GET", f"{place}/allocations"),
            Rule("GET", f"{place}/inventories"),
            # The claim before a cleaning, and the release after it.
            Rule("PUT", f"{place}/inventories"),
            Rule("PUT", f"{place}/inventories/*"),
        ]
    return rules


#: Program to its rules.
RULES: Mapping[str, Callable[[str, Iterable[str]], list[Rule]]] = (
    MappingProxyType({"reporter": of_reporter, "cleaner": of_cleaner})
)


def below(prefix: str, rules: Iterable[Rule]) -> list[Rule]:
    """Return rules for a Placement that is served under a path.

    :param prefix: ``/placement``; empty where it has a host or port alone
    """
    return [Rule(rule.method, f"{prefix}{rule.path}") for rule in rules]


def writes(entries: Iterable[Mapping[str, Any]]) -> frozenset[Rule]:
    """Return those of a credential's rules that let it write to Placement.

    :param entries: as Keystone has them
    """
    return frozenset(
        Rule(str(entry.get("method")), str(entry.get("path")))
        for entry in entries
        if entry.get("service") == SERVICE
        and entry.get("method") not in ("GET", "HEAD")
    )


def _traits(root: str) -> list[Rule]:
    place = f"{PROVIDERS}/{root}/traits"
    return [
        Rule("GET", "/traits"),
        Rule("GET", PROVIDERS),
        Rule("GET", place),
        Rule("PUT", place),
    ]
