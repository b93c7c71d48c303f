# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard report`` on Nova's and Placement's own APIs."""

import html
import json
from pathlib import Path

import fixtures

from nova_vhard.osc.report import command
from tests.functional.nova import base, desk


class TestReport(base.LibvirtCase):
    POLICY = "enabled: false\n"

    def setUp(self):
        super().setUp()
        self.flags(hw_machine_type=["x86_64=q35"], group="libvirt")
        self.app = desk.app(self)
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.page = self.folder / "report.html"

    def written(self):
        """Run the command under a policy; return the page."""
        self.write_policy("")
        program = command.WriteReport(self.app, None)
        program.take_action(
            program.get_parser("test").parse_args(
                ["--html", str(self.page), "--policy", str(self.policy_file)]
            )
        )
        return self.page.read_text()

    def test_everything_that_violates_is_on_the_page(self):
        # given an image, a server and a flavor from before the policy
        image = self.image(hw_vif_model="e1000", hw_disk_bus="virtio")
        server = self.active(image, name="<b>old</b>")
        self._create_flavor(
            name="with-a-gpu", extra_spec={"pci_passthrough:alias": "gpu:1"}
        )

        page = self.written()

        for wanted in (image, server, "with-a-gpu", "<bdi>compute1</bdi>"):
            self.assertIn(wanted, page)
        self.assertIn(html.escape("<b>old</b>"), page)
        self.assertNotIn("<b>old</b>", page)
        self.assertIn("runs with network card e1000", page)
        self.assertIn("1 hosts: ", page)
        self.assertNotIn("could not be read", page)
        self.assertEqual([f"Report: {self.page}\n"], self.app.lines)

    def test_what_cannot_be_read_is_said_and_the_rest_is_written(self):
        self.active(self.image(hw_vif_model="e1000", hw_disk_bus="virtio"))
        self.app.client_manager.vhard.images.down = True
        self.app.client_manager.vhard.placement = desk.placement_down()

        page = self.written()

        self.assertEqual(3, page.count("may hide anything"))
        self.assertIn("this user is not allowed to do that", page)
        self.assertIn("runs with network card e1000", page)
        text = "".join(self.app.lines)
        self.assertIn("fleet could not be read: Placement: ", text)
        self.assertIn("images could not be read: this user is not", text)
        self.assertIn("devices could not be read: PlacementError", text)

    def test_what_hosts_have_proven_for_compliance_tools(self):
        self.write_policy("")
        path = self.folder / "results.json"
        program = command.WriteReport(self.app, None)
        words = ["--oscal", str(path), "--policy", str(self.policy_file)]
        program.take_action(program.get_parser("test").parse_args(words))

        content = json.loads(path.read_text())["assessment-results"]
        (result,) = content["results"]
        (host,) = result["local-definitions"]["inventory-items"]
        self.assertEqual("compute node compute1", host["description"])
        # it has never reported
        states = {
            item["target"]["status"]["state"] for item in result["findings"]
        }
        self.assertEqual({"not-satisfied"}, states)
        self.assertFalse(self.page.exists())
