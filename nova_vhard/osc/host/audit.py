# SPDX-License-Identifier: Apache-2.0
"""openstack vhard host audit: who may write more than one host's claims."""

import argparse
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from osc_lib import exceptions

from nova_vhard.catalogue import traits
from nova_vhard.common.text import clean
from nova_vhard.osc import audits, output, paging
from nova_vhard.osc.host import access
from nova_vhard.osc.host.accounts import (
    PREFIX,
    ROLES,
    Accounts,
    provider_of,
)
from nova_vhard.osc.host.enroll import add_prefix, path_prefix
from nova_vhard.placement.client import Placement

COLUMNS = ("User", "By", "Role", "Project", "May Write")

Row = tuple[str, str, str, str, str]

#: Roles that may write to Placement, by its own policy and by our sample.
_ALL = ("admin", "service", "vhard-sweep", "vhard-attestor", *ROLES.values())
_EVERY = "every provider"
_SERVICE = "service"
_VOID = f"{_EVERY}: a token with role service bypasses access rules"
_FOREIGN = f"{_EVERY}: host enroll did not create this user"
_SHARES = "MISC_SHARES_VIA_AGGREGATE"
_NEIGHBOURS = "traits that count for the other hosts of its aggregates"
_LOGIN = "login"
_GROUP = "members of group"
_NAMED = 3

#: What an entry breaks, for JUnit.
_RULE = "own provider only"


class AuditHosts(output.Lister):
    """List who may write to Placement for more than one host.

    Lists users and groups with a role that may write there, and anything that
    host enroll did not create or that was changed since: a host's user with
    another role, and a credential without access rules or with rules for more
    than the host's own provider and devices. A host with correct credentials
    is not listed. Compute nodes with the trait MISC_SHARES_VIA_AGGREGATE are
    listed: because of this trait, Placement offers other hosts of their
    aggregates for checks that those have not passed. Needs the role admin.
    With --fail-on, a login that may write because of its role is a warning;
    all others are violations.
    """

    nothing = "0 logins and credentials may write for more than one host"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the limit, and the path that Placement is served under."""
        parser.add_argument(
            "--limit",
            type=int,
            choices=range(1, 100_001),
            default=1000,
            metavar="<number>",
            help="Maximum number of rows, 1 to 100000 (default: "
            "%(default)s). If there are more, a message says so.",
        )
        add_prefix(parser)
        audits.add_options(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Iterable[str], Iterable[Row]]:
        """Return one row for each way to write more."""
        client = self.cloud
        prefix = path_prefix(client, parsed_args.path_prefix)
        limit = parsed_args.limit
        try:
            devices: dict[str, list[str]] = {}
            for provider, root in client.placement.below_roots(
                traits.ONE_TIME_USE
            ):
                devices.setdefault(root, []).append(provider.uuid)
            rows = itertools.chain(
                _sharing(client.placement),
                Audit(client.accounts, devices, prefix).rows(),
            )
            listed = list(itertools.islice(rows, limit + 1))
        except paging.ERRORS as error:
            raise exceptions.CommandError(f"Keystone: {error}") from error
        tally = audits.Tally("logins and credentials")
        for row in listed[:limit]:
            host, by, role, scope, more = row
            by_role = by == _LOGIN and more == _EVERY
            level = audits.Level.WARNING if by_role else audits.Level.VIOLATION
            who = f"role {role} in {scope}" if role else by
            finding = audits.Finding(level, _RULE, f"{who} may write: {more}")
            tally.add(by, host, [finding])
        if len(listed) > limit:
            text = f"There are more than {limit} rows: increase --limit."
            self.say(text)
            unseen = audits.Finding(audits.Level.UNSEEN, _RULE, text)
            tally.add("beyond --limit", "", [unseen])
        self.status = tally.finish(parsed_args)
        return COLUMNS, listed[:limit]


def _sharing(placement: Placement) -> Iterator[Row]:
    """Yield a row for each compute node whose traits count for others.

    A host may set any trait on its own provider. With this trait, Placement
    counts the traits of the host for the other hosts of its aggregates, and
    offers them for checks that they have not passed.
    """
    for host in placement.providers({"COMPUTE_NODE", _SHARES}):
        yield clean(host.name, 255), f"trait {_SHARES}", "", "", _NEIGHBOURS


@dataclass(frozen=True)
class Audit:
    """Looks for ways to write for more than one host.

    :ivar devices: uuid of a host's root provider to the uuids of its
        one-time-use devices
    :ivar prefix: path that Placement is served under
    """

    accounts: Accounts
    devices: Mapping[str, list[str]]
    prefix: str

    def rows(self) -> Iterator[Row]:
        """Yield a row for each: logins first, then credentials of hosts."""
        hosts: dict[str, tuple[str, str]] = {}
        for role in _ALL:
            for assignment in self.accounts.assignments(role, effective=True):
                user, scope = assignment.user or {}, _scope(assignment)
                name = str(user.get("name", ""))
                if name.startswith(PREFIX) and role in ROLES.values():
                    hosts[str(user.get("id"))] = name, scope
                else:
                    yield clean(name, 255), _LOGIN, role, scope, _EVERY
            for assignment in self.accounts.assignments(role):
                if assignment.group:
                    by = f"{_GROUP} {clean(assignment.group.get('name'), 200)}"
                    yield by, _LOGIN, role, _scope(assignment), _EVERY
        for uuid, (name, scope) in hosts.items():
            yield from self._of_host(uuid, clean(name, 255), scope)

    def _of_host(self, uuid: str, name: str, scope: str) -> Iterator[Row]:
        """Yield what a host's user may write that is not its host's."""
        provider = provider_of(self.accounts.identity.get_user(uuid))
        if provider is None:
            roles = ", ".join(ROLES.values())
            yield name, _LOGIN, roles, scope, _FOREIGN
            return
        devices = self.devices.get(provider, ())
        fits = frozenset(
            rule
            for rules in access.RULES.values()
            for rule in access.below(self.prefix, rules(provider, devices))
        )
        for credential in self.accounts.identity.application_credentials(uuid):
            more = _more(credential, fits)
            if more:
                held = (
                    str(role.get("name")) for role in credential.roles or ()
                )
                yield (
                    name,
                    f"credential {clean(credential.id)}",
                    clean(", ".join(held), 255),
                    scope,
                    more,
                )


def _more(credential: Any, fits: frozenset[access.Rule]) -> str:
    """Return what a credential may write beyond its host; empty for none."""
    if any(role.get("name") == _SERVICE for role in credential.roles or ()):
        return _VOID
    if credential.access_rules is None:
        return f"{_EVERY}: it has no access rules"
    beyond = sorted(access.writes(credential.access_rules) - fits)
    listed = [f"{rule.method} {clean(rule.path, 225)}" for rule in beyond]
    more = len(listed) - _NAMED
    return ", ".join(listed[:_NAMED]) + (f" and {more} more" * (more > 0))


def _scope(assignment: Any) -> str:
    """Return the name of the project that a role is held in, or a word."""
    scope = assignment.scope or {}
    project = scope.get("project") or {}
    if project:
        return clean(project.get("name") or project.get("id"), 255)
    return "system" if "system" in scope else "domain"
