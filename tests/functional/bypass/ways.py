# SPDX-License-Identifier: Apache-2.0
"""Base of the bypass tests: attempts, a witness, and the clouds.

A file of rows has mixins with a test for each row, and classes derived from
each: most ask Nova's API and its filter, where no guest is made; some have
whole clouds, where nothing may be left in the guest either.
``tests/release/bypass`` has all of them on unmodified Nova, where each attempt
must succeed: an attempt that fails anyway would prove nothing.
"""

import operator
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fixtures
import webob
from nova import context, objects
from nova.compute import manager as compute
from nova.compute import power_state, vm_states
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.virt.libvirt import driver

from tests.functional import recorded
from tests.functional.nova import base, helpers, typed, verdicts

REFUSED = (400, 403)

#: Text in the XML of a guest that has a device; or, if no single text shows
#: it, a function that finds it in the XML of one guest.
Device = str | Callable[[str], bool]

IDE = 'bus="ide"'
E1000 = '<model type="e1000"/>'
CIRRUS = '<model type="cirrus"/>'
PC = {"hw_machine_type": "pc"}
Q35 = {"hw_machine_type": "q35"}
#: Each is allowed without the other.
IDE_DRIVE = {"img_config_drive": "mandatory", "hw_cdrom_bus": "ide"}
#: Properties of an image for a stable rescue.
STABLE = {"hw_rescue_bus": "virtio", "hw_rescue_device": "disk"}
NO_DISK = "nova.virt.libvirt.driver.LibvirtDriver.migrate_disk_and_power_off"


@dataclass(frozen=True)
class New:
    """An object that a request names; it is made when the request is sent.

    :ivar kind: image, volume, snapshot (of a new volume), or flavor
    :ivar properties: what it says, or a flavor's extra specs
    """

    kind: str
    properties: dict[str, Any] = field(default_factory=dict)
    disk_format: str = "raw"


#: The image of the attempt that was made first.
OWN = New("own")
#: The network card of a server.
CARD = New("card")

#: Root disks in format 2; the uuid of the second is the row's.
ROOT = {
    "boot_index": 0,
    "uuid": OWN,
    "source_type": "image",
    "destination_type": "local",
}
VOLUME = {
    "boot_index": 0,
    "source_type": "volume",
    "destination_type": "volume",
}


@dataclass(frozen=True)
class Attempt:
    """One way to get a device that the policy refuses.

    :ivar server: the server in a POST /servers
    :ivar devices: devices of the guest if no gate refuses
    :ivar names: what the API's refusal must name
    :ivar action: sent to the server; without one, the boot is the attempt
    :ivar changed: kind of the object that the owner changes before the
        action, and what it says from then on; "shelved" is the snapshot of
        the server, which is shelved first
    :ivar old: whether the server is older than the policy
    """

    server: dict[str, Any]
    devices: tuple[Device, ...]
    names: tuple[str, ...] = ()
    action: dict[str, Any] = field(default_factory=dict)
    changed: tuple[str, dict[str, str]] = ("", {})
    old: bool = False


def on_volume(
    properties: dict[str, str], boot_index: Any = 0, **more: Any
) -> dict[str, Any]:
    """Return a server on a new volume."""
    volume = New("volume", properties)
    root = {**VOLUME, "uuid": volume, "boot_index": boot_index}
    return {"block_device_mapping_v2": [root], **more}


def with_disks(
    properties: dict[str, str], *disks: dict[str, Any], **root: str
) -> dict[str, Any]:
    """Return a server from a new image, with these disks beside its root."""
    listed = [{**ROOT, **root}, *disks]
    image = New("image", properties)
    return {"imageRef": image, "block_device_mapping_v2": listed}


def data(**more: Any) -> dict[str, Any]:
    """Return a data disk on a new volume."""
    return {**VOLUME, "uuid": New("volume"), "boot_index": -1, **more}


