# SPDX-License-Identifier: Apache-2.0
"""The policy's verdict on an image, for the tab of its details."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.http import HttpRequest
from django.views import generic
from openstack_dashboard.api import glance
from openstack_dashboard.api.rest import urls
from openstack_dashboard.api.rest import utils as rest_utils

from nova_vhard.explain import fixes, messages, search
from nova_vhard.policy.hardware import IMAGE, Holder
from nova_vhard.policy.subject import BOOT, subject_of
from nova_vhard.policy.verdict import Violation
from nova_vhard.policy.watch import PolicyUnavailable, today
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import of_image
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
    """Return the policy's verdict on a boot from an image.

    :param image: image properties, as glanceclient returns them
    :returns: ``refusals`` and ``warnings``: each a parsed refusal with the
        ``changes`` that fix it, or None; ``known``: False if there is no
        policy
    """
    try:
        policy = policy_file().current()
    except PolicyUnavailable:
        return {"known": False, "refusals": None, "warnings": None}
    disk_format = image.get("disk_format")
    holder = Holder(image.get("id"), image.get("owner"), disk_format)
    subject = subject_of(BOOT, caller, None, holder.id)
    request = of_image(Image(image, disk_format, IMAGE, holder), subject)
    day = today()
    judged = request.verdict(policy, day)

    def explained(violations: Sequence[Violation]) -> dict[str, Any] | None:
        """Return violations as a parsed refusal with its fix."""
        if not violations:
            return None
        fix = search.fix(policy, violations, request, day)
        words = fixes.words(fix)
        told = refusal.read(messages.api_message(violations, words))
        return asdict(told) | {"changes": fix.changes} if told else None

    return {
        "known": True,
        "refusals": explained(judged.refusals),
        "warnings": explained(judged.warnings),
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
