# SPDX-License-Identifier: Apache-2.0
"""POST /servers by the properties of the image."""

from tests.functional.nova import base, helpers, verdicts
from tests.functional.nova.verdicts import HOST

OLD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
RULES = ["guest_devices.disk_bus", "guest_devices.vif_model"]
NOVAS_PREFIX = "No valid host was found. "


class TestBoot(base.LibvirtCase):
    def test_a_clean_image_boots_to_active(self):
        events = self.decisions()
        image = self.image(**helpers.CLEAN)
        domain = self.domain_xml(self.active(image))
        self.assertIn("<target dev='vda' bus='virtio'/>", domain)
        self.assertNotIn("bus='ide'", domain)
        # each of two gates has written an event
        self.assertEqual(
            [
                ("nova-api", "boot", "allow", image),
                ("scheduler", "boot", "allow", image),
            ],
            [
                (
                    *(each["gate"], each["operation"], each["outcome"]),
                    each["subject"]["image"],
                )
                for each in events
            ],
        )


class TestVerdicts(verdicts.VerdictCase):
    def test_the_api_refuses_an_ide_image_in_novas_own_shape(self):
        events = self.decisions()
        image = self.image(**OLD)
        response = self.boot(image)
        self.assertEqual(403, response.status_int)
        self.assertEqual("application/json", response.content_type)
        self.assertEqual(["forbidden"], list(response.json))
        fault = response.json["forbidden"]
        self.assertEqual({"code", "message"}, set(fault))
        self.assertEqual(403, fault["code"])
        for rule, text in zip(
            RULES,
            (
                "image property hw_disk_bus='ide' is not allowed "
                "(allowed: virtio, scsi)",
                "image property hw_vif_model='e1000' is not allowed "
                "(allowed: virtio)",
            ),
            strict=True,
        ):
            self.assertIn(text, fault["message"])
            self.assertIn(f"[rule {rule}]", fault["message"])
        self.assertIn("x-openstack-request-id", response.headers)
        self.assertEqual([], self.servers())
        (event,) = events
        self.assertEqual("refuse", event["outcome"])
        self.assertEqual(RULES, sorted(event["rules"]))
        self.assertEqual(image, event["subject"]["image"])

    def test_a_refusal_points_at_the_page_of_its_rule(self):
        page = "https://docs.example/why"
        self.application = self.worker(help_url=page)
        text = base.text(self.boot(self.image(**helpers.IDE)))
        end = f" See {page}#rule-guest-devices-disk-bus"
        self.assertTrue(text.endswith(end), text)

    def test_an_image_that_says_nothing(self):
        self.assertEqual("", self.filtered(self.boot(self.image())))

    def test_a_long_reason_keeps_whole_violations(self):
        """In one of them there are characters of three bytes."""
        self.write_policy("guest_devices: {machine_type: {mode: enforce}}\n")
        image = self.image(
            hw_disk_bus="ide",
            hw_cdrom_bus="ide",
            hw_floppy_bus="fdc",
            hw_video_model="cirrus",
            hw_sound_model="sb16",
            hw_machine_type="機" * 30,
        )
        reason = self.scheduled(self.wish(image))
        self.assertLessEqual(len(reason.encode()), 200)
        *phrases, rest = reason.split("; ")
        self.assertRegex(rest, r"^and \d more$")
        for phrase in phrases:
            self.assertRegex(phrase, r"^hw_\w+=\S+ \(allowed: [^()]+\)$")

    def test_an_edited_policy_is_obeyed_without_a_restart(self):
        image = self.image(**helpers.IDE)
        events = self.decisions()
        for policy, status, outcomes in (
            ("mode: warn\n", 202, ["warn"] * 2),
            ("mode: enforce\n", 403, ["refuse"]),
            ("enabled: false\n", 202, ["disabled"] * 2),
        ):
            self.write_policy(policy)
            events.clear()
            response = self.boot(image)
            self.assertEqual(status, response.status_int)
            if status == 202:
                self.assertEqual("", self.filtered(response))
            self.assertEqual(outcomes, [each["outcome"] for each in events])

    def test_a_forced_host(self):
        body = self.wish(
            self.image(**helpers.IDE), availability_zone=f"nova:{HOST}"
        )
        response = self.call(
            "POST", "/v2.1/servers", body, roles=helpers.ADMIN
        )
        self.assertEqual(403, response.status_int)


class TestSchedulerAlone(base.FakeDriverCase):
    """Hosts outside applies_to keep a refused request alive."""

    API_GATE = None
    HOSTS = ("ironic1", "qemu1")
    NEW_HOSTS = True

    def report(self, host, hypervisor_type):
        """Change the name of a host's hypervisor, which alone matters."""
        node = self.compute_node(host)
        node.hypervisor_type = hypervisor_type
        node.save()

    def test_a_refused_image(self):
        self.report("ironic1", "ironic")
        self.report("qemu1", "QEMU")
        image = self.image(**OLD)
        self.assertEqual("ironic1", self.instance(self.active(image)).host)
        # without such a host, its owner reads the reason
        self.report("ironic1", "KVM")
        server = self.boot(image).json["server"]["id"]
        self.assertEqual(
            NOVAS_PREFIX + "hw_disk_bus=ide (allowed: virtio, scsi); "
            "hw_vif_model=e1000 (allowed: virtio)",
            self.fault(server),
        )
        self.assertEqual({}, self.allocations(server))
