# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard server audit`` on Nova's own API."""

from pathlib import Path

import fixtures
from nova.tests.fixtures import PROJECT_ID
from osc_lib import exceptions

from nova_vhard.osc import paging
from nova_vhard.osc.server import audit as server
from nova_vhard.osc.server.servers import COLUMNS, UNSEEN
from nova_vhard.policy import document, watch
from nova_vhard.policy.subject import START
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import domain
from tests import services
from tests.functional.nova import base, desk, helpers

E1000 = {"hw_vif_model": "e1000", "hw_disk_bus": "virtio"}
DISK, CARD = "guest_devices.disk_bus", "guest_devices.vif_model"


class AuditCase(base.LibvirtCase):
    """A cloud from before the policy: no gate has kept anybody out."""

    def setUp(self):
        super().setUp()
        self.write_policy("enabled: false\n")
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.policy_file = self.folder / "policy.yaml"
        self.write_policy(self.POLICY)
        # what the shipped policy assumes
        self.flags(hw_machine_type=["x86_64=q35"], group="libvirt")
        self.app = desk.app(self)
        self.client = self.app.client_manager.vhard

    def audit(self, *arguments):
        """Run the command; return rows as dictionaries."""
        program = server.AuditServers(self.app, None)
        options = program.get_parser("test").parse_args(
            ["--policy", str(self.policy_file), *arguments]
        )
        columns, rows = program.take_action(options)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def rows_of(self, server_id, *arguments):
        """Return the rows about a server, by rule."""
        result = self.audit(*(arguments or ("--all-projects",)))
        mine = [row for row in result if row["Server"] == server_id]
        rules = [row["Rule"] for row in mine]
        self.assertEqual(len(rules), len(set(rules)), mine)
        return {row["Rule"]: row for row in mine}


class TestImages(AuditCase):
    def test_a_clean_server_has_no_row(self):
        self.active(self.image(**helpers.CLEAN))
        self.assertEqual([], self.audit("--all-projects"))

    def test_a_server_that_runs_an_e1000(self):
        # given a server from before the policy
        image = self.image(**E1000)
        old = self.active(image, name="old one")

        # when servers are audited
        rows = self.rows_of(old)

        # then it is there, with where it is, why, and what to do
        self.assertEqual({CARD}, set(rows))
        row = rows[CARD]
        self.assertEqual(COLUMNS, tuple(row))
        self.assertEqual(PROJECT_ID, row["Project"])
        self.assertEqual("compute1", row["Host"])
        self.assertEqual("old one", row["Name"])
        self.assertEqual("enforce", row["Mode"])
        self.assertIn("hw_vif_model='e1000'", row["Asks For"])
        change = {
            "place": "image",
            "id": image,
            "property": "hw_vif_model",
            "value": "virtio",
        }
        fix = row["Fix"].machine_readable()
        self.assertEqual([change], fix["changes"])
        # what it had already is a move's: a warning by default
        self.assertEqual(
            "runs with network card e1000; a rebuild would pass with a "
            "warning",
            row["Means"],
        )

    def test_what_a_host_picked_is_judged_as_it_is(self):
        """Nova keeps its own choice; the policy had assumed another."""
        self.flags(hw_machine_type=["x86_64=pc"], group="libvirt")
        old = self.active(self.image(**helpers.CLEAN), config_drive=True)

        rows = self.rows_of(old)

        bus = "guest_devices.cdrom_bus"
        self.assertEqual({bus, "guest_devices.machine_type"}, set(rows))
        self.assertEqual(
            "runs with CD-ROM bus ide; a rebuild would get what its host "
            "picks",
            rows[bus]["Means"],
        )
        self.assertIn("nova_defaults", str(rows[bus]["Fix"]))

    def test_a_bus_for_cdroms_that_nobody_has_is_no_wish(self):
        self.flags(hw_machine_type=["x86_64=pc"], group="libvirt")
        old = self.active(self.image(**helpers.CLEAN))
        self.assertEqual(
            {"guest_devices.machine_type"}, set(self.rows_of(old))
        )

    def test_where_moves_are_enforced_a_rebuild_is_refused(self):
        self.write_policy("moves: {guest_devices: enforce}\n")
        old = self.active(self.image(**E1000))
        means = self.rows_of(old)[CARD]["Means"]
        self.assertIn("would be refused a rebuild", means)

    def test_an_image_that_was_mended_since(self):
        image = self.image(**E1000)
        old = self.active(image)
        self.glance.images[image]["properties"]["hw_vif_model"] = "virtio"

        row = self.rows_of(old)[CARD]

        self.assertEqual(
            "runs with network card e1000; a rebuild would fix it",
            row["Means"],
        )
        self.assertIn("rebuild it", str(row["Fix"]))

    def test_an_image_that_became_worse_since(self):
        image = self.image(**helpers.CLEAN)
        old = self.active(image)
        self.glance.images[image]["properties"]["hw_disk_bus"] = "ide"

        row = self.rows_of(old)[DISK]

        self.assertEqual(
            "would be refused a rebuild; it does not run with this",
            row["Means"],
        )

    def test_the_audit_says_what_the_gate_does(self):
        """The same cases, asked of the Nova API's gate."""
        cases = {}
        for name, properties, later in (
            ("had", E1000, {}),
            ("new", helpers.CLEAN, {"hw_vif_model": "e1000"}),
        ):
            image = self.image(**properties)
            cases[name] = self.active(image), image
            self.glance.images[image]["properties"].update(later)
        given = {
            name: "would be refused" in self.rows_of(each)[CARD]["Means"]
            for name, (each, _) in cases.items()
        }
        gated = self.worker(policy_file=str(self.policy_file))
        does = {
            name: self.act(
                each, {"rebuild": {"imageRef": image}}, app=gated
            ).status_int
            == 403
            for name, (each, image) in cases.items()
        }
        self.assertEqual({"had": False, "new": True}, does)
        self.assertEqual(does, given)
        for each, _ in cases.values():
            self.wait(each, "ACTIVE")

    def test_an_image_that_is_gone_is_said(self):
        image = self.image(**E1000)
        old = self.active(image)
        del self.glance.images[image]

        rows = self.rows_of(old)

        self.assertEqual({CARD, UNSEEN}, set(rows))
        self.assertIn(f"image {image}", rows[UNSEEN]["Asks For"])
        self.assertIn("what a rebuild would read", rows[CARD]["Means"])

    def test_a_nova_that_does_not_show_what_it_keeps(self):
        old = self.active(self.image(**E1000))
        show = paging.get

        def older(proxy, path, microversion=None, query=()):
            shown = microversion and "2.97"
            return show(proxy, path, shown, query)

        self.stub_out("nova_vhard.osc.paging.get", older)
        row = self.rows_of(old)[CARD]

        self.assertIn("what it runs with cannot be seen", row["Means"])
        self.assertIn("if this is new to it", row["Means"])
        self.assertIn("microversion 2.98", "".join(self.app.lines))


