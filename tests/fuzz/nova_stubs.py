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
_IMAGES: dict[str, dict[str, str]] = {
    CLEAN: {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"},
    OLD: {"hw_disk_bus": "ide", "hw_rescue_device": "cdrom"},
}
_FLAVORS = {"1": {}, "gpu": {"pci_passthrough:alias": "gpu:1"}}


def image_of(number: int, properties: dict[str, str]) -> str:
    """Put an image into Glance; return its id."""
    name = str(uuid.UUID(int=1000 + number))
    _IMAGES[name] = properties
    return name


def _known(things: dict[str, Any], name: Any, error: type[Exception]) -> Any:
    """Return a thing by an id in any of a uuid's spellings."""
    try:
        known = things[str(uuid.UUID(str(name)))]
    except (KeyError, ValueError):
        # as the services answer an id of another shape
        raise error("not there") from None
    return copy.deepcopy(known)


def _image(_context: Any, name: Any) -> dict[str, Any]:
    images = {
        each: {"id": each, "disk_format": "raw", **fields}
        for each, fields in _IMAGES.items()
    }
    result = _known(images, name, exception.ImageNotFound)
    return dict(result)


def _volume(_context: Any, name: Any) -> dict[str, Any]:
    volumes = {VOLUME: {"volume_image_metadata": _IMAGES[OLD]}}
    return dict(_known(volumes, name, exception.VolumeNotFound))


def _port(_context: Any, name: Any) -> dict[str, Any]:
    ports = {PORT: {"id": PORT, "binding:vnic_type": "direct"}}
    return {"port": _known(ports, name, exception.PortNotFound)}


def _server(context: Any, name: Any, **_more: Any) -> Any:
    servers = {
        each: objects.Instance(
            uuid=each,
            project_id=context.project_id,
            image_ref=CLEAN,
            vm_state=state,
            config_drive="True",
            root_device_name=None,
            flavor=flavor("1"),
            system_metadata={
                "image_hw_disk_bus": "virtio",
                "image_base_image_ref": CLEAN,
                "shelved_image_id": OLD,
            },
        )
        for each, state in ((SERVER, "active"), (SHELVED, "shelved_offloaded"))
    }
    return _known(servers, name, exception.InstanceNotFound)


def flavor(name: str) -> Any:
    """Return a flavor by the id that users give."""
    if name not in _FLAVORS:
        raise exception.FlavorNotFound(flavor_id=name)
    specs = dict(_FLAVORS[name])
    return objects.Flavor(name=name, flavorid=name, extra_specs=specs)


def gate(application: Any, patch: pytest.MonkeyPatch) -> Any:
    """Return a gate that looks up from here, before Nova's own router.

    :param application: what answers in place of Nova's controllers
    """
    application.map = routers.nova(patch)
    made = nova_api.NovaGate(application)
    patch.setattr(nova_images, "get", _image)
    made._services.volumes = SimpleNamespace(
        get=_volume, get_snapshot=lambda *_: {"volume_id": VOLUME}
    )
    made._services.ports = SimpleNamespace(show_port=_port)
    made._services.servers = SimpleNamespace(get=_server)
    patch.setattr(
        objects.Flavor,
        "get_by_flavor_id",
        lambda _context, name, **_: flavor(name),
    )
    patch.setattr(nova_servers, "_in_cell", lambda *_: [])
    patch.setattr(nova_servers, "recorded", lambda *_: None)
    return made
