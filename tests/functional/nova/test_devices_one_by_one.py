# SPDX-License-Identifier: Apache-2.0
"""New devices of a server are compared one by one with those that it has.

Each cell of device_cells is one request to Nova's API under each preset.
"""

import functools
import re
import uuid

import webob
from nova import context, objects
from nova.compute import power_state, vm_states
from nova.network import model as network_model

from tests.functional.nova import device_cells as cells
from tests.functional.nova import service, typed, verdicts

STABLE = {"hw_rescue_device": "disk", "hw_rescue_bus": "virtio"}


def merged(*parts: cells.Properties) -> dict[str, str]:
    """Merge properties; the last value wins, and None removes a property."""
    whole = {name: value for part in parts for name, value in part.items()}
    return {name: value for name, value in whole.items() if value is not None}


class TestVerdicts(verdicts.VerdictCase):
    """Servers as they are in Nova's database after their first boot."""

    def setUp(self):
        super().setUp()
        self.events = self.decisions()
        self.port = self.neutron.port_1["id"]
        # What comes after the gate asks the server's host, and waits for it.
        card = {"id": self.port}
        for name, answer in (
            ("attach_volume", "/dev/vdz"),
            ("attach_interface", card),
            ("resize", None),
        ):
            self.stub_out(
                f"nova.compute.api.API.{name}",
                lambda *_, answer=answer, **__: answer,
            )

    def check(self, cell: cells.Cell, machine: str) -> None:
        """Check the result of a cell under each preset."""
        stated = {*cell.had_by_image, *cell.now, *cell.brings}
        names = {name for name in stated if name.startswith("hw_")}
        if not names <= set(objects.ImageMetaProps.fields):
            # It does not record them, and gives no guest the device.
            self.skipTest(f"this Nova has not all of {sorted(names)}")
        made = merged(cells.clean(machine), cell.had_by_image)
        image = self.image(**merged(made, cell.now))
        expected, actual, server = {}, {}, ""
        for preset in cells.PRESETS:
            header = service.HEADER.replace("baseline", preset)
            service.write_policy(self.policy_file, cell.policy, header)
            # A refusal has left the server as it was.
            record = {**cells.recorded(machine), **made}
            server = server or self.made(cell, image, record)
            self.events.clear()
            response = self.ask(cell, server, image, machine)
            refused, warned = self.broken("enforce"), self.broken("warn")
            status = (403,) if refused else (200, 202)
            self.assertIn(response.status_int, status, response.text)
            server = server if refused else ""
            missing = cell.softened(preset) - warned
            actual[preset] = refused - cell.also, missing
            expected[preset] = cell.expected(preset, machine), set()
        self.assertEqual(expected, actual)

    def broken(self, mode: str) -> set[str]:
        """Return the rules that a request violates in a mode."""
        rules = {
            violation["rule"].removeprefix("guest_devices.")
            for event in self.events
            for violation in event["violations"]
            if violation["mode"] == mode
        }
        return {"usb" if rule in cells.USB else rule for rule in rules}

    def made(
        self, cell: cells.Cell, image: str, record: dict[str, str]
    ) -> str:
        """Return the id of a server that runs."""
        card = network_model.VIF(
            id=str(uuid.uuid4()),
            network=network_model.Network(id=str(uuid.uuid4())),
        )
        network = network_model.NetworkInfo([card] if cell.nic else [])
        flavor = {}
        if cell.had_by_flavor:
            made = self._create_flavor(extra_spec=cell.had_by_flavor)
            admin = context.get_admin_context()
            flavor["flavor"] = objects.Flavor.get_by_flavor_id(admin, made)
        root = {"image_id": image}
        if cell.volume:
            properties = self.glance.images[image]["properties"]
            root = {
                "source_type": "volume",
                "destination_type": "volume",
                "volume_id": self.volume(**properties),
                "connection_info": '{"driver_volume_type": "fake"}',
            }
        return self.server(
            "" if cell.volume else image,
            {**cell.root, **root},
            *cell.disks,
            fields={
                **flavor,
                "config_drive": "True" if cell.config_drive else "",
                "root_device_name": cell.root["device_name"],
                "info_cache": objects.InstanceInfoCache(network_info=network),
            },
            **record,
        )

    def ask(
        self, cell: cells.Cell, server: str, image: str, machine: str
    ) -> webob.Response:
        """Send the request of a cell."""
        brought = {
            cells.LEGACY_RESCUE: cells.clean(machine),
            cells.STABLE_RESCUE: {"hw_machine_type": machine, **STABLE},
            cells.REBUILD_OTHER: cells.clean(machine),
        }
        other = self.image(
            **merged(brought.get(cell.operation, {}), cell.brings)
        )
        flavor = None
        if cell.operation == cells.ATTACH_INTERFACE:
            # Nova shows the port that it has put into the server.
            self.neutron._ports[self.port]["device_id"] = server
        elif cell.operation == cells.UNSHELVE:
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
                shelved_image_id=self.image(**merged(kept, cell.brings)),
            )
        elif cell.operation == cells.RESIZE:
            flavor = self._create_flavor(extra_spec=cell.brings or None)
        metadata = {"name": "a snapshot", "metadata": dict(cell.brings)}
        backup = {**metadata, "backup_type": "daily", "rotation": 1}
        rescue = {"rescue": {"rescue_image_ref": other}}
        path, body = {
            cells.LEGACY_RESCUE: ("action", rescue),
            cells.STABLE_RESCUE: ("action", rescue),
            cells.REBUILD: ("action", {"rebuild": {"imageRef": image}}),
            cells.REBUILD_OTHER: ("action", {"rebuild": {"imageRef": other}}),
            cells.ATTACH_VOLUME: (
                "os-volume_attachments",
                {"volumeAttachment": {"volumeId": self.volume()}},
            ),
            cells.ATTACH_INTERFACE: ("os-interface", {}),
            cells.UNSHELVE: ("action", {"unshelve": None}),
            cells.RESIZE: ("action", {"resize": {"flavorRef": flavor}}),
            cells.CREATE_IMAGE: ("action", {"createImage": metadata}),
            cells.CREATE_BACKUP: ("action", {"createBackup": backup}),
            cells.SHELVE: ("action", {"shelve": None}),
        }[cell.operation]
        return self.call("POST", f"/v2.1/servers/{server}/{path}", body)


for _cell in cells.CELLS:
    for _machine in _cell.on:
        _words = f"{_cell.operation} {_cell.name} {_machine}"
        _name = "test_" + re.sub(r"\W+", "_", _words)
        assert not hasattr(TestVerdicts, _name), _name
        setattr(
            TestVerdicts,
            _name,
            functools.partialmethod(TestVerdicts.check, _cell, _machine),
        )
