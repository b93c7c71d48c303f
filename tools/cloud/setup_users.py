# SPDX-License-Identifier: Apache-2.0
"""Make the users, projects and endpoints, by Keystone's own API."""

from cloud import clients, users


def make(facts):
    """Make them all."""
    identity = clients.Client(facts, users.ADMIN).sdk().identity
    roles = {role.name: role.id for role in identity.roles()}
    projects = {}
    for name in users.ROLES:
        roles[name] = identity.create_role(name=name).id
    for user in users.MADE:
        if user.project not in projects:
            project = identity.create_project(
                name=user.project, domain_id="default"
            )
            projects[user.project] = project.id
        account = identity.create_user(
            name=user.name,
            password=facts.password,
            domain_id="default",
            default_project_id=projects[user.project],
        )
        for role in user.roles:
            identity.assign_project_role_to_user(
                projects[user.project], account, roles[role]
            )
    # Keystone notes the first login of a day, and fails all but one of several
    # that come at once: as the computes do.
    clients.Client(facts, users.COMPUTE).session.get_token()
    for kind, (name, path) in users.SERVICES.items():
        service = identity.create_service(type=kind, name=name)
        for interface in ("public", "internal"):
            identity.create_endpoint(
                service_id=service.id,
                interface=interface,
                region_id=users.REGION,
                url=facts.url(name) + path,
            )
