# SPDX-License-Identifier: Apache-2.0
"""Who asks: the facts that modes and exemptions are chosen by."""

from dataclasses import dataclass
from typing import Any

#: Operations; a move concerns a server that exists already.
BOOT = "boot"
MOVE = "move"
REBUILD = "rebuild"
RESCUE = "rescue"
RESIZE = "resize"
UNSHELVE = "unshelve"
ATTACH = "attach"
FLAVOR = "flavor"
UPLOAD = "upload"
UPDATE = "update"
SNAPSHOT = "snapshot"
#: libvirt is about to start a guest, or has plugged something into it.
START = "start"


@dataclass(frozen=True, slots=True)
class Subject:
    """The requester of the hardware, and the operation.

    :ivar operation: one of the operations of this module
    :ivar project: id of the project that owns the server or image
    :ivar domain: id of the domain of that project
    :ivar roles: the caller's roles, in lower case; empty where the caller
        acts on another project's server
    :ivar image: id of the image
    :ivar flavor: name of the flavor
    :ivar flavor_id: id of the flavor that users give
    :ivar server: id of the server; empty where there is none yet
    """

    operation: str
    project: str | None = None
    domain: str | None = None
    roles: frozenset[str] = frozenset()
    image: str | None = None
    flavor: str | None = None
    flavor_id: str | None = None
    server: str = ""


def subject_of(
    operation: str,
    context: Any,
    project: str | None,
    image: str | None = None,
    flavor: Any = None,
) -> Subject:
    """Return the subject of a request, from the context of its token.

    Domain and roles are the caller's, and count in the caller's own project
    only: an administrator who acts on a server lends it no exemption.

    :param operation: one of the operations of this module
    :param context: an oslo.context RequestContext, or an object with its
        ``project_id``, ``project_domain_id`` and ``roles``; None if a service
        acts without one
    :param project: id of the project that owns the server or image; if it is
        missing, or not text, which the services refuse, the caller's is used
    :param image: id of the image
    :param flavor: with ``name`` and ``flavorid``, or None
    """
    # ``context`` may be that of an administrator or a service. The project
    # that counts is the owner's; it decides about modes and exemptions.
    caller = context.project_id if context is not None else None
    project = project if project and isinstance(project, str) else caller
    own = context is not None and caller == project
    return Subject(
        operation=operation,
        project=project,
        # The token tells the domain of the caller's project only. That of
        # another project would be a question to Keystone, which no gate asks.
        domain=context.project_domain_id if own else None,
        roles=fold_roles(context.roles) if own else frozenset(),
        image=image if isinstance(image, str) else None,
        flavor=flavor.name if flavor else None,
        flavor_id=flavor.flavorid if flavor else None,
    )


def fold_roles(roles: Any) -> frozenset[str]:
    """Return names of roles as they are compared: Keystone folds case."""
    return frozenset(str(role).lower() for role in roles or ())
