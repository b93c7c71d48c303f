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


class Cells(verdicts.VerdictCase):
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
                **self.flavor(cell.had_by_flavor),
                "config_drive": "True" if cell.config_drive else "",
                "root_device_name": cell.root["device_name"],
                "info_cache": objects.InstanceInfoCache(network_info=network),
            },
            **record,
        )

    def flavor(self, specs: dict[str, str]) -> dict[str, objects.Flavor]:
        if not specs:
            return {}
        created = self._create_flavor(extra_spec=specs)
        admin = context.get_admin_context()
        return {"flavor": objects.Flavor.get_by_flavor_id(admin, created)}

    def ask(
        self, cell: cells.Cell, server: str, image: str, machine: str
    ) -> webob.Response:
        """Send the request of a cell."""
        clean = cells.clean(machine)
        home = f"/v2.1/servers/{server}"
        match cell.operation:
            case cells.LEGACY_RESCUE:
                other = self.image(**merged(clean, cell.brings))
                body = {"rescue": {"rescue_image_ref": other}}
            case cells.STABLE_RESCUE:
                machine_type = {"hw_machine_type": machine}
                other = self.image(**merged(machine_type, STABLE, cell.brings))
                body = {"rescue": {"rescue_image_ref": other}}
            case cells.REBUILD:
                body = {"rebuild": {"imageRef": image}}
            case cells.REBUILD_OTHER:
                other = self.image(**merged(clean, cell.brings))
                body = {"rebuild": {"imageRef": other}}
            case cells.ATTACH_VOLUME:
                disk = {"volumeId": self.volume()}
                return self.call(
                    "POST",
                    f"{home}/os-volume_attachments",
                    {"volumeAttachment": disk},
                )
            case cells.ATTACH_INTERFACE:
                # Nova shows the port that it has put into the server.
                self.neutron._ports[self.port]["device_id"] = server
                return self.call("POST", f"{home}/os-interface", {})
            case cells.UNSHELVE:
                record = self.instance(server).image_meta.properties
                snapshot = self.image(
                    **merged(
                        {
                            name: str(record.get(name))
                            for name in record.fields
                            if name in record
                        },
                        cell.brings,
                    )
                )
                typed.rest(
                    server,
                    vm_states.SHELVED_OFFLOADED,
                    power_state.SHUTDOWN,
                    shelved_image_id=snapshot,
                )
                body = {"unshelve": None}
            case cells.RESIZE:
                flavor = self._create_flavor(extra_spec=cell.brings or None)
                body = {"resize": {"flavorRef": flavor}}
            case cells.CREATE_IMAGE:
                body = {"createImage": _image(cell)}
            case cells.CREATE_BACKUP:
                rotation = {"backup_type": "daily", "rotation": 1}
                body = {"createBackup": {**_image(cell), **rotation}}
            case cells.SHELVE:
                body = {"shelve": None}
        return self.act(server, body)


def _image(cell: cells.Cell) -> dict[str, object]:
    return {"name": "a snapshot", "metadata": dict(cell.brings)}


def with_cells(owner: type[Cells]) -> type[Cells]:
    """Add a test for each cell and machine type to a class."""
    for cell in cells.CELLS:
        for machine in cell.on:
            words = f"{cell.operation} {cell.name} {machine}"
            name = "test_" + re.sub(r"\W+", "_", words)
            assert not hasattr(owner, name), name
            test = functools.partialmethod(Cells.check, cell, machine)
            setattr(owner, name, test)
    return owner


@with_cells
class TestVerdicts(Cells):
    """All cells."""
