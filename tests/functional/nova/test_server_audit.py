# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard server audit`` on Nova's own API."""

from pathlib import Path
from typing import Any, NamedTuple

import fixtures
from nova import objects
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
from tests.functional.nova import base, desk, helpers, verdicts

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
SCSI_ONLY = "guest_devices: {disk_bus: {allow: [scsi]}}\n"
ENFORCED = "moves: {guest_devices: enforce}\n"
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
        policy=ENFORCED,
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
        SCSI_ONLY,
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

    def rows_of(self, server_id):
        """Return the rows about a server, by rule."""
        mine = [
            row
            for row in self.audit("--all-projects")
            if row["Server"] == server_id
        ]
        rows = {row["Rule"]: row for row in mine}
        self.assertEqual(len(rows), len(mine), mine)
        return rows


class TestRest(Audits, verdicts.VerdictCase):
    """Servers that are rows of Nova's database; the gate is there, too."""

    def old(self):
        """Return a server that has an e1000, and its image."""
        image = self.image(**E1000)
        return self.server(image, **E1000), image

    def test_what_each_means(self):
        """The audit and the gate agree."""
        gated = self.worker(policy_file=str(self.policy_file))
        for name, case in CASES.items():
            with self.subTest(name):
                self.write_policy(case.policy)
                image = self.image(**(case.now or {}))
                made = self.server(image, fields=case.fields, **case.had)
                if case.now is None:
                    del self.glance.images[image]
                means = {
                    rule: row["Means"]
                    for rule, row in self.rows_of(made).items()
                }
                self.assertEqual(case.means, means)
                body = {"rebuild": {"imageRef": image}}
                answer = self.act(made, body, app=gated)
                self.assertEqual(
                    any(
                        "refused a rebuild" in each for each in means.values()
                    ),
                    answer.status_int == 403,
                )

    def test_each_column(self):
        old, image = self.old()
        row = self.rows_of(old)[CARD]
        self.assertEqual(COLUMNS, tuple(row))
        self.assertEqual(
            [PROJECT_ID, verdicts.HOST, old, "a server", CARD, "enforce"],
            [row[name] for name in COLUMNS[:6]],
        )
        self.assertIn("hw_vif_model='e1000'", row["Asks For"])
        change = {
            "place": "image",
            "id": image,
            "property": "hw_vif_model",
            "value": "virtio",
        }
        fix = row["Fix"].machine_readable()
        self.assertEqual([change], fix["changes"])

    def test_a_nova_that_does_not_show_what_it_keeps(self):
        show = paging.get

        def older(proxy, path, microversion=None, query=()):
            shown = microversion and "2.97"
            return show(proxy, path, shown, query)

        self.stub_out("nova_vhard.osc.paging.get", older)
        old, _ = self.old()
        self.assertEqual(
            "its image asks for it; what it runs with cannot be seen; would "
            "be refused a rebuild if this is new to it",
            self.rows_of(old)[CARD]["Means"],
        )
        self.assertIn("microversion 2.98", "".join(self.app.lines))

    @services.needs_nova(32, "hw:sound_model")
    def test_flavors_with_passthrough_and_devices(self):
        specs = {"hw:sound_model": "ich6"}
        flavor = objects.Flavor(
            id=1,
            flavorid="l",
            name="loud",
            extra_specs=specs,
            memory_mb=1,
            vcpus=1,
            root_gb=1,
            ephemeral_gb=0,
            swap=0,
        )
        image = self.image(**helpers.CLEAN)
        loud = self.server(image, fields={"flavor": flavor}, **helpers.CLEAN)
        row = self.rows_of(loud)[SOUND]
        self.assertIn("hw:sound_model", row["Asks For"])
        self.assertEqual(
            "runs with sound card ich6; a boot like it would be refused",
            row["Means"],
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
            self.client.network.down = down
            ((name, row),) = self.rows_of(old).items()
            self.assertEqual(rule, name)
            self.assertIn(text, row["Asks For"])

    def test_the_root_volume(self):
        volume = self.volume(hw_vif_model="e1000")
        root = {
            "source_type": "volume",
            "destination_type": "volume",
            "volume_id": volume,
            "boot_index": 0,
        }
        old = self.server("", root)
        attached = self.client.block_storage.attached
        attached[volume] = [(old, "/dev/vda")]
        row = self.rows_of(old)[CARD]
        self.assertIn("volume property hw_vif_model='e1000'", row["Asks For"])
        self.assertEqual(
            "its root volume asks for it; a boot from it would be refused",
            row["Means"],
        )
        # one that cannot be seen
        del self.cinder.volumes[volume]
        ((rule, row),) = self.rows_of(old).items()
        self.assertEqual(UNSEEN, rule)
        self.assertIn(f"volume {volume}", row["Asks For"])

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
        self.assertEqual([image], self.client.images.asked)
        self.assertEqual(3, len(self.client.network.asked))
        self.assertIn(
            "servers: 7 looked at, 7 with violations", self.app.lines[0]
        )

    def test_no_list_of_a_clean_cloud(self):
        target = self.folder / "list-of-none.yaml"
        self.audit("--all-projects", "--write-exemptions", str(target))
        self.assertFalse(target.exists())
        self.assertIn("was not written", "".join(self.app.lines))


class TestBooted(Audits, base.LibvirtCase):
    """A server from before the policy: the cloud's own allows everything."""

    POLICY = "enabled: false\n"

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
        # nor are servers listed that are on other hypervisors
        self.policy_file.write_text(
            'version: "1"\nextends: baseline\n'
            "applies_to: {hypervisor_type: [VMware]}\n"
        )
        self.assertEqual([], self.audit("--all-projects"))
        self.assertIn("1 servers on hypervisors", "".join(self.app.lines))
