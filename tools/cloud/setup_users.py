# SPDX-License-Identifier: Apache-2.0
"""Make the users, projects and endpoints, by Keystone's own API."""

import openstack

from cloud import users

_NAMES = {"compute": "nova", "image": "glance"}


def make(facts):
    """Make them all.

    :param facts: cloud.facts.Facts
    """
    identity = client(facts).identity
    roles = {role.name: role.id for role in identity.roles()}
    projects = {}
    for user in users.MADE:
        if user.project not in projects:
            made = identity.create_project(
                name=user.project, domain_id="default"
            )
            projects[user.project] = made.id
        who = identity.create_user(
            name=user.name,
            password=facts.password,
            domain_id="default",
            default_project_id=projects[user.project],
        )
        for role in user.roles:
            identity.assign_project_role_to_user(
                projects[user.project], who, roles[role]
            )
    for kind, path in users.SERVICES.items():
        name = _NAMES.get(kind, kind)
        service = identity.create_service(type=kind, name=name)
        for interface in ("public", "internal"):
            identity.create_endpoint(
                service_id=service.id,
                interface=interface,
                region_id=users.REGION,
                url=facts.url(name) + path,
            )


def client(facts):
    """Give openstacksdk as the administrator."""
    return openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_url=facts.url("keystone") + "/v3",
        username=users.ADMIN.name,
        password=facts.password,
        project_name=users.ADMIN.project,
        user_domain_id="default",
        project_domain_id="default",
        region_name=users.REGION,
    )
