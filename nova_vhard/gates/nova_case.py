# SPDX-License-Identifier: Apache-2.0
"""A request to the Nova API as a case to be judged, and what it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova.objects import image_meta

from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.subject import Subject
from nova_vhard.request import request_spec
from nova_vhard.request.parts import with_specs

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A request to be judged.

    :ivar had: what the server has already; its violations are a move's
    :ivar scheduled: what the scheduler will judge as new, whatever the
        server had: refused here, where it leaves the server as it is
    :ivar before: for a change of an image: the image as it is
    :ivar touched: for a change of an image: the properties that it names
    :ivar server: the Nova Instance whose host must have proven what new
        passthrough requires; None where the scheduler looks at the host
    """

    request: HardwareRequest
    subject: Subject
    had: HardwareRequest | None = None
    scheduled: HardwareRequest | None = None
    before: HardwareRequest | None = None
    touched: frozenset[str] = frozenset()
    server: Any = None


def subject_of(
    operation: str, context: Any, project: str, image: Any, flavor: Any = None
) -> Subject:
    """Return who asks.

    Domain and roles are the caller's, and count in the caller's own project
    only.

    :param context: nova.context.RequestContext
    :param project: id of the project that it is for
    :param image: with its ``id``, or None
    :param flavor: Nova Flavor, or None
    """
    own = context.project_id == project
    return Subject(
        operation=operation,
        project=project,
        domain=context.project_domain_id if own else None,
        roles=frozenset(role.lower() for role in context.roles)
        if own
        else frozenset(),
        image=image.get("id") if image else None,
        flavor=flavor.name if flavor else None,
        flavor_id=flavor.flavorid if flavor else None,
    )


def server_subject(operation: str, context: Any, server: Any) -> Subject:
    """Return who asks for something about a server."""
    return subject_of(
        operation,
        context,
        server.project_id,
        {"id": server.image_ref or None},
        server.flavor,
    )


def with_flavor(request: HardwareRequest, flavor: Any) -> HardwareRequest:
    """Return a request with what a Nova Flavor asks for, if there is one."""
    if flavor is None:
        return request
    specs = flavor.extra_specs if "extra_specs" in flavor else {}
    return with_specs(request, specs)


def stored(server: Any) -> HardwareRequest:
    """Return what a server asks for by its own stored image metadata."""
    return request_spec.read_image(image_meta.ImageMeta.from_instance(server))


def stored_properties(server: Any) -> dict[str, Any]:
    """Return the image properties that Nova keeps with a server."""
    prefix = "image_"
    return {
        name.removeprefix(prefix): value
        for name, value in server.system_metadata.items()
        if name.startswith(prefix)
    }
