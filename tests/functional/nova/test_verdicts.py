# SPDX-License-Identifier: Apache-2.0
"""Tests of the judged object, if a request could mean several."""

import copy

from tests.functional.nova import base, helpers, verdicts

OLD_API = "2.38"
STABLE = {"hw_rescue_device": "disk", "hw_rescue_bus": "scsi"}
CONTROLLER = {"hw_scsi_model": "virtio-scsi"}
MISSING = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"


class Verdicts(verdicts.VerdictCase):
    def refused(self, response, *names):
        """Check that the gate refused, and what it named."""
        self.assertEqual(403, response.status_int, response.text)
        text = base.text(response)
        self.assertEqual([], [name for name in names if name not in text])

    def passed(self, response):
        self.assertIn(response.status_int, (200, 202), response.text)

    def judged(self, response, *names):
        """Check that it is refused with these names; without any, passed."""
        if names:
            self.refused(response, *names)
        else:
            self.passed(response)


#: Metadata of a volume or an image, and what both gates say of it.
METADATA = (
    (helpers.CLEAN, ()),
    (helpers.IDE, ("hw_disk_bus='ide'",)),
    (
        {"hw_disk_bus": "ide", "hw_vif_model": "e1000"},
        ("hw_disk_bus='ide'", "hw_vif_model='e1000'"),
    ),
    ({"vmware_adaptertype": "ide"}, ("(allowed: virtio, scsi)",)),
)


class TestRoots(Verdicts):
    """Root disks, each by the metadata of what it is made of."""

    def roots(self, **properties):
        """Return the part of a body that names it, and where the metadata is.

        A volume snapshot has the image metadata of its volume.
        """
        volume = self.volume(**properties)
        snapshot = self.snapshot(volume)
        image = self.image(**properties)
        copied = self.disk(image, source_type="image", volume_size=1)
        of_snapshot = self.disk(snapshot, source_type="snapshot")
        old = {"device_name": "vda", "snapshot_id": snapshot}
        return (
            ({"block_device_mapping_v2": [self.disk(volume)]}, "volume"),
            ({"block_device_mapping_v2": [of_snapshot]}, "volume"),
            ({"block_device_mapping": [old]}, "volume"),
            ({"block_device_mapping_v2": [copied]}, "image"),
        )

    def test_a_boot_at_both_gates(self):
        for properties, names in METADATA:
            for keys, place in self.roots(**properties):
                with self.subTest(keys=keys, names=names):
                    response = self.boot(None, **keys)
                    self.judged(response, *names)
                    self.assertIn(
                        f"{place} property " * bool(names), response.text
                    )
                    reason = self.scheduled(self.wish(None, **keys))
                    self.assertEqual(bool(names), bool(reason))
                    for name in names:
                        self.assertIn(name.replace("'", ""), reason)


class TestRescue(Verdicts):
    def rescue(self, server, **properties):
        body = properties and {"rescue_image_ref": self.image(**properties)}
        return self.act(server, {"rescue": body or None})

    def test_by_the_image_that_the_servers_image_was_made_of(self):
        """Nova prefers it to the server's own.

        A reference to no image is refused, since somebody could create an
        image of that id until Nova looks.
        """
        old, clean = self.image(**helpers.IDE), self.image()
        for own, reference, names in (
            (clean, old, ("hw_disk_bus='ide'", old)),
            (old, clean, ()),
            (clean, MISSING, (MISSING,)),
        ):
            server = self.server(own, base_image_ref=reference)
            self.judged(self.rescue(server), *names)

    def test_a_server_on_a_volume_without_an_image_is_novas_to_answer(self):
        disk = {"source_type": "volume", "destination_type": "volume"}
        root = {**disk, "boot_index": 0, "volume_id": self.volume()}
        response = self.rescue(self.server("", root))
        self.assertEqual(400, response.status_int)

    def test_a_scsi_bus_needs_a_controller_of_the_server(self):
        for own, names in (
            ({"hw_disk_bus": "virtio"}, ("hw_scsi_model", "lsilogic")),
            (CONTROLLER, ()),
        ):
            server = self.server(self.image(**own), **own)
            self.judged(self.rescue(server, **STABLE), *names)


class TestPorts(Verdicts):
    def test_kinds_that_bring_a_device_of_the_host(self):
        path = f"/v2.1/servers/{self.server(self.image())}/os-interface"
        for kind in ("direct", "macvtap", "virtio-forwarder"):
            port = self.port(kind)
            body = {"interfaceAttachment": {"port_id": port}}
            response = self.call("POST", path, body)
            self.refused(response, "asks for 'vf'")
            response = self.boot(self.image(), networks=[{"port": port}])
            self.refused(response, "asks for 'vf'")
        networks = [{"port": self.port("normal")}]
        self.passed(self.boot(self.image(), networks=networks))

    def port(self, kind):
        port = copy.deepcopy(self.neutron.port_1)
        port["binding:vnic_type"] = kind
        self.neutron._ports[port["id"]] = port
        return port["id"]


class TestImageMetadata(Verdicts):
    """Nova's proxy: PUT of the whole drops what it does not name."""

    def write(self, image, body, method="PUT", path=""):
        path = f"/v2.1/images/{image}/metadata{path}"
        return self.call(method, path, body, version=OLD_API)

    def test_a_property_that_another_one_hides(self):
        legacy = {"vmware_adaptertype": "ide"}
        whole = {**legacy, "hw_disk_bus": "virtio"}
        for body, more, names in (
            ({"metadata": legacy}, (), ("vmware_adaptertype", "ide")),
            ({"metadata": {"x": "1"}}, ("POST",), ()),
            ({"meta": {"x": "1"}}, ("PUT", "/x"), ()),
            ({"metadata": {"x": "1", **whole}}, (), ()),
            ({"metadata": {}}, (), ()),
        ):
            response = self.write(self.image(**whole), body, *more)
            self.judged(response, *names)

    def test_a_default_that_a_change_causes_is_refused_at_the_boot(self):
        """By the filter: the API gate has just read the image."""
        self.stub_out("nova_vhard.gates.nova_lookup.RECENT", 3600)
        self.write_policy(
            "guest_devices:\n"
            "  disk_bus: {allow: [scsi]}\n"
            "  scsi_model: {allow: [virtio-scsi]}\n"
        )
        for metadata in ({"x": "1"}, {}):
            image = self.image(hw_disk_bus="scsi", **CONTROLLER)
            self.passed(self.boot(image))
            self.passed(self.write(image, {"metadata": metadata}))
            self.assertIn("hw_disk_bus", self.filtered(self.boot(image)))
        # one that does not cause it
        image = self.image(hw_disk_bus="virtio")
        self.passed(self.write(image, {"metadata": {"x": "1"}}))


class TestShares(Verdicts):
    """A share of Manila is attached, which Nova does to stopped servers."""

    def test_a_share(self):
        path = f"/v2.1/servers/{self.server(self.image())}/shares"
        share = {"share": {"share_id": MISSING}}
        refuses = "guest_devices: {file_system: {allow: []}}\n"
        for policy, body, status, names in (
            # The baseline leaves the answer to Nova.
            ("", share, 409, ("vm_state active",)),
            (refuses, {"share": "all"}, 400, ()),
            (
                refuses,
                share,
                403,
                (
                    *("virtiofs", "guest_devices.file_system"),
                    "mount the share in the guest",
                ),
            ),
        ):
            self.write_policy(policy)
            response = self.call("POST", path, body, version="2.97")
            self.assertEqual(status, response.status_int)
            for name in names:
                self.assertIn(name, base.text(response))
