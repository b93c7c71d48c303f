# SPDX-License-Identifier: Apache-2.0
"""Nova's checks of POST /servers before its first lookup.

Nova runs these checks before it calls Glance, Cinder or Neutron. The gate runs
them before its own lookups. Otherwise a tenant could cause 64 lookups with a
request that Nova rejects without any.
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

#: Exceptions of Nova's code for a body that it refuses or cannot read. The
#: last two occur only in Nova 31, which does not expose its schemas.
_REFUSED = (
    webob.exc.HTTPException,
    exception.NovaException,
    OverflowError,
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
)

# Without Nova's decorators, which would validate the body again.
_create = inspect.unwrap(servers.ServersController.create)


class _Accepted(Exception):
    """Raised at the point of Nova's first lookup."""


class _ChecksOnly(servers.ServersController):  # type: ignore[misc]
    """Nova's controller, stopped before its first lookup.

    Its compute API has no service clients. It cannot create a server, even if
    a later Nova release changes the order of its checks.
    """

    # ``__new__`` without ``__init__``: it has no image_api, volume_api or
    # network_api to look up with.
    compute_api = compute.API.__new__(compute.API)

    def _process_networks_for_create(self, *arguments: Any) -> None:
        """Check the networks and stop: Nova looks up the flavor next.

        :param arguments: of Nova's method; the last one is a dictionary, the
            keyword arguments of ``compute.API.create``
        """
        super()._process_networks_for_create(*arguments)
        networks = arguments[-1]["requested_networks"]
        if networks and arguments[-1]["max_count"] > 1:
            # ``compute.API.create`` starts with these checks.
            api = self.compute_api
            api._check_multiple_instances_with_specified_ip(networks)
            api._check_multiple_instances_with_neutron_ports(networks)
        # Nova's ``create`` checks all else before the networks. If a release
        # moves a look-up ahead of them, every boot ends in AttributeError and
        # is left to the filter as NotAccepted. The bypass tests of this gate
        # alone show that.
        raise _Accepted


def check(request: Any, body: Any) -> None:
    """Run Nova's checks of a new server that need no lookup.

    :param request: Nova Request of POST /servers with its microversion set
    :param body: the body after validation by Nova's schemas
    :raises NotAccepted: if Nova refuses the request, including by its policy
    """
    # Not by its constructor, which makes a compute.API with its clients.
    controller = _ChecksOnly.__new__(_ChecksOnly)
    try:
        # Nova removes parts of the body while it reads it.
        _create(controller, request, copy.deepcopy(body))
    except _Accepted:
        return
    except _REFUSED as error:
        raise NotAccepted from error
