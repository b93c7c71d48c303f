# SPDX-License-Identifier: Apache-2.0
"""View of the panel, which queries Placement with the viewer's token."""

import datetime
from typing import Any

from django.http import HttpRequest
from horizon import exceptions, views
from keystoneauth1.adapter import Adapter
from keystoneauth1.token_endpoint import Token
from openstack_auth.utils import get_session
from openstack_dashboard.api import base

from nova_vhard.osc.report import hosts
from nova_vhard.placement.client import Placement
from nova_vhard.placement.connect import AdapterClient
from nova_vhard.placement.fleet import HostPosture
from nova_vhard_dashboard.admin import contents

#: Seconds for an answer of Placement: a person waits.
TIMEOUT = 20


def placement(request: HttpRequest) -> Placement:
    """Return Placement, as the user of a request.

    :raises horizon.exceptions.ServiceCatalogException: if the catalog has
        none
    """
    url = base.url_for(request, "placement")
    login = Token(url, request.user.token.id)
    session = get_session(auth=login, timeout=TIMEOUT)
    adapter = Adapter(session, service_type="placement")
    return Placement(AdapterClient(adapter))


class IndexView(views.HorizonTemplateView):  # type: ignore[misc]
    """Shows the fleet, decisions, and exemptions that end."""

    template_name = "nova_vhard/panel.html"
    page_title = "Hardening Policy"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return the template's context, read for each request."""
        now = datetime.datetime.now(datetime.UTC)
        context: dict[str, Any] = super().get_context_data(**kwargs)
        policy = contents.policy()
        postures, trouble = self._hosts(now, policy["max_age"])
        return (
            context
            | policy
            | contents.fleet(postures, trouble)
            | contents.decisions(now)
            | contents.exemptions(policy["policy"], now.date())
        )

    def _hosts(
        self, now: datetime.datetime, age: int
    ) -> tuple[tuple[HostPosture, ...], str | None]:
        """Return the hosts, or why there are none to show."""
        try:
            client = placement(self.request)
        except exceptions.ServiceCatalogException:
            return (), "Placement: the catalog of this cloud has none"
        return hosts.read(client, now, age)
