# SPDX-License-Identifier: Apache-2.0
"""What the policy thinks of an image, for the tab of its details."""

from dataclasses import asdict, dataclass
from typing import Any

from django.http import HttpRequest
from django.views import generic
from openstack_dashboard.api import glance
from openstack_dashboard.api.rest import urls
from openstack_dashboard.api.rest import utils as rest_utils

from nova_vhard.explain import messages
from nova_vhard.policy.hardware import IMAGE, Holder
from nova_vhard.policy.subject import BOOT, subject_of
from nova_vhard.policy.verdict import evaluate
from nova_vhard.policy.watch import PolicyUnavailable, today
from nova_vhard.request import image as image_reader
from nova_vhard_dashboard import refusal
from nova_vhard_dashboard.policy import policy_file


@dataclass(frozen=True)
class _Caller:
    """Who looks at the image, as the policy wants to know it."""

    project_id: str
    project_domain_id: str | None
    roles: tuple[str, ...]


def _caller(user: Any) -> _Caller:
    """Return the caller.

    :param user: openstack_auth's user of a request
    """
    project = user.token.project
    roles = tuple(role["name"] for role in user.roles)
    return _Caller(user.tenant_id, project.get("domain_id"), roles)


def verdict(image: Any, caller: _Caller) -> dict[str, Any]:
    """Return what a boot of an image would be told.

    :param image: what glanceclient returns: names to values
    :returns: ``refusals`` and ``warnings``, each a refusal that was taken
        apart, or None; ``known`` is False where there is no policy to ask
    """
    try:
        policy = policy_file().current()
    except PolicyUnavailable:
        return {"known": False, "refusals": None, "warnings": None}
    disk_format = image.get("disk_format")
    holder = Holder(image.get("id"), image.get("owner"), disk_format)
    request = image_reader.read(image, disk_format, IMAGE, holder)
    subject = subject_of(BOOT, caller, None, holder.id)
    judged = evaluate(policy, request, subject, today())
    parts = {"refusals": judged.refusals, "warnings": judged.warnings}
    texts = {
        name: messages.api_message(violations, subject)
        for name, violations in parts.items()
        if violations
    }
    read = {name: refusal.read(texts.get(name, "")) for name in parts}
    return {"known": True} | {
        name: asdict(part) if part else None for name, part in read.items()
    }


@urls.register
class ImageVerdict(generic.View):  # type: ignore[misc]
    """GET /api/nova_vhard/images/{id}/."""

    url_regex = r"nova_vhard/images/(?P<image_id>[^/]+)/$"

    @rest_utils.ajax()  # type: ignore[untyped-decorator]
    def get(self, request: HttpRequest, image_id: str) -> dict[str, Any]:
        """Judge an image that the caller can see."""
        image = glance.glanceclient(request).images.get(image_id)
        return verdict(image, _caller(request.user))