class TestRest(AuditCase):
    @services.needs_nova(32, "hw:sound_model")
    def test_flavors_with_passthrough_and_devices(self):
        clean = self.image(**helpers.CLEAN)
        flavor = self._create_flavor(
            name="loud", extra_spec={"hw:sound_model": "ich6"}
        )
        old = self.active(clean, flavorRef=flavor)

        row = self.rows_of(old)["guest_devices.sound_model"]

        self.assertIn("hw:sound_model", row["Asks For"])
        self.assertEqual(
            "runs with sound card ich6; a boot like it would be refused",
            row["Means"],
        )

    def test_exemptions_by_flavor_and_project(self):
        image = self.image(**E1000)
        flavor = self._create_flavor(name="router", id="r1")
        exempt = (
            "exemptions:\n- {{id: x, reason: y, until: 2099-01-01, {0}, "
            "rules: {{guest_devices.vif_model: [e1000]}}}}\n"
        )
        old = self.active(image, flavorRef=flavor)
        for who in (
            f"projects: [{PROJECT_ID}]",
            "flavors: [router]",
            f"flavors: ['{flavor}']",
        ):
            self.write_policy(exempt.format(who))
            self.assertEqual({}, self.rows_of(old), who)
        self.write_policy(exempt.format("projects: [another]"))
        self.assertEqual({CARD}, set(self.rows_of(old)))

    def test_ports_that_bring_a_device(self):
        old = self.active(self.image(**helpers.CLEAN))
        port = {"id": "p-1", "device_id": old, "network_id": "n"}
        self.neutron._ports["p-1"] = port | {"binding:vnic_type": "direct"}
        self.addCleanup(self.neutron._ports.pop, "p-1")

        row = self.rows_of(old)["passthrough.allow"]
        self.assertIn("port p-1", row["Asks For"])
        self.assertIn("has a device of the host (vf)", row["Means"])

        # a Neutron that hides the kind, and one that is down
        self.neutron._ports["p-1"] = port
        row = self.rows_of(old)[UNSEEN]
        self.assertIn("what kind port p-1 is of", row["Asks For"])
        self.client.network.down = True
        row = self.rows_of(old)[UNSEEN]
        self.assertIn("its ports (Neutron: ", row["Asks For"])

    def test_servers_on_other_hypervisors_are_left_out(self):
        self.active(self.image(**E1000))
        self.policy_file.write_text(
            'version: "1"\nextends: baseline\n'
            "applies_to: {hypervisor_type: [VMware]}\n"
        )
        self.assertEqual([], self.audit("--all-projects"))
        self.assertIn("1 servers on hypervisors", "".join(self.app.lines))

    def test_the_name_of_a_root_disk_is_evidence(self):
        self.write_policy("guest_devices: {disk_bus: {allow: [scsi]}}\n")
        image = self.image(hw_disk_bus="scsi", hw_scsi_model="virtio-scsi")
        old = self.active(image)
        instance = self.instance(old)
        instance.root_device_name = "/dev/hda"
        instance.save()

        row = self.rows_of(old)[DISK]

        self.assertIn("/dev/hda='ide'", row["Asks For"])
        self.assertIn("evidence, no proof", row["Means"])


