# SPDX-License-Identifier: Apache-2.0
"""POST /servers by the properties of the image."""

from tests.functional.nova import base, helpers, service

OLD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
NOVAS_PREFIX = "No valid host was found. "


class TestBoot(base.LibvirtCase):
    def test_a_clean_image_boots_to_active(self):
        # given an image that asks for virtio
        image = self.image(**helpers.CLEAN)

        # when a member boots it
        server = self.active(image)

        # then the guest has a virtio disk and no IDE controller
        domain = self.domain_xml(server)
        self.assertIn("<target dev='vda' bus='virtio'/>", domain)
        self.assertNotIn("bus='ide'", domain)

    def test_an_image_that_says_nothing_boots_to_active(self):
        self.active(self.image())

    def test_the_api_refuses_an_ide_image_in_novas_own_shape(self):
        # given an image that asks for ide and e1000
        image = self.image(**OLD)

        # when a member boots it
        response = self.boot(image)

        # then the answer is Nova's 403 with every violation in words
        self.assertEqual(403, response.status_int)
        self.assertEqual("application/json", response.content_type)
        self.assertEqual(["forbidden"], list(response.json))
        fault = response.json["forbidden"]
        self.assertEqual({"code", "message"}, set(fault))
        self.assertEqual(403, fault["code"])
        for text in (
            "image property hw_disk_bus='ide' is not allowed "
            "(allowed: virtio, scsi)",
            "[rule guest_devices.disk_bus]",
            "image property hw_vif_model='e1000' is not allowed "
            "(allowed: virtio)",
            "[rule guest_devices.vif_model]",
        ):
            self.assertIn(text, fault["message"])

        # and no server was made
        self.assertEqual([], self.servers())

    def test_the_refusal_carries_novas_request_id(self):
        response = self.boot(self.image(**OLD))

        self.assertEqual(403, response.status_int)
        self.assertIn("x-openstack-request-id", response.headers)

    def test_each_door_writes_one_event(self):
        # given somebody who reads the decision events
        events = self.decisions()

        # when a clean image boots and another one is refused
        image = self.image(**helpers.CLEAN)
        self.active(image)
        refused = self.image(**OLD)
        self.boot(refused)

        # then the boot went through two gates, the refusal through one
        self.assertEqual(
            [(image, "allow"), (image, "allow"), (refused, "refuse")],
            [(each["subject"]["image"], each["outcome"]) for each in events],
        )
        self.assertEqual(["boot"] * 3, [each["operation"] for each in events])
        self.assertEqual(2, len({each["gate"] for each in events}))
        self.assertEqual(
            ["guest_devices.disk_bus", "guest_devices.vif_model"],
            sorted(events[-1]["rules"]),
        )


class TestSchedulerAlone(base.LibvirtCase):
    """The images that no API gate saw: nobody put it into the pipeline."""

    API_GATE = None

    def test_the_reason_is_in_the_servers_fault(self):
        # given an image that asks for ide and e1000
        image = self.image(**OLD)

        # when a member boots it
        response = self.boot(image)

        # then the server is in ERROR and its owner reads why
        self.assertEqual(202, response.status_int)
        fault = self.fault(response.json["server"]["id"])
        self.assertEqual(
            NOVAS_PREFIX + "hw_disk_bus=ide (allowed: virtio, scsi); "
            "hw_vif_model=e1000 (allowed: virtio)",
            fault,
        )

    def test_a_long_reason_keeps_whole_violations(self):
        # given an image with more faults than a server's fault can hold, and
        # characters of three bytes in one of them
        self.write_policy("guest_devices: {machine_type: {mode: enforce}}\n")
        image = self.image(
            hw_disk_bus="ide",
            hw_cdrom_bus="ide",
            hw_floppy_bus="fdc",
            hw_video_model="cirrus",
            hw_sound_model="sb16",
            hw_machine_type="機" * 30,
        )

        # when it is refused
        fault = self.fault(self.boot(image).json["server"]["id"])

        # then the reason is within 200 bytes and ends with a whole violation
        reason = fault.removeprefix(NOVAS_PREFIX)
        self.assertNotEqual(fault, reason)
        self.assertLessEqual(len(reason.encode()), 200)
        *phrases, rest = reason.split("; ")
        self.assertRegex(rest, r"^and \d more$")
        for phrase in phrases:
            self.assertRegex(phrase, r"^hw_\w+=\S+ \(allowed: [^()]+\)$")

    def test_a_refusal_leaves_nothing_in_placement(self):
        server = self.boot(self.image(**OLD)).json["server"]["id"]
        self.fault(server)

        self.assertEqual({}, self.allocations(server))


