# SPDX-License-Identifier: Apache-2.0
"""POST /servers on a whole cloud: devices of the guest, and its host."""

from tests.functional.nova import base, helpers


class TestBoot(base.LibvirtCase):
    def test_a_clean_image_boots_to_active(self):
        events = self.decisions()
        image = self.image(**helpers.CLEAN)
        domain = self.domain_xml(self.active(image))
        self.assertIn("<target dev='vda' bus='virtio'/>", domain)
        self.assertNotIn("bus='ide'", domain)
        actual = {
            (each["gate"], each["operation"], each["outcome"])
            for each in events
        }
        self.assertEqual(
            (
                2,
                {
                    ("nova-api", "boot", "allow"),
                    ("scheduler", "boot", "allow"),
                },
            ),
            (len(events), actual),
        )
        self.assertEqual(
            {image}, {each["subject"]["image"] for each in events}
        )


class TestSchedulerAlone(base.FakeDriverCase):
    """Hosts outside applies_to keep a refused request alive."""

    API_GATE = None
    HOSTS = ("ironic1", "qemu1")
    NEW_HOSTS = True

    def test_a_refused_image(self):
        for host, kind in (("ironic1", "ironic"), ("qemu1", "QEMU")):
            # Only the name of its hypervisor matters in a host.
            node = self.compute_node(host)
            node.hypervisor_type = kind
            node.save()
        server = self.active(self.image(**helpers.IDE))
        self.assertEqual("ironic1", self.instance(server).host)
        node = self.compute_node("ironic1")
        node.hypervisor_type = "KVM"
        node.save()
        # Without such a host, the server's fault has the reason.
        body = self.wish(self.image(**helpers.IDE))
        refused = self.call("POST", "/v2.1/servers", body)
        fault = self.fault(refused.json["server"]["id"])
        self.assertIn("hw_disk_bus=ide (allowed: virtio, scsi)", fault)
