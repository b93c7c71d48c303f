# SPDX-License-Identifier: Apache-2.0
"""New devices of a server are compared one by one with those that it has.

Each cell of device_cells.yaml is one request to the gate of Nova's API under
each preset, about a server as it is in Nova's database after its first boot.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from nova import objects
from nova.compute import vm_states

from tests import logged
from tests.functional.nova import service
from tests.functional.nova.test_api_alone import (
    PROJECT,
    Cloud,
    make,  # noqa: F401 - fixture
    request,
)
from tests.functional.nova.test_filter_alone import flavor
from tests.functional.nova.test_servers_read import (
    IMAGE,
    SERVER,
    VOLUME,
    device,
    instance,
)
from tests.functional.nova.test_servers_read import SNAPSHOT as OTHER_IMAGE

PC, Q35 = "pc", "q35"
#: The bus that Nova picks for a CD-ROM, by machine type.
CDROM_BUS = {PC: "ide", Q35: "sata"}
#: scs extends strict, and decides each cell in the same way.
PRESETS = ("baseline", "strict")
REBUILD, OTHER = "rebuild with its own image", "rebuild with another image"
#: Rules about USB: the policy chooses which of them reports a USB tablet.
USB = frozenset(("input_bus", "pointer_model", "usb_model"))
#: Properties of an image that every preset accepts, besides a machine type. Of
#: those, scs and strict refuse pc.
CLEAN = {
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_video_model": "virtio",
    "hw_input_bus": "virtio",
    "hw_firmware_type": "uefi",
}
STABLE = {"hw_rescue_device": "disk", "hw_rescue_bus": "virtio"}
Properties = Mapping[str, str | None]


#: Defaults for the fields of a cell, see device_cells.yaml.
USUAL = {
    "image": {},
    "had": {},
    "now": {},
    **dict.fromkeys(("refused", "stricter", "warned", "also", "disks"), ()),
    "warned_stricter": (),
    "root": "virtio vda",
    "volume": False,
    "config_drive": False,
    "on": (Q35,),
    "policy": "",
}


def _cells() -> Iterator[Any]:
    """Yield each cell of the file for each of its operations."""
    path = Path(__file__).with_name("device_cells.yaml")
    for group in yaml.safe_load(path.read_text("utf-8")):
        for operation in group["operations"]:
            names = {"same": "warned", "same_stricter": "warned_stricter"}
            if operation == OTHER:
                names = {"same": "refused", "same_stricter": "stricter"}
            if operation == REBUILD:
                names["image"] = "now"
            for cell in group["cells"]:
                fields = {names.get(key, key): cell[key] for key in cell}
                assert fields.keys() <= {*USUAL, "name"}, fields
                yield SimpleNamespace(
                    operation=operation, **{**USUAL, **fields}
                )


def disk(text: str, **more: Any) -> dict[str, Any]:
    """Return the fields of a disk, as Nova keeps it after a boot."""
    bus, name, *kind = text.split()
    return {
        "device_type": "".join(kind) or "disk",
        "disk_bus": bus,
        "device_name": f"/dev/{name}",
        **more,
    }


def merged(*parts: Properties) -> dict[str, str]:
    """Merge properties; the last value wins, and None removes a property."""
    whole = {name: value for part in parts for name, value in part.items()}
    return {name: value for name, value in whole.items() if value is not None}


class Server:
    """The server of a cell, with its image and the one that a request names.

    :ivar images: id to properties
    :ivar instance: the server in Nova's database
    :ivar rows: its block devices
    """

    def __init__(self, cell: Any, machine: str) -> None:
        self.cell = cell
        type_ = {"hw_machine_type": machine}
        had = {name: cell.had[name] for name in cell.had if ":" not in name}
        made = merged(type_, CLEAN, had)
        # Nova records a CD-ROM bus even without a CD-ROM, and usbtablet for
        # any tablet, including a virtio tablet
        # (_find_default_for_image_property).
        kept = {
            "hw_cdrom_bus": CDROM_BUS[made["hw_machine_type"]],
            "hw_pointer_model": "usbtablet",
            "base_image_ref": "" if cell.volume else IMAGE,
            **made,
        }
        brought = {
            "legacy rescue": {**type_, **CLEAN},
            "stable rescue": {**type_, **STABLE},
            OTHER: {**type_, **CLEAN},
            "unshelve": kept,
        }
        self.images = {
            IMAGE: merged(made, cell.now),
            OTHER_IMAGE: merged(brought.get(cell.operation, {}), cell.image),
        }
        specs = {name: cell.had[name] for name in cell.had if ":" in name}
        is_shelved = cell.operation == "unshelve"
        self.instance = instance(
            project_id=PROJECT,
            image_ref="" if cell.volume else IMAGE,
            vm_state=vm_states.SHELVED_OFFLOADED
            if is_shelved
            else vm_states.ACTIVE,
            config_drive="True" if cell.config_drive else "",
            root_device_name=disk(cell.root)["device_name"],
            flavor=flavor("1", specs),
            system_metadata={
                **{f"image_{name}": value for name, value in kept.items()},
                **({"shelved_image_id": OTHER_IMAGE} if is_shelved else {}),
            },
        )
        root = {"source_type": "image", "image_id": IMAGE}
        if cell.volume:
            connected = {"connection_info": '{"driver_volume_type": "fake"}'}
            root = {**VOLUME, **connected}
        disks = [disk(cell.root, boot_index=0, **root), *map(disk, cell.disks)]
        self.rows = [device(n, **disk) for n, disk in enumerate(disks)]

    def request(self) -> tuple[str, str, Any]:
        """Return method, path and body of the request."""
        metadata = {"name": "a snapshot", "metadata": dict(self.cell.image)}
        backup = {**metadata, "backup_type": "daily", "rotation": 1}
        rescue = {"rescue": {"rescue_image_ref": OTHER_IMAGE}}
        path, body = {
            "legacy rescue": ("action", rescue),
            "stable rescue": ("action", rescue),
            REBUILD: ("action", {"rebuild": {"imageRef": IMAGE}}),
            OTHER: ("action", {"rebuild": {"imageRef": OTHER_IMAGE}}),
            "attach a volume": (
                "os-volume_attachments",
                {"volumeAttachment": {"volumeId": VOLUME["volume_id"]}},
            ),
            "attach an interface": ("os-interface", {}),
            "unshelve": ("action", {"unshelve": None}),
            "resize": ("action", {"resize": {"flavorRef": "2"}}),
            "createImage": ("action", {"createImage": metadata}),
            "createBackup": ("action", {"createBackup": backup}),
            "shelve": ("action", {"shelve": None}),
        }[self.cell.operation]
        return "POST", f"/servers/{SERVER}/{path}", body


CELLS = [(cell, machine) for cell in _cells() for machine in cell.on]


@pytest.mark.parametrize(
    ("cell", "machine"),
    CELLS,
    ids=[
        f"{cell.operation}: {cell.name}, {machine}" for cell, machine in CELLS
    ],
)
def test_each_preset(
    make: Callable[[str], Cloud],  # noqa: F811 - fixture
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    cell: Any,
    machine: str,
) -> None:
    properties = {*cell.had, *cell.now, *cell.image}
    names = {name for name in properties if name.startswith("hw_")}
    if not names <= set(objects.ImageMetaProps.fields):
        # It does not record them, and gives no guest the device.
        pytest.skip(f"this Nova has not all of {sorted(names)}")
    server, expected, actual = Server(cell, machine), {}, {}
    for preset in PRESETS:
        header = service.HEADER.replace("baseline", preset)
        cloud = make(header + cell.policy)
        cloud.serve(monkeypatch, server.images, server.instance, server.rows)
        monkeypatch.setattr(
            *(objects.Flavor, "get_by_flavor_id"),
            lambda _, number, **__: flavor(number, cell.image),
        )
        caplog.clear()
        answer = cloud.send(request(*server.request()))
        broken = defaultdict(set)
        for event in logged.decisions(caplog):
            for violation in event["violations"]:
                rule = violation["rule"].removeprefix("guest_devices.")
                name = "usb" if rule in USB else rule
                broken[violation["mode"]].add(name)
        refused = broken["enforce"]
        assert answer.status == (403 if refused else 202), answer.text
        rules, softened = {*cell.refused}, {*cell.warned}
        if preset == "strict":
            rules |= {*cell.stricter}
            softened |= {*cell.warned_stricter}
            if (cell.operation, machine) == (OTHER, PC):
                # The scheduler judges another image as that of a new server.
                rules.add("machine_type")
        actual[preset] = refused - {*cell.also}, softened - broken["warn"]
        expected[preset] = rules, set()
    assert actual == expected
