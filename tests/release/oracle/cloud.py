# SPDX-License-Identifier: Apache-2.0
"""The cloud that cells run in: Nova with every gate, and two computes."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import webob
from lxml import etree
from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional.bypass import ways
from tests.functional.nova import base, rest
from tests.release.oracle.spies import Spies

#: Outcomes of a cell: a guest got a device that no clean image gives, a gate
#: refused, Nova read an object for a device that no gate read, or Nova failed.
BROKEN, REFUSED, UNJUDGED, NO_CASE = "broken", "refused", "unjudged", "no case"
JUDGED = "judged"
#: In the texts of refusals: the API gate's, and the scheduler's.
REFUSALS = ("hardening policy refuses", "not accepted", "(allowed:")

CINDER = "nova.volume.cinder.API"
DOMAIN = "nova.tests.fixtures.libvirt.Domain"
#: Elements of a domain, and the attributes that say which device it is.
DEVICES = {
    "controller": "model",
    "disk": "device",
    "hostdev": "type",
    "interface": "type",
    "iommu": "model",
    "model": "type",
    "redirdev": "type",
    "sound": "model",
    "target": "bus",
}
#: The devices of a guest of clean images; None is what has no such attribute.
CLEAN = {
    ("controller", None),
    ("controller", "virtio-scsi"),
    ("disk", "cdrom"),
    ("disk", "disk"),
    ("interface", "ethernet"),
    ("model", "virtio"),
    ("target", None),
    ("target", "sata"),
    ("target", "scsi"),
    ("target", "virtio"),
}


def unclean(xml: str) -> set[tuple[str, str | None]]:
    """Return the devices of a domain that no clean image gives."""
    found = {
        (element.tag, element.get(DEVICES[element.tag]))
        for element in etree.fromstring(xml).iter(*DEVICES)
    }
    if ways.lsi_controller(xml):
        found.add(("controller", "lsilogic"))
    return found - CLEAN


class Oracle(ways.Ways, base.LibvirtCase):
    """Adds parts of hosts and services that Nova's fixtures omit."""

    CLOUD = "oracle"
    HOSTS = ("compute1", "compute2")

    def _configure(self) -> None:
        super()._configure()
        # What the shipped policy assumes.
        self.flags(hw_machine_type=["x86_64=q35"], group="libvirt")
        # Never consider a slow host down; the tests force hosts down.
        self.flags(service_down_time=24 * 3600)

    def start_hosts(self) -> None:
        """Start the computes."""
        for host in self.HOSTS:
            self.start_compute(host)

    def setUp(self) -> None:
        super().setUp()
        self.spies = self.useFixture(Spies())
        self._describe = fakelibvirt.Domain.XMLDesc
        for path, function in (
            (ways.NO_DISK, mock.Mock(return_value="{}")),
            (f"{DOMAIN}.XMLDesc", self._described),
            (f"{DOMAIN}.migrateToURI3", self._migrate),
            ("nova.image.glance.get_remote_image_service", self._by_url),
            (f"{CINDER}.create", self._create_volume),
            (f"{CINDER}.reimage_volume", self._reimage),
            # Nova calls the interface from before attachments, too.
            (
                f"{CINDER}.initialize_connection",
                mock.Mock(
                    return_value={"driver_volume_type": "fake", "data": {}}
                ),
            ),
            (f"{CINDER}.attach", mock.Mock()),
            (f"{CINDER}.detach", mock.Mock()),
        ):
            self.stub_out(path, function)
        self.addCleanup(self._delete_servers)

    def _described(self, domain: Any, flags: int) -> str:
        """Return all of a domain that is to be migrated.

        The fake libvirt omits elements that Nova's own tests do not need, and
        the addresses that libvirt gives.
        """
        if not flags & fakelibvirt.VIR_DOMAIN_XML_MIGRATABLE:
            return str(self._describe(domain, flags))
        xml = [
            text
            for text in self.witness.texts
            if text.lstrip().startswith("<domain")
        ]
        root = etree.fromstring(xml[-1])
        for card in root.iterfind("devices/interface"):
            etree.SubElement(card, "address", type="pci")
        return etree.tostring(root, encoding="unicode")

    def _migrate(
        self, domain: Any, target: str, params: dict[str, str], flags: int
    ) -> None:
        """Migrate a domain, as libvirt does."""
        xml = params["destination_xml"]
        self.witness.texts.append(xml.replace("'", '"'))
        (host,) = (host for host in self.HOSTS if host in target)
        self.computes[host].driver._host.get_connection().createXML(xml, 0)
        domain.complete_job()

    def _by_url(self, _context: Any, image: Any) -> tuple[Any, str]:
        """Let every Glance be this one."""
        return self.glance, str(image).rpartition("/")[2]

    def _create_volume(
        self,
        *args: Any,
        snapshot: Any = None,
        image_id: Any = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Create a volume that has the image metadata of its source."""
        volume = self.cinder.fake_vol_create(*args, **more)
        says = self.metadata_of(image_id) if image_id else {}
        if snapshot:
            says = dict(self.stored("volume", snapshot["volume_id"]))
        volume |= {"volume_image_metadata": says, "bootable": bool(says)}
        return volume

    def _reimage(
        self, _context: Any, volume: str, image: str, **_: Any
    ) -> None:
        """Write another image to a volume, and tell Nova that it is done."""
        self.cinder.volumes[volume]["volume_image_metadata"] = (
            self.metadata_of(image)
        )
        event = {
            "name": "volume-reimaged",
            "server_uuid": self.server,
            "tag": volume,
            "status": "completed",
        }
        self.admin_api.create_server_external_events([event])

    def port(self, kind: str) -> str:
        """Return the id of a new port, which has an address of its own."""
        port = super().port(kind)
        self.neutron._ports[port]["mac_address"] = "fa:16:3e:00:00:01"
        return port

    def metadata_of(self, image: str) -> dict[str, str]:
        """Return the image metadata of a volume made of an image."""
        return {"image_id": image, **self.stored("image", image)}

    def home(self, server: str) -> None:
        """Make the files of a server, which Nova's fixture does not."""
        home = Path(base.CONF.instances_path) / server
        home.mkdir(exist_ok=True)
        (home / "disk.config").touch()

    def shelve(self, server: str) -> None:
        """Shelve a server, and wait until no host has it."""
        self.act(server, {"shelve": None})
        self.wait(server, "SHELVED_OFFLOADED")

    def host_fails(self, server: str) -> None:
        """Let Nova take the host of a server for dead."""
        (service,) = self.admin_api.get_services(
            host=self.instance(server).host, binary="nova-compute"
        )
        self.admin_api.put_service_force_down(service["id"], True)

    def make(self, properties: dict[str, str], own: str) -> None:
        """Make the objects of a root.

        :param properties: of each image
        :param own: name of the image that the server is made of
        """
        image, other = (self.image(**properties) for _ in range(2))
        origin = self.volume(**self.metadata_of(other))
        self.ids = {
            "IMAGE": image,
            "VOLUME": self.volume(**self.metadata_of(image)),
            "OTHER": other,
            "ORIGIN": origin,
            "SNAPSHOT": self.snapshot(origin),
        }
        self.ids["OWN"] = self.ids[own]

    def spoil(self, target: str, says: dict[str, str]) -> None:
        """Change an object behind the gates, as its owner may.

        :param target: image, origin, or volume: each but the origin
        """
        if target == "image":
            self.stored("image", self.ids["OWN"]).update(says)
        for name, volume in self.cinder.volumes.items():
            kind = "origin" if name == self.ids["ORIGIN"] else "volume"
            if kind == target:
                volume["volume_image_metadata"].update(says)

    def outcome(
        self, path: str, body: object, end: str, roles: Iterable[str]
    ) -> tuple[str, Any]:
        """Send a request; return the outcome, and the reason."""
        text = json.dumps(body)
        for name, uuid in self.ids.items():
            text = text.replace(f'"{name}"', f'"{uuid}"')
        self.spies.reads.clear()
        response = self.call("POST", path, text.encode(), roles=roles)
        accepted = response.status_int < 300
        fault = self._ended(response, end) if accepted else response.text
        refused = [text for text in REFUSALS if text in fault]
        unjudged = self.spies.unjudged() if accepted else []
        broken = set().union(*map(unclean, self.witness.texts))
        for result, why in (
            (BROKEN, broken),
            (REFUSED, refused),
            (UNJUDGED, unjudged),
            (NO_CASE, fault),
        ):
            if why:
                return result, why
        return JUDGED, ""

    def _ended(self, response: webob.Response, end: str) -> str:
        """Wait until Nova has done with a request; return what went wrong."""
        if not self.server:
            self.server = str(response.json["server"]["id"])
        events: list[dict[str, Any]] = []

        def done() -> bool:
            newest = self.admin_api.get_instance_actions(self.server)[0]
            action = self.admin_api.get_instance_action_details(
                self.server, newest["request_id"]
            )
            events[:] = action["events"]
            return bool(events) and all(event["result"] for event in events)

        self.settle()
        rest.until(done, "an action does not end")
        self.settle()
        status = self.admin_api.get_server(self.server)["status"]
        if status == "ERROR":
            return self.fault(self.server)
        failed = [event for event in events if event["result"] != "Success"]
        return str(failed or "") or ("" if status == end else status)
