# SPDX-License-Identifier: Apache-2.0
"""Tests of the judged object, if a request could mean several."""

import copy

from tests.functional.nova import base, helpers, verdicts

OLD_API = "2.38"
STABLE = {"hw_rescue_device": "disk"}
CONTROLLER = {"hw_scsi_model": "virtio-scsi"}


class Verdicts(verdicts.VerdictCase):
    def refused(self, response, *names):
        """Check that the gate refused, and what it named."""
        self.assertEqual(403, response.status_int, response.text)
        text = base.text(response)
        self.assertEqual([], [name for name in names if name not in text])

    def passed(self, response):
        self.assertIn(response.status_int, (200, 202), response.text)


class TestRootOnASnapshot(Verdicts):
    """A volume snapshot has the image metadata of its volume."""

    def boot_from(self, volume):
        root = self.disk(self.snapshot(volume), source_type="snapshot")
        return self.boot(None, block_device_mapping_v2=[root])

    def test_a_boot_is_judged_by_the_volume(self):
        response = self.boot_from(self.volume(**helpers.IDE))
        self.refused(response, "volume property hw_disk_bus='ide'")

    def test_a_clean_one_is_let_through(self):
        self.passed(self.boot_from(self.volume(**helpers.CLEAN)))

    def test_format_1_is_judged_by_the_volume(self):
        snapshot = self.snapshot(self.volume(**helpers.IDE))
        root = {"device_name": "vda", "snapshot_id": snapshot}
        response = self.boot(None, block_device_mapping=[root])
        self.refused(response, "volume property hw_disk_bus='ide'")


VOLUME_ROOT = {
    "source_type": "volume",
    "destination_type": "volume",
    "boot_index": 0,
}


class TestRescue(Verdicts):
    def rescue(self, server, **properties):
        body = properties and {"rescue_image_ref": self.image(**properties)}
        return self.act(server, {"rescue": body or None})

    def test_by_the_image_that_the_servers_image_was_made_of(self):
        """Nova prefers it to the server's own."""
        old = self.image(**helpers.IDE)
        server = self.server(self.image(), base_image_ref=old)
        self.refused(self.rescue(server), "hw_disk_bus='ide'", old)

    def test_not_by_the_own_image_where_another_is_preferred(self):
        own = self.image(**helpers.IDE)
        server = self.server(own, base_image_ref=self.image())
        self.passed(self.rescue(server))

    def test_a_reference_to_no_image_is_refused(self):
        """Somebody could create an image of that id until Nova looks."""
        missing = "5f9204ec-3e94-4f27-9beb-fe7bb73b6eb9"
        server = self.server(self.image(), base_image_ref=missing)
        self.refused(self.rescue(server), missing)

    def test_a_server_on_a_volume_without_an_image_is_novas_to_answer(self):
        server = self.server("", {**VOLUME_ROOT, "volume_id": self.volume()})
        self.assertEqual(400, self.rescue(server).status_int)

    def test_a_scsi_bus_needs_a_controller(self):
        server = self.server(self.image(hw_disk_bus="virtio"))
        response = self.rescue(server, **STABLE, hw_rescue_bus="scsi")
        self.refused(response, "hw_scsi_model", "lsilogic")

    def test_the_controller_is_the_servers(self):
        server = self.server(self.image(**CONTROLLER), **CONTROLLER)
        self.passed(self.rescue(server, **STABLE, hw_rescue_bus="scsi"))


