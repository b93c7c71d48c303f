# SPDX-License-Identifier: Apache-2.0
"""The policy's verdict on an image, for the tab of its details."""

from typing import Any

from django.http import HttpRequest
from django.views import generic
from openstack_dashboard.api.rest import urls
from openstack_dashboard.api.rest import utils as rest_utils

from nova_vhard.policy.subject import BOOT
from nova_vhard.policy.watch import PolicyUnavailable, today
from nova_vhard_dashboard import verdicts
from nova_vhard_dashboard.policy import policy_file


@urls.register
class ImageVerdict(generic.View):  # type: ignore[misc]
    """GET /api/nova_vhard/images/{id}/."""

    url_regex = r"nova_vhard/images/(?P<image_id>[^/]+)/$"

    @rest_utils.ajax()  # type: ignore[untyped-decorator]
    def get(self, request: HttpRequest, image_id: str) -> dict[str, Any]:
        """Judge a boot from an image that the caller can see.

        :returns: ``refusals`` and ``warnings``, see
            ``nova_vhard_dashboard.verdicts.explained``, or None; ``known`` is
            False if there is no policy
        """
        try:
            policy = policy_file().current()
        except PolicyUnavailable:
            return {"known": False, "refusals": None, "warnings": None}
        image = verdicts.seen(request, image_id)
        wanted = verdicts.of_server(request, image, BOOT)
        day = today()
        judged = wanted.verdict(policy, day)
        parts = {"refusals": judged.refusals, "warnings": judged.warnings}
        return {"known": True} | {
            name: verdicts.explained(policy, violations, wanted, day)
            if violations
            else None
            for name, violations in parts.items()
        }
