# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard server audit`` and ``report`` on Nova's own API."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import fixtures
from nova import context, objects
from nova.tests.fixtures import PROJECT_ID
from osc_lib import exceptions

from nova_vhard.osc import paging
from nova_vhard.osc.report import command
from nova_vhard.osc.server import audit as server
from nova_vhard.osc.server.servers import COLUMNS, UNSEEN
from nova_vhard.placement.client import Placement
from tests import services
from tests.functional.nova import base, desk, helpers, service, verdicts

E1000 = {"hw_vif_model": "e1000", "hw_disk_bus": "virtio"}
DISK, CARD, CDROM, MACHINE, SOUND = (
    f"guest_devices.{name}"
    for name in (
        "disk_bus",
        "vif_model",
        "cdrom_bus",
        "machine_type",
        "sound_model",
    )
)
#: What Nova has recorded on a host that picks machine type pc.
PICKED = {**helpers.CLEAN, "hw_machine_type": "pc", "hw_cdrom_bus": "ide"}
ON_SCSI = {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}
RUNS = "runs with network card e1000; "
WARNED = f"{RUNS}a rebuild would pass with a warning"


def exempt(who):
    """Return a policy with an exemption."""
    return (
        f"exemptions:\n- {{id: x, reason: y, until: 2099-01-01, {who}, "
        "rules: {guest_devices.vif_model: [e1000]}}\n"
    )


class Case(NamedTuple):
    """A server, and what an audit says of it.

    :ivar had: properties that Nova keeps with it
    :ivar now: properties of its image; None if it is gone
    :ivar means: rule to what its violation means
    """

    had: dict[str, str]
    now: dict[str, str] | None
    means: dict[str, str]
    fields: dict[str, Any] = {}
    policy: str = ""


CASES = {
    "clean": Case(helpers.CLEAN, helpers.CLEAN, {}),
    "as it was": Case(E1000, E1000, {CARD: WARNED}),
    "enforced": Case(
        E1000,
        E1000,
        {CARD: f"{RUNS}would be refused a rebuild"},
        policy="moves: {guest_devices: enforce}\n",
    ),
    "corrected": Case(
        E1000, helpers.CLEAN, {CARD: f"{RUNS}a rebuild would fix it"}
    ),
    "worse": Case(
        helpers.CLEAN,
        helpers.IDE,
        {DISK: "would be refused a rebuild; it does not run with this"},
    ),
    "gone": Case(
        E1000,
        None,
        {
            CARD: f"{RUNS}what a rebuild would read cannot be seen",
            UNSEEN: "not judged",
        },
    ),
    # Nova keeps its own choice; the policy had assumed another.
    "picked": Case(
        PICKED,
        helpers.CLEAN,
        {
            CDROM: "runs with CD-ROM bus ide; a rebuild would get what its "
            "host picks",
            MACHINE: "runs with machine type pc; a rebuild would get what its "
            "host picks",
        },
        {"config_drive": "True"},
    ),
    # A bus for CD-ROMs that the server does not have
    "no CD-ROM": Case(
        PICKED,
        helpers.CLEAN,
        {
            MACHINE: "runs with machine type pc; a rebuild would get what its "
            "host picks"
        },
    ),
    "name of a disk": Case(
        ON_SCSI,
        ON_SCSI,
        {DISK: "probably runs with disk bus ide: evidence, no proof"},
        {"root_device_name": "/dev/hda"},
        "guest_devices: {disk_bus: {allow: [scsi]}}\n",
    ),
    "another project": Case(
        E1000, E1000, {CARD: WARNED}, policy=exempt("projects: [another]")
    ),
    **{
        f"exempt by {who}": Case(E1000, E1000, {}, policy=exempt(who))
        for who in (
            f"projects: [{PROJECT_ID}]",
            "flavors: [m1.tiny]",
            "flavors: ['1']",
        )
    },
}