class TestVolumes(AuditCase):
    def boots_from(self, **metadata):
        """Boot a server from a volume; return both ids."""
        volume = self.volume(**metadata)
        mapping = self.disk(volume)
        response = self.boot(None, block_device_mapping_v2=[mapping])
        self.assertEqual(202, response.status_int, response.text)
        program = response.json["server"]["id"]
        self.wait(program, "ACTIVE")
        name = self.instance(program).root_device_name
        self.client.block_storage.attached[volume] = [(program, name)]
        return program, volume

    def test_the_metadata_of_the_root_volume(self):
        old, _ = self.boots_from(hw_vif_model="e1000")

        row = self.rows_of(old)[CARD]

        self.assertIn("volume property hw_vif_model='e1000'", row["Asks For"])
        self.assertEqual(
            "its root volume asks for it; a boot from it would be refused",
            row["Means"],
        )

    def test_a_volume_that_cannot_be_seen(self):
        old, volume = self.boots_from(hw_vif_model="e1000")
        kept = self.cinder.volumes.pop(volume)
        try:
            rows = self.rows_of(old)
        finally:
            self.cinder.volumes[volume] = kept
        self.assertEqual({UNSEEN}, set(rows))
        self.assertIn(f"volume {volume}", rows[UNSEEN]["Asks For"])


class TestWhich(AuditCase):
    def test_each_way_to_name_servers(self):
        old = self.active(self.image(**E1000), name="old.one")
        for way in (
            (old,),
            ("old.one",),
            ("--all-projects",),
            ("--project", PROJECT_ID),
            ("--host", "compute1"),
        ):
            result = {row["Server"] for row in self.audit(*way)}
            self.assertEqual({old}, result, way)
        self.assertEqual([], self.audit("--host", "another"))
        self.assertEqual([], self.audit("--project", "another"))

    def test_one_error_line_for_what_is_not_there(self):
        for way, text in (
            ((), "--all-projects"),
            (("oldXone",), "no server has the name or id oldXone"),
            (("../flavors",), "no server has the name or id ../flavors"),
        ):
            error = self.assertRaises(
                exceptions.CommandError, self.audit, *way
            )
            self.assertIn(text, str(error))

    def test_pages_and_few_requests(self):
        """Three servers a page; one look-up an image and one a 50 ports."""
        self.flags(max_limit=3, group="api")
        image = self.image(**E1000)
        made = {self.active(image) for _ in range(7)}

        result = {row["Server"] for row in self.audit("--all-projects")}

        self.assertEqual(made, result)
        self.assertEqual([image], self.client.images.asked)
        self.assertEqual(3, len(self.client.network.asked))
        self.assertIn(
            "servers: 7 looked at, 7 with violations", self.app.lines[0]
        )


class TestExemptions(AuditCase):
    def test_a_listed_server_keeps_what_it_has_and_no_more(self):
        # given a server from before the policy, and a list of such
        old = self.active(self.image(hw_disk_bus="ide"))
        target = self.folder / "list.yaml"
        asked = ("--all-projects", "--write-exemptions", str(target))
        self.audit(*asked)

        # when the policy extends the list
        policy = self.policy_file.read_text()
        self.policy_file.write_text(
            policy.replace("extends: baseline", f"extends: {target}")
        )

        # then what it runs with is nothing that an audit complains of
        self.assertEqual({}, self.rows_of(old))
        # nor a host, which refuses another server with the same disk
        rules = document.load(str(self.policy_file))
        xml = self.domain_xml(old)
        other = xml.replace(old, "155d900f-4e14-4e4c-a73d-069cbf4541e6")
        for text, refused in ((xml, False), (other, True)):
            result = domain.read(text.encode(), START, "x86_64")
            verdict = evaluate(
                rules, result.request, result.subject, watch.today()
            )
            # of the rest the fake libvirt keeps too little
            self.assertEqual(refused, DISK in verdict.rules)

        # and the list is not written over
        self.assertRaisesRegex(
            exceptions.CommandError, "already exists", self.audit, *asked
        )

    def test_no_list_of_a_clean_cloud(self):
        self.active(self.image(**helpers.CLEAN))
        target = self.folder / "list-of-none.yaml"
        self.audit("--all-projects", "--write-exemptions", str(target))
        self.assertFalse(target.exists())
        self.assertIn("was not written", "".join(self.app.lines))