def rebuild(**properties: str) -> dict[str, Any]:
    """Return an action: a rebuild with a new image."""
    return {"rebuild": {"imageRef": New("image", properties)}}


def rescue(**properties: str) -> dict[str, Any]:
    """Return an action: a rescue with a new image."""
    return {"rescue": {"rescue_image_ref": New("image", properties)}}


def rows(table: dict[str, Any]) -> Callable[[type], type]:
    """Decorate a class: it attempts each row of a table in a test."""

    def add(case: type) -> type:
        for name, row in table.items():

            def test(self: Any, row: Any = row) -> None:
                self.attempt(row)

            test.__name__ = name
            setattr(case, name, test)
        return case

    return add


def lsi_controller(xml: str) -> bool:
    """Return whether libvirt has to pick a SCSI controller: lsilogic.

    Nova writes a controller only where the image has hw_scsi_model.
    """
    return (
        xml.startswith("<domain")
        and 'bus="scsi"' in xml
        and 'model="virtio-scsi"' not in xml
    )


class Witness(fixtures.Fixture):
    """Writes down every device that Nova gives to libvirt.

    The domain of the fake libvirt forgets what Nova's own tests do not need
    (sound cards, watchdogs, controllers): this keeps the XML as it came.
    """

    def _setUp(self) -> None:
        self.texts: list[str] = []
        for name in ("Connection.defineXML", "Domain.attachDeviceFlags"):
            path = f"{fakelibvirt.__name__}.{name}"
            listener = self._listener(operator.attrgetter(name)(fakelibvirt))
            self.useFixture(fixtures.MonkeyPatch(path, listener))

    def _listener(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(whom: Any, xml: Any, *rest: Any, **more: Any) -> Any:
            text = xml.decode() if isinstance(xml, bytes) else xml
            self.texts.append(text.replace("'", '"'))
            return original(whom, xml, *rest, **more)

        return call


class Ways(helpers.Helpers):
    """Mixin for a test case: one attempt, checked against its cloud.

    :cvar GUARDED: whether this cloud has the gates
    """

    GUARDED = True

    def setUp(self) -> None:
        self.witness = self.useFixture(Witness())
        self.made: dict[str, str] = {}
        super().setUp()

    def attempt(self, row: Attempt) -> None:
        """Make an attempt, and check how it ends."""
        self.made.clear()
        if row.action:
            server = self.booted(row.server, row.old)
            self.change(server, *row.changed)
            self.witness.texts.clear()
            response = self.act(server, self.known(row.action))
        else:
            self.witness.texts.clear()
            response = self.boot(None, **self.known(row.server))
        if row.action or row.names:
            self.ends(response, *row.devices, names=row.names)
        else:
            self.boots(response, *row.devices)

    def booted(self, server: dict[str, Any], old: bool = False) -> str:
        """Boot a server of a row to ACTIVE; return its id."""
        if old:
            self.write_policy("enabled: false\n")
        result = self.active(None, **self.known(server))
        self.write_policy(self.POLICY)  # type: ignore[attr-defined]
        return result

    def active(self, image: str | None, **more: Any) -> str:
        """Boot a server to ACTIVE; return its id."""
        result = super().active(image, **more)
        # Nova's fixture makes no disks, and so no folder for them.
        Path(base.CONF.instances_path, result).mkdir(exist_ok=True)
        return result

    def known(self, tree: Any) -> Any:
        """Return a part of a request with the ids of its new objects."""
        if isinstance(tree, dict):
            return {name: self.known(value) for name, value in tree.items()}
        if isinstance(tree, list):
            return [self.known(each) for each in tree]
        if not isinstance(tree, New):
            return tree
        if tree is OWN:
            return self.made["image"]
        if tree is CARD:
            return self.neutron.port_1["id"]
        if tree.kind == "snapshot":
            return self.snapshot(self.known(New("volume", tree.properties)))
        result = getattr(self, tree.kind)(**tree.properties)
        if tree.kind == "image":
            self.glance.images[result]["disk_format"] = tree.disk_format
        self.made.setdefault(tree.kind, result)
        return result

    def stored(self, kind: str, name: str) -> dict[str, Any]:
        """Return what an image, or a volume's image metadata, says."""
        if kind == "volume":
            return self.cinder.volumes[name]["volume_image_metadata"]
        return self.glance.images[name]["properties"]

    def change(self, server: str, kind: str, says: dict[str, str]) -> None:
        """Let an object of a server say something else, behind every gate."""
        if kind == "shelved":
            self.made[kind] = self.shelved(server)
        if kind:
            stored = self.stored(kind, self.made[kind])
            stored.clear()
            stored.update(says)

    def shelved(self, server: str) -> str:
        """Shelve a server; return the id of its snapshot."""
        self.act(server, {"shelve": None})
        self.wait(server, "SHELVED_OFFLOADED")
        return self.instance(server).system_metadata["shelved_image_id"]

    def attach(self, server: str) -> webob.Response:
        """Attach a new volume to a server."""
        return self.call(
            "POST",
            f"/v2.1/servers/{server}/os-volume_attachments",
            {"volumeAttachment": {"volumeId": self.volume()}},
        )

    def plug(self, server: str, port: str) -> webob.Response:
        """Attach a port to a server."""
        return self.call(
            "POST",
            f"/v2.1/servers/{server}/os-interface",
            {"interfaceAttachment": {"port_id": port}},
        )

    def flavor(self, name: str = "", ephemeral: int = 0, **specs: str) -> str:
        """Make a flavor behind the gates, as a cloud has it already."""
        name = name or str(uuid.uuid4())
        objects.Flavor(
            context.get_admin_context(),
            flavorid=name,
            name=name,
            memory_mb=512,
            vcpus=1,
            root_gb=1,
            ephemeral_gb=ephemeral,
            swap=0,
            rxtx_factor=1.0,
            is_public=True,
            extra_specs=specs,
        ).create()
        return name

    def let_it_resize(self) -> None:
        """Allow a resize on the only host, which copies no disk."""
        self.stub_out(NO_DISK, lambda *args, **more: "{}")
        self.flags(allow_resize_to_same_host=True)

    def ends(
        self,
        response: webob.Response,
        *devices: Device,
        names: Iterable[str] = (),
    ) -> None:
        """Check that a request ended as it must in this cloud.

        :param devices: what the guest gets where nobody stops it
        :param names: what a refusal must name; then only 403 is one
        """
        assert response.status_int < 500, response.text
        if not self.GUARDED:
            assert response.status_int in (200, 202), response.text
            self.given(*devices)
            return
        assert response.status_int in ((403,) if names else REFUSED)
        text = base.text(response)
        assert [name for name in names if name not in text] == [], text
        assert names or "(allowed:" in text or "not accepted" in text, text
        self.settle()
        self.clean(*devices)

    def boots(self, response: webob.Response, *devices: Device) -> None:
        """Check how a POST /servers ended: at the API, or in ERROR."""
        if response.status_int in REFUSED or not self.GUARDED:
            self.ends(response, *devices)
            return
        assert response.status_int == 202, response.text
        fault = self.fault(response.json["server"]["id"])
        assert "(allowed:" in fault, fault
        self.clean(*devices)

    def clean(self, *devices: Device) -> None:
        """Check that no guest has been given any of these devices."""
        assert [each for each in devices if self._seen(each)] == []

    def given(self, *devices: Device) -> None:
        """Wait until a guest has been given each of these devices."""
        for _ in range(helpers.WAIT_SECONDS * helpers.POLLS_A_SECOND):
            missing = [each for each in devices if not self._seen(each)]
            if not missing:
                return
            time.sleep(1 / helpers.POLLS_A_SECOND)
        xml = "\n".join(self.witness.texts)
        raise AssertionError(f"void: {missing} came to no guest:\n{xml}")

    def _seen(self, device: Device) -> bool:
        return any(
            device(xml) if callable(device) else device in xml
            for xml in self.witness.texts
        )


class Guarded(Ways):
    """A cloud with every gate."""


class Asked(Guarded):
    """Nova's API alone, and servers as its conductor and computes leave them.

    Nova's own code names their disks, see also ``recorded``.
    """

    def boots(self, response: webob.Response, *devices: Device) -> None:
        """Check that the API's gate, or else the scheduler's, refuses."""
        if response.status_int == 202:
            assert "(allowed:" in self.filtered(response)
        else:
            self.ends(response, *devices)

    def active(self, image: str | None, **more: Any) -> str:
        """Store the server of a boot as if it ran; return its id."""
        response = self.boot(image, **more)
        assert response.status_int == 202, response.text
        server = str(response.json["server"]["id"])
        cell, admin = self.cell_mappings["cell1"], context.get_admin_context()
        request = objects.BuildRequest.get_by_instance_uuid(admin, server)
        manager = object.__new__(compute.ComputeManager)
        manager.driver = object.__new__(driver.LibvirtDriver)
        disks = objects.BlockDeviceMappingList(objects=[])
        with context.target_cell(admin, cell) as targeted:
            instance = request.get_new_instance(targeted)
            for name, value in verdicts.RUNNING.items():
                setattr(instance, name, value)
            properties = {
                name.removeprefix("image_"): value
                for name, value in instance.system_metadata.items()
                if name.startswith("image_")
            }
            machine = "q35" if base.CONF.libvirt.hw_machine_type else "pc"
            kept = recorded.Guest(properties).recorded(
                recorded.Host(machine, recorded.USB_TABLET)
            )
            instance.system_metadata.update(
                {f"image_{name}": value for name, value in kept.items()}
            )
            instance.create()
            for wish in request.block_device_mappings:
                fields = {
                    name: wish[name] for name in wish.fields if name in wish
                }
                disk = objects.BlockDeviceMapping(targeted, **fields)
                disk.instance_uuid = server
                disk.create()
                disks.objects.append(disk)
            manager._default_block_device_names(
                instance, instance.image_meta, disks
            )
            for disk in disks:
                if disk.is_volume:
                    disk.volume_id = disk.volume_id or self.volume()
                    disk.connection_info = '{"driver_volume_type": "fake"}'
                    disk.save()
            instance.save()
        mapping = objects.InstanceMapping.get_by_instance_uuid(admin, server)
        mapping.cell_mapping = cell
        mapping.save()
        request.destroy()
        return server

    def shelved(self, server: str) -> str:
        """Store a server as shelved; return the id of its snapshot."""
        image = self.image()
        typed.rest(
            *(server, vm_states.SHELVED_OFFLOADED, power_state.SHUTDOWN),
            shelved_image_id=image,
        )
        return image


class FilterAlone(Asked):
    """A cloud without the API gate: the filter refuses scheduled requests.

    Nova's API accepts each of these requests.
    """

    API_GATE = None

    def ends(
        self,
        response: webob.Response,
        *devices: Device,
        names: Iterable[str] = (),
    ) -> None:
        """Check that the filter refuses what the API has stored."""
        assert self.filtered(response)


def cases(rows: type, case: type, *clouds: type) -> tuple[Any, ...]:
    """Return a test case for each cloud in which rows are tried.

    :param case: one of Nova's test cases
    """
    made = {"__module__": rows.__module__}
    return tuple(
        type(f"Test{cloud.__name__}{rows.__name__}", (rows, cloud, case), made)
        for cloud in clouds
    )


def asked(rows: type, *gates: type) -> tuple[Any, ...]:
    """Return the test case that tests/release uses, and those for here.

    The first has guests; without them the gates refuse the same.
    """
    (real,) = cases(rows, base.LibvirtCase, Guarded)
    real.__test__ = False
    return real, *cases(rows, verdicts.VerdictCase, *gates)