class Audits:
    """Mixin for a test case: the command.

    The policy is in a file of its own, so that the cloud can have another.
    """

    def setUp(self):
        super().setUp()
        self.folder = Path(self.useFixture(fixtures.TempDir()).path)
        self.policy_file = self.folder / "policy.yaml"
        self.write_policy("")
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

    def said(self):
        """Return the output of the command besides its rows."""
        return "".join(self.app.lines)

    def rows_of(self, server_id):
        """Return the rows about a server, by rule."""
        rows = self.audit(server_id)
        by_rule = {row["Rule"]: row for row in rows}
        self.assertEqual(len(by_rule), len(rows), rows)
        return by_rule

    def check(self, server_id, rule, asks_for, means=""):
        """Check that a server violates one rule; return the row.

        :param asks_for: part of the column Asks For
        """
        ((name, row),) = self.rows_of(server_id).items()
        self.assertEqual(rule, name)
        self.assertIn(asks_for, row["Asks For"])
        self.assertEqual(means or row["Means"], row["Means"])
        return row


class TestRest(Audits, verdicts.VerdictCase):
    """Servers that are rows of Nova's database, in a cloud with the gate."""

    def old(self):
        """Return a server that has an e1000, and its image."""
        image = self.image(**E1000)
        return self.server(image, **E1000), image

    def test_what_each_means(self):
        """The audit and the gate agree."""
        gated = self.worker(policy_file=str(self.policy_file))
        expected, actual = {}, {}
        for name, case in CASES.items():
            self.write_policy(case.policy)
            image = self.image(**(case.now or {}))
            made = self.server(image, fields=case.fields, **case.had)
            if case.now is None:
                del self.glance.images[image]
            rows = self.rows_of(made)
            means = {rule: rows[rule]["Means"] for rule in rows}
            body = {"rebuild": {"imageRef": image}}
            answer = self.act(made, body, app=gated)
            refused = "refused a rebuild" in " ".join(case.means.values())
            expected[name] = case.means, refused
            actual[name] = means, answer.status_int == 403
        self.assertEqual(expected, actual)

    def test_each_column(self):
        old, image = self.old()
        row = self.check(old, CARD, "hw_vif_model='e1000'")
        self.assertEqual(COLUMNS, tuple(row))
        self.assertEqual(
            [PROJECT_ID, verdicts.HOST, old, "a server", CARD, "enforce"],
            [row[name] for name in COLUMNS[:6]],
        )
        change = {
            "place": "image",
            "id": image,
            "property": "hw_vif_model",
            "value": "virtio",
        }
        self.assertEqual([change], row["Fix"].machine_readable()["changes"])

    def test_a_nova_that_does_not_show_what_it_keeps(self):
        show = paging.get

        def older(proxy, path, microversion=None, query=()):
            shown = microversion and "2.97"
            return show(proxy, path, shown, query)

        self.stub_out("nova_vhard.osc.paging.get", older)
        old, _ = self.old()
        self.check(
            *(old, CARD, "hw_vif_model"),
            "its image asks for it; what it runs with cannot be seen; would "
            "be refused a rebuild if this is new to it",
        )
        self.assertIn("microversion 2.98", self.said())

    @services.needs_nova(32, "hw:sound_model")
    def test_flavors_with_passthrough_and_devices(self):
        name = self._create_flavor(extra_spec={"hw:sound_model": "ich6"})
        flavor = objects.Flavor.get_by_flavor_id(
            context.get_admin_context(), name
        )
        image = self.image(**helpers.CLEAN)
        self.check(
            self.server(image, fields={"flavor": flavor}, **helpers.CLEAN),
            *(SOUND, "hw:sound_model"),
            "runs with sound card ich6; a boot like it would be refused",
        )

    def test_ports_that_bring_a_device(self):
        old = self.server(self.image(**helpers.CLEAN), **helpers.CLEAN)
        port = {"id": "p-1", "device_id": old, "network_id": "n"}
        kind = {"binding:vnic_type": "direct"}
        # a port, a Neutron that hides its kind, and one that is down
        for shown, down, rule, text in (
            ({**port, **kind}, False, "passthrough.allow", "port p-1"),
            (port, False, UNSEEN, "what kind port p-1 is of"),
            (port, True, UNSEEN, "its ports (Neutron: "),
        ):
            self.neutron._ports["p-1"] = shown
            self.app.desk.down = down
            self.check(old, rule, text)

    def test_the_root_volume(self):
        volume = self.volume(hw_vif_model="e1000")
        root = {
            "source_type": "volume",
            "destination_type": "volume",
            "volume_id": volume,
            "boot_index": 0,
        }
        old = self.server("", root)
        self.app.desk.attached[volume] = [(old, "/dev/vda")]
        self.check(
            *(old, CARD, "volume property hw_vif_model='e1000'"),
            "its root volume asks for it; a boot from it would be refused",
        )
        # one that cannot be seen
        del self.cinder.volumes[volume]
        self.check(old, UNSEEN, f"volume {volume}")

    def test_each_way_to_name_servers(self):
        old, _ = self.old()
        for way, named in (
            ((old,), {old}),
            (("a server",), {old}),
            (("--all-projects",), {old}),
            (("--project", PROJECT_ID), {old}),
            (("--host", verdicts.HOST), {old}),
            (("--host", "another"), set()),
            (("--project", "another"), set()),
        ):
            result = {row["Server"] for row in self.audit(*way)}
            self.assertEqual(named, result, way)
        for way, text in (
            ((), "--all-projects"),
            (("a.server",), "no server has the name or id a.server"),
            (("../flavors",), "no server has the name or id ../flavors"),
        ):
            self.assertRaisesRegex(
                exceptions.CommandError, text, self.audit, *way
            )

    def test_pages_and_few_requests(self):
        """Three servers a page; one look-up an image and one a 50 ports."""
        self.flags(max_limit=3, group="api")
        image = self.image(**E1000)
        made = {self.server(image, **E1000) for _ in range(7)}
        result = {row["Server"] for row in self.audit("--all-projects")}
        self.assertEqual(made, result)
        self.client.images.get.assert_called_once_with(image)
        self.assertEqual(3, self.client.network.get.call_count)
        self.assertIn(
            "servers: 7 looked at, 7 with violations", self.app.lines[0]
        )

    def test_only_a_listed_server_keeps_its_devices(self):
        """The policy extends a list of servers that are older than it."""
        image = self.image(hw_disk_bus="ide")
        old, other = (
            self.server(image, hw_disk_bus="ide", hw_vif_model="virtio")
            for _ in range(2)
        )
        target = self.folder / "list.yaml"
        self.audit(old, "--write-exemptions", str(target))
        self.policy_file.write_text(f'version: "1"\nextends: {target}\n')
        named = {row["Server"] for row in self.audit("--all-projects")}
        self.assertEqual({other}, named)


