# SPDX-License-Identifier: Apache-2.0
"""Keystone users of the hosts, and their application credentials.

Only a user can create an application credential for that user; an
administrator cannot. So each host has its own user, ``vhard-host-<HOST>``. Its
password is generated here, used once, and not stored.
"""

import re
import secrets
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from keystoneauth1 import identity, session
from openstack import connection, exceptions

from nova_vhard.common.text import clean
from nova_vhard.osc import paging
from nova_vhard.osc.host.access import Rule

#: Begins the name of a host's user.
PREFIX = "vhard-host-"
#: Program to the role that it needs (etc/nova-vhard/placement-policy.yaml).
ROLES = {"reporter": "vhard-reporter", "cleaner": "vhard-cleaner"}

#: Description of our users, so that no other user is mistaken for one.
_MARK = re.compile(r"nova-vhard: host (.+), provider ([0-9a-f-]{36})")
# Characters of each kind that a password_regex may ask for.
_KINDS = "aA1!"
_OPTIONS = {
    "ignore_change_password_upon_first_use": True,
    "ignore_password_expiry": True,
}


class NotOurs(Exception):
    """Raised if Keystone lacks a prerequisite, or a name is not ours."""


class Login(NamedTuple):
    """A host's user, logged in.

    :ivar user: openstacksdk's user
    :ivar identity: openstacksdk's identity proxy, as that user
    :ivar roles: program to the id of its role
    """

    user: Any
    identity: Any
    roles: dict[str, str]

    def issue(self, program: str, rules: Iterable[Rule]) -> Any:
        """Create an application credential with access rules.

        :returns: openstacksdk's credential; only this one has the secret
        """
        return self.identity.create_application_credential(
            self.user.id,
            program,
            roles=[{"id": self.roles[program]}],
            access_rules=[rule.as_dict() for rule in rules],
            unrestricted=False,
        )


class Accounts:
    """The users of hosts.

    :param cloud: openstacksdk's connection, of an administrator
    :param admin: the keystoneauth session of that administrator
    :param interface: of Keystone's endpoint
    """

    def __init__(
        self, cloud: Any, admin: Any, interface: str | None = None
    ) -> None:
        self._cloud = cloud
        self._session = admin
        self._interface = interface

    @property
    def identity(self) -> Any:
        """openstacksdk's identity proxy, as the administrator."""
        return self._cloud.identity

    @property
    def url(self) -> str:
        """Keystone's URL in the administrator's login.

        :raises NotOurs: if the login has no URL
        """
        url = getattr(self._session.auth, "auth_url", None)
        if not url:
            raise NotOurs("your login has no auth_url: log in with a password")
        return str(url)

    def find(self, host: str) -> list[Any]:
        """Return the users of a host: one, none, or one in each domain.

        :raises NotOurs: if there are users of that name, but host enroll
            created none of them
        """
        name = f"{PREFIX}{host}"
        try:
            known = [self.identity.find_user(name)]
        except exceptions.DuplicateResource:
            # Any domain's admin can create one.
            known = list(self.identity.users(name=name))
        # With some databases, Keystone treats compute1 and Compute1 alike.
        users = [user for user in known if user and user.name == name]
        ours = [user for user in users if provider_of(user)]
        if users and not ours:
            raise NotOurs(
                f"user {users[0].name} was not created by openstack vhard "
                "host enroll, according to its description: rename the user"
            )
        return ours

    def assignments(self, role: str, **query: bool) -> Iterator[Any]:
        """Yield the assignments of a role; none if there is no such role.

        Keystone does not list users who are in a group through a federated
        login.

        :param role: its name
        :param query: ``effective=True`` for groups resolved into users
        :returns: openstacksdk's role assignments, with names
        """
        known = self.identity.find_role(role)
        if known is not None:
            yield from self.identity.role_assignments(
                role_id=known.id, include_names=True, **query
            )

    def hosts(self) -> set[str]:
        """Return the names of the hosts that seem to have a user of ours."""
        names = {
            str((assignment.user or {}).get("name", ""))
            for role in ROLES.values()
            for assignment in self.assignments(role, effective=True)
        }
        return {
            name.removeprefix(PREFIX)
            for name in names
            if name.startswith(PREFIX)
        }

    def make(
        self,
        host: str,
        provider: str,
        project: str,
        programs: Iterable[str],
        force: bool = False,
    ) -> Login:
        """Make the user of a host, give it roles, and log in as it.

        :param provider: uuid of the host's root provider
        :param project: name or id
        :param force: whether an existing user is deleted first
        :raises NotOurs: if a role or the project does not exist, or the host
            already has a user
        """
        place = self.identity.find_project(project)
        if place is None:
            raise NotOurs(
                f"there is no project {project}: specify one with --project"
            )
        roles = {program: self._role(program) for program in programs}
        # Without force, an existing user is kept: another operator who
        # enrolls the same host may have created it just now.
        if force:
            self.remove(host)
        elif self.find(host):
            raise NotOurs(
                "already enrolled; --force creates new credentials, and "
                "the present ones become invalid at once"
            )
        password = _KINDS + secrets.token_urlsafe(32)
        user = self.identity.create_user(
            name=f"{PREFIX}{host}",
            description=f"nova-vhard: host {host}, provider {provider}",
            domain_id=place.domain_id,
            options=_OPTIONS,
            password=password,
        )
        try:
            for role in roles.values():
                self.identity.assign_project_role_to_user(place, user, role)
            own = self._as_user(user.id, password, place.id)
        except BaseException as error:
            self.undo(user, error)
            raise
        return Login(user, own, roles)

    def _role(self, program: str) -> str:
        role = self.identity.find_role(ROLES[program])
        if role is None:
            raise NotOurs(
                f"there is no role {ROLES[program]}: create it (openstack "
                f"role create {ROLES[program]}) and install the sample "
                "policy for Placement, placement-policy.yaml"
            )
        return str(role.id)

    def _as_user(self, user: str, password: str, project: str) -> Any:
        auth = identity.Password(
            auth_url=self.url,
            user_id=user,
            password=password,
            project_id=project,
        )
        own = session.Session(
            auth=auth, verify=self._session.verify, cert=self._session.cert
        )
        return connection.Connection(
            session=own, identity_interface=self._interface
        ).identity

    def remove(self, host: str) -> str | None:
        """Delete the user of a host, and with it all its credentials.

        :returns: its name, None if there was none
        """
        users = self.find(host)
        for user in users:
            self.identity.delete_user(user)
        return str(users[0].name) if users else None

    def undo(self, user: Any, reason: BaseException) -> None:
        """Delete a user that was just created.

        :param reason: why
        :raises NotOurs: if it cannot be deleted, so its credentials stay valid
        """
        try:
            self.identity.delete_user(user)
        except paging.ERRORS as error:
            name = clean(user.name, 255)
            raise NotOurs(
                f"{reason}; and user {name} could not be deleted ({error}): "
                "to delete it, run openstack vhard host withdraw "
                f"{name.removeprefix(PREFIX)}"
            ) from reason


def provider_of(user: Any) -> str | None:
    """Return the uuid of the provider that a host's user is for.

    :returns: None for a user that this command did not create
    """
    match = _MARK.fullmatch(str(user.description or ""))
    named = match and str(user.name) == f"{PREFIX}{match[1]}"
    return match[2] if match and named else None
