# SPDX-License-Identifier: Apache-2.0
"""New devices of a server are compared one by one with those that it has.

Each cell of device_cells.yaml is one request to Nova's API under each preset.
"""

import functools
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import webob
import yaml
from nova import context, objects
from nova.compute import power_state, vm_states
from nova.network import model as network_model

from tests.functional.nova import service, typed, verdicts

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
    "nic": True,
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
        "source_type": "blank",
        "destination_type": "local",
        "device_type": "".join(kind) or "disk",
        "disk_bus": bus,
        "device_name": f"/dev/{name}",
        "boot_index": -1,
        "volume_size": 1,
        **more,
    }


def merged(*parts: Properties) -> dict[str, str]:
    """Merge properties; the last value wins, and None removes a property."""
    whole = {name: value for part in parts for name, value in part.items()}
    return {name: value for name, value in whole.items() if value is not None}


class TestVerdicts(verdicts.VerdictCase):
    """Servers as they are in Nova's database after their first boot."""

    def setUp(self):
        super().setUp()
        self.events = self.decisions()
        self.without_computes()

    def check(self, cell: Any, machine: str) -> None:
        """Check the result of a cell under each preset."""
        names = {
            name
            for name in (*cell.had, *cell.now, *cell.image)
            if name.startswith("hw_")
        }
        if not names <= set(objects.ImageMetaProps.fields):
            # It does not record them, and gives no guest the device.
            self.skipTest(f"this Nova has not all of {sorted(names)}")
        had = {name: cell.had[name] for name in cell.had if ":" not in name}
        made = merged({"hw_machine_type": machine}, CLEAN, had)
        image = self.image(**merged(made, cell.now))
        expected, actual, server = {}, {}, ""
        for preset in PRESETS:
            header = service.HEADER.replace("baseline", preset)
            service.write_policy(self.policy_file, cell.policy, header)
            # A refusal has left the server as it was.
            server = server or self.made(cell, image, made)
            self.events.clear()
            response = self.ask(cell, server, image, machine)
            refused, warned = self.broken("enforce"), self.broken("warn")
            status = (403,) if refused else (200, 202)
            self.assertIn(response.status_int, status, response.text)
            server = server if refused else ""
            rules, softened = {*cell.refused}, {*cell.warned}
            if preset == "strict":
                rules |= {*cell.stricter}
                softened |= {*cell.warned_stricter}
                if (cell.operation, machine) == (OTHER, PC):
                    # The scheduler judges another image as that of a new
                    # server.
                    rules.add("machine_type")
            actual[preset] = refused - {*cell.also}, softened - warned
            expected[preset] = rules, set()
        self.assertEqual(expected, actual)

    def broken(self, mode: str) -> set[str]:
        """Return the rules that a request violates in a mode."""
        rules = {
            violation["rule"].removeprefix("guest_devices.")
            for event in self.events
            for violation in event["violations"]
            if violation["mode"] == mode
        }
        return {"usb" if rule in USB else rule for rule in rules}

    def made(self, cell: Any, image: str, made: dict[str, str]) -> str:
        """Create a running server and return its id.

        :param made: properties of the image that it was made from
        """
        card = network_model.VIF(
            id=str(uuid.uuid4()),
            network=network_model.Network(id=str(uuid.uuid4())),
        )
        network = network_model.NetworkInfo([card] if cell.nic else [])
        fields = {
            "config_drive": "True" if cell.config_drive else "",
            "root_device_name": disk(cell.root)["device_name"],
            "info_cache": objects.InstanceInfoCache(network_info=network),
        }
        specs = {name: cell.had[name] for name in cell.had if ":" in name}
        if specs:
            fields["flavor"] = objects.Flavor.get_by_flavor_id(
                context.get_admin_context(),
                self._create_flavor(extra_spec=specs),
            )
        root = {"source_type": "image", "image_id": image}
        if cell.volume:
            properties = self.glance.images[image]["properties"]
            root = {
                "source_type": "volume",
                "destination_type": "volume",
                "volume_id": self.volume(**properties),
                "connection_info": '{"driver_volume_type": "fake"}',
            }
        # Nova records a CD-ROM bus even without a CD-ROM, and usbtablet for
        # any tablet, including a virtio tablet
        # (_find_default_for_image_property).
        recorded = {
            "hw_cdrom_bus": CDROM_BUS[made["hw_machine_type"]],
            "hw_pointer_model": "usbtablet",
        }
        return self.server(
            "" if cell.volume else image,
            disk(cell.root, boot_index=0, **root),
            *map(disk, cell.disks),
            fields=fields,
            **{**recorded, **made},
        )

    def ask(
        self, cell: Any, server: str, image: str, machine: str
    ) -> webob.Response:
        """Send the request of a cell."""
        type_ = {"hw_machine_type": machine}
        brought = {
            "legacy rescue": {**type_, **CLEAN},
            "stable rescue": {**type_, **STABLE},
            OTHER: {**type_, **CLEAN},
        }
        other = self.image(
            **merged(brought.get(cell.operation, {}), cell.image)
        )
        flavor = None
        if cell.operation == "attach an interface":
            # Nova shows the port that it has put into the server.
            port = self.neutron.port_1["id"]
            self.neutron._ports[port]["device_id"] = server
        elif cell.operation == "unshelve":
            record = self.instance(server).image_meta.properties
            kept = {
                name: str(record.get(name))
                for name in record.fields
                if name in record
            }
            typed.rest(
                server,
                vm_states.SHELVED_OFFLOADED,
                power_state.SHUTDOWN,
                shelved_image_id=self.image(**merged(kept, cell.image)),
            )
        elif cell.operation == "resize":
            flavor = self._create_flavor(extra_spec=cell.image or None)
        metadata = {"name": "a snapshot", "metadata": dict(cell.image)}
        backup = {**metadata, "backup_type": "daily", "rotation": 1}
        rescue = {"rescue": {"rescue_image_ref": other}}
        path, body = {
            "legacy rescue": ("action", rescue),
            "stable rescue": ("action", rescue),
            REBUILD: ("action", {"rebuild": {"imageRef": image}}),
            OTHER: ("action", {"rebuild": {"imageRef": other}}),
            "attach a volume": (
                "os-volume_attachments",
                {"volumeAttachment": {"volumeId": self.volume()}},
            ),
            "attach an interface": ("os-interface", {}),
            "unshelve": ("action", {"unshelve": None}),
            "resize": ("action", {"resize": {"flavorRef": flavor}}),
            "createImage": ("action", {"createImage": metadata}),
            "createBackup": ("action", {"createBackup": backup}),
            "shelve": ("action", {"shelve": None}),
        }[cell.operation]
        return self.call("POST", f"/v2.1/servers/{server}/{path}", body)


for _cell in _cells():
    for _machine in _cell.on:
        _words = f"{_cell.operation} {_cell.name} {_machine}"
        _name = "test_" + re.sub(r"\W+", "_", _words)
        assert not hasattr(TestVerdicts, _name), _name
        setattr(
            TestVerdicts,
            _name,
            functools.partialmethod(TestVerdicts.check, _cell, _machine),
        )
