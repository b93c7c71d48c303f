# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Keystone behind openstacksdk's identity proxy.

The real one is asked in tests/integration/test_enroll.py.
"""

import uuid
from types import SimpleNamespace

from openstack import exceptions

from nova_vhard.osc.host.accounts import Accounts

URL = "https://keystone.example/v3"


class Users(dict):
    """Users by their ids; called, a list of those of a name."""

    def __call__(self, name):
        """List as a database does that takes A and a for one letter."""
        return [
            user for user in self.values() if user.name.lower() == name.lower()
        ]


class Keystone:
    """Users, roles and credentials; ``actor`` is who asks, None an admin.

    :ivar faults: name of a method to what it raises
    """

    def __init__(self, actor=None, of=None):
        self.actor = actor
        state = of or SimpleNamespace(
            users=Users(),
            groups={},
            projects={},
            roles={},
            held=[],
            credentials={},
            faults={},
            passwords={},
        )
        self.__dict__.update(vars(state))
        self._state = state

    def add(self, kind, name, **more):
        """Make a thing of a kind, such as a role."""
        thing = SimpleNamespace(id=uuid.uuid4().hex, name=name, **more)
        getattr(self, kind)[thing.id] = thing
        return thing

    def find_user(self, name):
        self._fault("find_user")
        result = self.users(name)
        if len(result) > 1:
            raise exceptions.DuplicateResource("more than one")
        return result[0] if result else None

    def find_project(self, name, kind="projects"):
        things = getattr(self, kind).values()
        return next((each for each in things if each.name == name), None)

    def find_role(self, name):
        return self.find_project(name, "roles")

    def get_user(self, id):
        return self.users[id]

    def create_user(self, name, password, **more):
        domain = more["domain_id"]
        if domain in (
            getattr(user, "domain_id", "default") for user in self.users(name)
        ):
            raise exceptions.ConflictException("there is such a user")
        user = self.add("users", name, **more)
        self.passwords[user.id] = password
        return user

    def delete_user(self, user):
        self._fault("delete_user")
        del self.users[user.id]
        self.held[:] = [each for each in self.held if each[0] != user.id]
        self.credentials.pop(user.id, None)

    def assign_project_role_to_user(self, project, user, role):
        self.held.append((user.id, project.id, role))

    def role_assignments(self, role_id, include_names, effective=False):
        """List those of users, or of groups as well: none has a member."""
        self._fault("role_assignments")
        assert include_names
        for holder, project, role in self.held:
            if role != role_id or (effective and holder in self.groups):
                continue
            place = {"project": {"name": self.projects[project].name}}
            users, groups = (
                {"id": holder, "name": things[holder].name}
                if holder in things
                else None
                for things in (self.users, self.groups)
            )
            yield SimpleNamespace(user=users, group=groups, scope=place)

    def application_credentials(self, user):
        return self.credentials.get(user, [])

    def create_application_credential(self, user, name, **more):
        if user != self.actor:
            raise exceptions.ForbiddenException("not yours")
        self._fault("create_application_credential")
        more["roles"] = [
            {"name": self.roles[each["id"]].name} for each in more["roles"]
        ]
        made = SimpleNamespace(
            id=uuid.uuid4().hex,
            secret=uuid.uuid4().hex,
            name=name,
            user=user,
            **more,
        )
        self.credentials.setdefault(user, []).append(made)
        return made

    def _fault(self, name):
        if name in self.faults:
            raise self.faults[name]


class OwnAccounts(Accounts):
    """Accounts that log in to the stand-in."""

    def __init__(self, keystone):
        session = SimpleNamespace(auth=SimpleNamespace(auth_url=URL))
        super().__init__(SimpleNamespace(identity=keystone), session)
        self.keystone = keystone

    def _as_user(self, user, password, project):
        assert self.keystone.passwords[user] == password
        assert any(each[:2] == (user, project) for each in self.keystone.held)
        return Keystone(user, self.keystone._state)


def client(cloud, keystone, url="https://placement.example/placement"):
    """Return what commands find as ``client_manager.vhard``."""
    return SimpleNamespace(
        placement=cloud.placement,
        accounts=OwnAccounts(keystone),
        placement_url=lambda: url,
        region="RegionOne",
    )


def service_cloud():
    """Return a Keystone with the project and the roles that enroll needs."""
    keystone = Keystone()
    keystone.add("projects", "service", domain_id="default")
    for name in ("vhard-reporter", "vhard-cleaner", "service", "admin"):
        keystone.add("roles", name)
    return keystone