class TestModes(base.FakeDriverCase):
    POLICY = "mode: warn\n"

    def test_warn_lets_a_server_through_and_says_so(self):
        # given a policy that only warns, and somebody who reads the events
        events = self.decisions()

        # when an ide image is booted, then it is let through
        self.active(self.image(**helpers.IDE))

        # and both gates have said what they would have refused
        self.assertEqual(["warn"] * 2, [each["outcome"] for each in events])
        self.assertEqual(
            [["guest_devices.disk_bus"]] * 2,
            [each["rules"] for each in events],
        )

    def test_an_edited_policy_is_obeyed_without_a_restart(self):
        # given a server that booted while the policy only warned
        image = self.image(**helpers.IDE)
        self.active(image)

        # when the policy is edited on disk, then it is enforced
        self.write_policy("mode: enforce\n")
        self.assertEqual(403, self.boot(image).status_int)

        # and break glass lets everything through again
        self.write_policy("enabled: false\n")
        self.active(image)


class TestForcedHost(base.FakeDriverCase):
    API_GATE = None

    def test_a_forced_host_skips_every_filter(self):
        """A gap of Nova's that the documentation names: admins only."""
        # given a cloud without the API gate, and an ide image
        image = self.image(**helpers.IDE)

        # when an admin forces a host
        body = self.wish(image, availability_zone="nova:host1")
        response = self.call(
            "POST", "/v2.1/servers", body, roles=helpers.ADMIN
        )

        # then no filter was asked
        self.assertEqual(202, response.status_int)
        self.wait(response.json["server"]["id"], "ACTIVE")


class TestForcedHostAtTheApi(base.FakeDriverCase):
    def test_the_api_gate_judges_a_forced_host(self):
        body = self.wish(
            self.image(**helpers.IDE), availability_zone="nova:host1"
        )

        response = self.call(
            "POST", "/v2.1/servers", body, roles=helpers.ADMIN
        )

        self.assertEqual(403, response.status_int)


class TestOtherHypervisors(base.FakeDriverCase):
    """Hosts outside applies_to keep a refused request alive."""

    API_GATE = None
    HOSTS = ("ironic1", "qemu1")
    NEW_HOSTS = True

    def setUp(self):
        super().setUp()
        # Only the name of the hypervisor matters, in what computes report.
        self.report("ironic1", "ironic")
        self.report("qemu1", "QEMU")

    def report(self, host, hypervisor_type):
        node = self.compute_node(host)
        node.hypervisor_type = hypervisor_type
        node.save()

    def test_a_refused_image_goes_to_the_host_that_is_not_judged(self):
        for _ in range(2):
            server = self.active(self.image(**helpers.IDE))
            self.assertEqual("ironic1", self.instance(server).host)

    def test_without_such_a_host_the_reason_is_given(self):
        self.report("ironic1", "KVM")

        server = self.boot(self.image(**helpers.IDE)).json["server"]["id"]

        self.assertIn("hw_disk_bus=ide", self.fault(server))

    def test_a_policy_may_judge_them_too(self):
        service.write_policy(
            self.policy_file,
            "applies_to: {hypervisor_type: [QEMU, ironic]}\n",
            header='version: "1"\nextends: baseline\n',
        )

        server = self.boot(self.image(**helpers.IDE)).json["server"]["id"]

        self.assertIn("hw_disk_bus=ide", self.fault(server))