class TestPorts(Verdicts):
    """Kinds of ports that bring a device of the host."""

    KINDS = ("direct", "macvtap", "virtio-forwarder")

    def port(self, kind):
        port = copy.deepcopy(self.neutron.port_1)
        port["binding:vnic_type"] = kind
        self.neutron._ports[port["id"]] = port
        return port["id"]

    def test_virtual_functions_at_a_boot(self):
        for kind in self.KINDS:
            networks = [{"port": self.port(kind)}]
            response = self.boot(self.image(), networks=networks)
            self.refused(response, "asks for 'vf'")

    def test_virtual_functions_for_a_server_that_runs(self):
        path = f"/v2.1/servers/{self.server(self.image())}/os-interface"
        for kind in self.KINDS:
            body = {"interfaceAttachment": {"port_id": self.port(kind)}}
            response = self.call("POST", path, body)
            self.refused(response, "asks for 'vf'")

    def test_a_plain_port_is_let_through(self):
        networks = [{"port": self.port("normal")}]
        self.passed(self.boot(self.image(), networks=networks))


class TestImageMetadata(Verdicts):
    """Nova's proxy: PUT of the whole drops what it does not name."""

    LEGACY = {"vmware_adaptertype": "ide"}
    WHOLE = {**LEGACY, "hw_disk_bus": "virtio"}

    def write(self, method, path, body):
        """Write to an image whose bus hides a legacy property."""
        image = self.image(**self.WHOLE)
        path = f"/v2.1/images/{image}/metadata{path}"
        return self.call(method, path, body, version=OLD_API)

    def test_what_it_drops_is_judged(self):
        response = self.write("PUT", "", {"metadata": self.LEGACY})
        self.refused(response, "vmware_adaptertype", "ide")

    def test_nothing_is_dropped_by_the_others(self):
        self.passed(self.write("POST", "", {"metadata": {"x": "1"}}))
        self.passed(self.write("PUT", "/x", {"meta": {"x": "1"}}))

    def test_what_it_keeps_is_let_through(self):
        kept = {"x": "1", **self.WHOLE}
        self.passed(self.write("PUT", "", {"metadata": kept}))

    def test_nothing_at_all_drops_everything(self):
        self.passed(self.write("PUT", "", {"metadata": {}}))


class TestDroppedForADefault(Verdicts):
    """A default that a change causes is refused at the boot.

    By the filter: the API gate has just read the image.
    """

    POLICY = (
        "guest_devices:\n"
        "  disk_bus: {allow: [scsi]}\n"
        "  scsi_model: {allow: [virtio-scsi]}\n"
    )

    def test_what_is_there_without_it(self):
        for metadata in ({"x": "1"}, {}):
            image = self.image(hw_disk_bus="scsi", **CONTROLLER)
            self.passed(self.boot(image))
            path = f"/v2.1/images/{image}/metadata"
            body = {"metadata": metadata}
            self.passed(self.call("PUT", path, body, version=OLD_API))
            self.assertIn("hw_disk_bus", self.filtered(self.boot(image)))

    def test_who_adds_something_else_is_not_charged_with_it(self):
        image = self.image(hw_disk_bus="virtio")
        path = f"/v2.1/images/{image}/metadata"
        body = {"metadata": {"x": "1"}}
        self.passed(self.call("POST", path, body, version=OLD_API))


class Shares(Verdicts):
    """A share of Manila is attached, which Nova does to stopped servers."""

    SHARE = {"share": {"share_id": "e8debdc0-447a-4376-a10a-4cd9122d7986"}}

    def attach(self, body=SHARE, version="2.97"):
        path = f"/v2.1/servers/{self.server(self.image())}/shares"
        return self.call("POST", path, body, version=version)


class TestShares(Shares):
    def test_the_baseline_leaves_the_answer_to_nova(self):
        response = self.attach()
        self.assertEqual(409, response.status_int)
        self.assertIn("vm_state active", base.text(response))


class TestNoShares(Shares):
    POLICY = "guest_devices: {file_system: {allow: []}}\n"

    def test_it_is_refused_with_what_to_do_instead(self):
        rule, fix = "guest_devices.file_system", "mount the share in the guest"
        self.refused(self.attach(), "virtiofs", rule, fix)

    def test_what_is_no_request_for_a_share_is_novas_to_answer(self):
        self.assertEqual(400, self.attach({"share": "all"}).status_int)
