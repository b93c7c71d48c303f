# SPDX-License-Identifier: Apache-2.0
"""Our own Placement client, configured by group ``[placement]``.

keystoneauth is imported on first use. It takes a fifth of the reporter's
memory, and the QEMU that the first round of checks starts needs memory, too.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from nova_vhard.common.text import clean
from nova_vhard.conf import placement as placement_conf
from nova_vhard.placement.client import Placement, PlacementError

if TYPE_CHECKING:
    from keystoneauth1.adapter import Adapter

GROUP = "placement"


class AdapterClient:
    """A keystoneauth adapter in the shape that Placement's module wants."""

    def __init__(
        self, adapter: "Adapter", alive: Callable[[], None] = lambda: None
    ) -> None:
        """Keep the adapter, which must not raise on a status.

        :param alive: called before each request
        """
        self._adapter = adapter
        self._alive = alive

    def get(self, url: str, version: str) -> Any:
        """Send a GET."""
        self._alive()
        return self._adapter.get(url, microversion=version, raise_exc=False)

    def put(self, url: str, data: Any, version: str) -> Any:
        """Send a PUT of JSON."""
        self._alive()
        return self._adapter.put(
            url, json=data, microversion=version, raise_exc=False
        )

    def delete(self, url: str, version: str) -> Any:
        """Send a DELETE."""
        self._alive()
        return self._adapter.delete(url, microversion=version, raise_exc=False)


def connect(
    conf: cfg.ConfigOpts, alive: Callable[[], None] = lambda: None
) -> Placement:
    """Make a client of what group ``placement`` says.

    :param conf: gets the options of ``nova_vhard.conf.placement``
    :param alive: called before each request, for a service's manager
    :raises PlacementError: if the options do not make a client
    """
    from keystoneauth1 import exceptions, loading

    placement_conf.register(conf)
    section = conf[GROUP].auth_section or GROUP
    try:
        auth = loading.load_auth_from_conf_options(conf, GROUP)
        if auth is None:
            raise exceptions.MissingAuthPlugin(
                "no login to Placement: it has no auth_type; set auth_type, "
                f"auth_url and a credential in group {section}, as the sample "
                "of the file shows, or name the file that has them with "
                "--config-file"
            )
        session = loading.load_session_from_conf_options(
            conf, GROUP, auth=auth
        )
        adapter = loading.load_adapter_from_conf_options(
            conf, GROUP, session=session, auth=auth
        )
    except Exception as error:
        # keystoneauth's own errors have no common class.
        place = ": ".join((*(conf.config_file or ()), f"[{section}]"))
        raise PlacementError(f"{place}: {clean(error, 300)}") from error
    return Placement(AdapterClient(adapter, alive))
