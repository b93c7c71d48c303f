# SPDX-License-Identifier: Apache-2.0
"""Nova's API of boots, up to the metadata that it makes a guest of."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from nova import objects
from nova.api.openstack.compute import servers
from nova.compute import api

from tests.release.differential.cloud import Cloud
from tests.release.differential.nova_api import NovaApi, Reached


class Boots(NovaApi):
    """Nova's API, in which a boot raises what it takes the devices from.

    :param cloud: what it looks up
    :ivar looked_up: whether the last boot has come as far as looking
    """

    def __init__(self, patch: pytest.MonkeyPatch, cloud: Cloud) -> None:
        super().__init__(patch)
        self.looked_up = False
        for route in self.current.map.matchlist:
            resource = route.defaults.get("controller")
            controller = getattr(resource, "controller", None)
            if isinstance(controller, servers.ServersController):
                patch.setattr(controller, "compute_api", self._compute(cloud))
        flavor = mock.Mock(return_value=SimpleNamespace(extra_specs={}))
        patch.setattr(servers.flavors, "get_flavor_by_flavor_id", flavor)
        patch.setattr(
            objects.service, "get_minimum_version_all_cells", lambda *_: 99
        )

    def _compute(self, cloud: Cloud) -> Any:
        """Return Nova's own compute API, on these images and volumes."""
        result: Any = object.__new__(api.API)
        result.image_api, result.volume_api = cloud.glance, cloud.cinder

        def create(*arguments: Any, **more: Any) -> Any:
            self.looked_up = True
            return api.API.create(result, *arguments, **more)

        def taken(image: Any = None, **_: Any) -> None:
            raise Reached("create", image)

        result.create, result._check_auto_disk_config = create, taken
        return result

    def taken(self, environ: dict[str, Any], legacy: bool) -> Any:
        """Return the metadata that Nova takes; None where it refuses."""
        self.looked_up = False
        try:
            self.status(environ, legacy)
        except Reached as reached:
            return reached.reached
        return None
