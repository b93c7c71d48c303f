# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard report`` on Nova's and Placement's own APIs."""

import html
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
        words = ["--html", str(self.page), "--policy", str(self.policy_file)]
        program.take_action(program.get_parser("test").parse_args(words))
        return self.page.read_text()

    def test_everything_that_violates_is_on_the_page(self):
        # given an image, a server and a flavor from before the policy
        image = self.image(hw_vif_model="e1000", hw_disk_bus="virtio")
        server = self.active(image, name="<b>old</b>")
        self._create_flavor(
            name="with-a-gpu", extra_spec={"pci_passthrough:alias": "gpu:1"}
        )
        page = self.written()
        for wanted in (
            *(image, server, "with-a-gpu", "<bdi>compute1</bdi>"),
            html.escape("<b>old</b>"),
            "runs with network card e1000",
            "1 hosts: ",
        ):
            self.assertIn(wanted, page)
        for unwanted in ("<b>old</b>", "could not be read"):
            self.assertNotIn(unwanted, page)
        self.assertEqual([f"Report: {self.page}\n"], self.app.lines)

        # what cannot be read is said, and the rest is written
        self.app.lines.clear()
        self.app.client_manager.vhard.images.down = True
        self.app.client_manager.vhard.placement = desk.placement_down()
        page = self.written()
        self.assertEqual(3, page.count("may hide anything"))
        self.assertIn("this user is not allowed to do that", page)
        self.assertIn("runs with network card e1000", page)
        text = "".join(self.app.lines)
        for wanted in (
            "fleet could not be read: Placement: ",
            "images could not be read: this user is not",
            "devices could not be read: PlacementError",
        ):
            self.assertIn(wanted, text)
