# SPDX-License-Identifier: Apache-2.0
"""Nova's own checks of POST /servers that need no look-up.

Nova refuses a request that fails one of them before it asks Glance, Cinder or
Neutron. The gate must not ask for more: a tenant could make it look up 64
objects for a request that costs Nova nothing.
"""

import copy
import inspect
from typing import Any

import webob.exc
from nova import exception
from nova.api.openstack.compute import servers
from nova.compute import api as compute

from nova_vhard.gates.nova_schemas import NotAccepted

METHOD = ("ServersController", "create", None)

#: What Nova's code raises for a body that it refuses or cannot read.
_REFUSED = (
    webob.exc.HTTPException,
    exception.NovaException,
    OverflowError,
    TypeError,
    ValueError,
)

# Nova's method without the decorators that validate the body once more.
_create = inspect.unwrap(servers.ServersController.create)


class _Accepted(Exception):
    """Raised where Nova would begin to look things up."""


class _Unread(servers.ServersController):  # type: ignore[misc]
    """Nova's controller, up to its first look-up.

    Its compute API has no client of any service, so it cannot create a
    server, whatever a later Nova does in another order.
    """

    compute_api = compute.API.__new__(compute.API)

    def _process_networks_for_create(
        self, context: Any, target: Any, server: Any, kwargs: dict[str, Any]
    ) -> None:
        """Check the networks; the flavor would be looked up next."""
        super()._process_networks_for_create(context, target, server, kwargs)
        networks = kwargs["requested_networks"]
        if networks and kwargs["max_count"] > 1:
            # The first checks of ``compute.API.create``.
            api = self.compute_api
            api._check_multiple_instances_with_specified_ip(networks)
            api._check_multiple_instances_with_neutron_ports(networks)
        raise _Accepted


def check(request: Any, body: Any) -> None:
    """Run what Nova checks of a new server before it looks anything up.

    :param request: Nova Request of POST /servers, with its microversion
    :param body: as Nova's schemas leave it
    :raises NotAccepted: if Nova refuses the request, by its policy too
    """
    controller = _Unread.__new__(_Unread)
    try:
        # Nova takes parts out of the body as it reads it.
        _create(controller, request, copy.deepcopy(body))
    except _Accepted:
        return
    except _REFUSED as error:
        raise NotAccepted(str(error)) from error
