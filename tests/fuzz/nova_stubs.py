# SPDX-License-Identifier: Apache-2.0
"""Look-ups of the Nova gate, without Nova's services.

Only the API objects and Nova's database are replaced. The gate's own code
handles odd IDs and answers.
"""

import copy
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from nova import exception, objects

from nova_vhard.gates import nova_api, nova_images, nova_servers
from tests.fuzz import routers

objects.register_all()

CLEAN, OLD, SERVER, SHELVED, VOLUME, PORT = (
    str(uuid.UUID(int=number)) for number in range(1, 7)
)
_DIRTY = {"hw_disk_bus": "ide", "hw_rescue_device": "cdrom"}
_IMAGES: dict[str, dict[str, str]] = {}
_VOLUMES = {VOLUME: {"volume_image_metadata": _DIRTY}}
_PORTS = {PORT: {"port": {"id": PORT, "binding:vnic_type": "direct"}}}
_STATES = {SERVER: "active", SHELVED: "shelved_offloaded"}
_FLAVORS = {"1": {}, "gpu": {"pci_passthrough:alias": "gpu:1"}}


def image_of(
    number: int, properties: dict[str, str], name: str | None = None
) -> str:
    """Put an image into Glance; return its id."""
    name = name or str(uuid.UUID(int=1000 + number))
    _IMAGES[name] = {"id": name, "disk_format": "raw", **properties}
    return name


image_of(0, {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}, CLEAN)
image_of(0, _DIRTY, OLD)


def _known(things: dict[str, Any], error: type[Exception]) -> Any:
    """Return a look-up of things by an id in any of a uuid's spellings."""

    def get(_context: Any, name: Any, **_more: Any) -> Any:
        try:
            return copy.deepcopy(things[str(uuid.UUID(str(name)))])
        except (KeyError, ValueError):
            # as the services answer an id of another shape
            raise error("not there") from None

    return get


_state = _known(_STATES, exception.InstanceNotFound)


def _server(context: Any, name: Any, **_more: Any) -> Any:
    return objects.Instance(
        vm_state=_state(context, name),
        uuid=str(uuid.UUID(str(name))),
        project_id=context.project_id,
        image_ref=CLEAN,
        config_drive="True",
        root_device_name=None,
        flavor=flavor("1"),
        system_metadata={
            "image_hw_disk_bus": "virtio",
            "image_base_image_ref": CLEAN,
            "shelved_image_id": OLD,
        },
    )


def flavor(name: str) -> Any:
    """Return a flavor by the id that users give."""
    if name not in _FLAVORS:
        raise exception.FlavorNotFound(flavor_id=name)
    return objects.Flavor(
        name=name, flavorid=name, extra_specs=dict(_FLAVORS[name])
    )


def gate(application: Any, patch: pytest.MonkeyPatch) -> Any:
    """Return a gate that looks up from here, before Nova's own router.

    :param application: what answers in place of Nova's controllers
    """
    application.map = routers.nova(patch)
    made = nova_api.NovaGate(application)
    image, volume, port = (
        _known(things, error)
        for things, error in (
            (_IMAGES, exception.ImageNotFound),
            (_VOLUMES, exception.VolumeNotFound),
            (_PORTS, exception.PortNotFound),
        )
    )
    patch.setattr(nova_images, "get", image)
    made._services.volumes = SimpleNamespace(
        get=volume, get_snapshot=lambda *_: {"volume_id": VOLUME}
    )
    made._services.ports = SimpleNamespace(show_port=port)
    made._services.servers = SimpleNamespace(get=_server)
    patch.setattr(
        objects.Flavor,
        "get_by_flavor_id",
        lambda _context, name, **_: flavor(name),
    )
    patch.setattr(nova_servers, "_in_cell", lambda *_: [])
    patch.setattr(nova_servers, "recorded", lambda *_: None)
    return made