class TestReport(Audits, base.LibvirtCase):
    """A server older than the policy: the cloud's policy is disabled."""

    POLICY = "enabled: false\n"

    def report(self):
        """Write a report; return the page."""
        page = self.folder / "report.html"
        program = command.WriteReport(self.app, None)
        words = ["--html", str(page), "--policy", str(self.policy_file)]
        program.take_action(program.get_parser("test").parse_args(words))
        self.assertIn(f"Report: {page}\n", self.app.lines)
        return page.read_text()

    def test_all_violations_are_on_the_page(self):
        # given an image, a server and a flavor from before the policy
        image = self.image(**E1000)
        server = self.active(image)
        specs = {"pci_passthrough:alias": "gpu:1"}
        self._create_flavor(name="with-a-gpu", extra_spec=specs)
        # Servers on other hypervisors are not listed.
        kinds = "applies_to: {hypervisor_type: [VMware]}\n"
        header = 'version: "1"\nextends: baseline\n'
        service.write_policy(self.policy_file, kinds, header)
        self.assertEqual([], self.audit("--all-projects"))
        self.assertIn("1 servers on hypervisors", self.said())
        self.write_policy("")

        page = self.report()
        for wanted in (
            *(image, server, "with-a-gpu", "<bdi>compute1</bdi>"),
            *("runs with network card e1000", "1 hosts: "),
        ):
            self.assertIn(wanted, page)
        self.assertNotIn("could not be read", page)

        # the command names each failed read, and writes the rest
        get = mock.Mock(side_effect=ConnectionError("no answer"))
        self.client.placement = Placement(SimpleNamespace(get=get))
        self.app.desk.down = True
        page = self.report()
        self.assertEqual(3, page.count("may hide anything"))
        self.assertIn("runs with network card e1000", page)
        for wanted in (
            "fleet could not be read: Placement: ",
            "images could not be read: this user is not",
            "devices could not be read: PlacementError",
        ):
            self.assertIn(wanted, self.said())
