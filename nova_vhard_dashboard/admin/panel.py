# SPDX-License-Identifier: Apache-2.0
"""The panel, for administrators only."""

from typing import Any

import horizon
from django.conf import settings


class HardeningPolicy(horizon.Panel):  # type: ignore[misc]
    """Admin, Compute, Hardening Policy."""

    name = "Hardening Policy"
    slug = "nova_vhard"
    permissions = ("openstack.services.compute",)
    policy_rules = (("compute", "context_is_admin"),)

    def allowed(self, context: Any) -> bool:
        """Return whether it is shown; as Horizon's own panels decide it.

        :param context: of a template, with the request
        """
        system = "compute" in settings.SYSTEM_SCOPE_SERVICES
        if system != bool(context["request"].user.system_scoped):
            return False
        return bool(super().allowed(context))
