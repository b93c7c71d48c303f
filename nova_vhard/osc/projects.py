# SPDX-License-Identifier: Apache-2.0
"""A project by its name or id."""

from typing import Any

from nova_vhard.osc.paging import ERRORS


def project_id(app: Any, name: str) -> str:
    """Return a project's id; who may not look it up gives the id itself.

    :param app: openstackclient's application
    """
    connection = app.client_manager.sdk_connection
    try:
        # The proxy itself fails where the catalogue has no such service.
        identity = connection.identity
        project = identity.find_project(name, ignore_missing=True)
    except ERRORS:
        return name
    return str(project.id) if project else name
