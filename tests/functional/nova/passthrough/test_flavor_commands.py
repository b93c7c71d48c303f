# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard flavor audit`` and ``sync``, on Nova and Placement."""

import datetime
import io

from osc_lib.exceptions import CommandError

from nova_vhard.catalogue import traits
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.catalogue.profiles import PROFILES
from nova_vhard.host.check import Result, Status
from nova_vhard.host.report import HostReport
from nova_vhard.osc.flavor import audit as command
from nova_vhard.osc.flavor import scs
from nova_vhard.placement.client import Placement
from tests.functional.nova.passthrough import base, cloud

IOMMU = f"trait:{traits.of_check('iommu')}"
REMAPPING = f"trait:{traits.of_check('interrupt_remapping')}"
ASLR = f"trait:{traits.of_check('kernel_aslr')}"
BOTH = f"{REMAPPING}, {IOMMU}"
SCS = PROFILES["hosts-scs"].checks
#: A host that an SCS flavor without the suffix i should not land on.
OTHERS = {
    "cpu_mitigations": Status.FAIL,
    "microcode": Status.PASS,
    "smt": Status.UNKNOWN,
}
VGPU = {"resources:VGPU": "1"}
COLUMNS = ("Flavor", "Passthrough", "Lacks", "Has Too Many", "State")
ALLOWED = "passthrough: {allow: {aliases: [gpu], mdev: [VGPU]}}\n"


class TestFlavors(base.FakeHosts):
    POLICY = ALLOWED

    def setUp(self):
        super().setUp()
        self.app = cloud.app(self)
        self.app.stderr = io.StringIO()

    def made(self, name, extra_specs, **more):
        """Make a flavor with a name; return its id."""
        return self._create_flavor(name=name, extra_spec=extra_specs, **more)

    def run_command(self, kind, *arguments, columns=COLUMNS):
        """Run a command; return its rows by flavor, and its exit status."""
        program = kind(self.app, None)
        options = program.get_parser("test").parse_args(
            ["--policy", str(self.policy_file), *arguments]
        )
        shown, rows = program.take_action(options)
        self.assertEqual(columns, shown)
        return {
            row[0]: tuple(map(str, row[1:])) for row in rows
        }, program.status

    def audit(self):
        return self.run_command(command.AuditFlavors)[0]

    def sync(self, *arguments):
        """Sync in a cloud none of whose hosts has proven anything."""
        options = ("--unproven",) if "--yes" in arguments else ()
        return self.run_command(command.SyncFlavors, *arguments, *options)[0]

    def specs(self, flavor):
        return self.admin_api.get_extra_specs(flavor)

    def test_audit_says_what_is_missing_and_what_is_too_much(self):
        done = dict.fromkeys((IOMMU, REMAPPING), "required")
        self.made("gpu", base.ONE_GPU)
        self.made("done", base.ONE_GPU | done)
        self.made("was", {ASLR: "required", "trait:CUSTOM_X": "required"})
        self.made("private", VGPU, is_public=False)
        # left alone, as Nova's own flavors are: servers of the first boot
        # nowhere, and the class of the second may be bare metal's
        self.made("crypto", {"pci_passthrough:alias": "crypto:1"})
        self.made("metal", {"resources:CUSTOM_BAREMETAL": "1"})

        self.assertEqual(
            {
                "gpu": ("aliases: gpu", BOTH, "", "differs"),
                "done": ("aliases: gpu", "", "", "in sync"),
                "was": ("", "", ASLR, "differs"),
                "private": ("mdev: VGPU", BOTH, "", "differs"),
            },
            self.audit(),
        )

    def names(self):
        """Return the names of checks that exist."""
        names = map(traits.of_check, CHECKS)
        return Placement(self.reporter).known(names)

    def test_sync_strands_no_flavor(self):
        """It only says what it would do, or refuses."""
        gpu = self.made("gpu", base.ONE_GPU)
        state = (
            "would change, but could not boot: no host has passed these checks"
        )
        self.assertEqual(
            {"gpu": ("aliases: gpu", BOTH, "", state)}, self.sync()
        )
        was = self.made("was", {ASLR: "required"})
        with self.assertRaisesRegex(
            CommandError,
            "No host has passed the checks that gpu would require",
        ):
            self.run_command(command.SyncFlavors, "--yes")

        self.assertEqual(base.ONE_GPU, self.specs(gpu))
        self.assertEqual({ASLR: "required"}, self.specs(was))
        self.assertEqual(set(), self.names())

    def test_sync_warns_that_traits_know_no_modes(self):
        self.made("gpu", base.ONE_GPU)
        self.write_policy(f"mode: audit\n{ALLOWED}")
        with self.assertLogs("nova_vhard.osc.flavor") as logs:
            self.sync()
        self.assertIn("is in mode audit", logs.output[0])

    def test_sync_adds_and_removes_exactly_ours(self):
        # given flavors that lack, have too much of, and forbid our traits
        foreign = {"trait:CUSTOM_X": "required", "hw:cpu_policy": "shared"}
        gpu = self.made("gpu", base.ONE_GPU | foreign | {IOMMU: "forbidden"})
        was = self.made("was", foreign | {ASLR: "required"})
        wants = self.made("wants", {"vhard:require": "kernel_aslr"})
        plain = self.made("plain", foreign)

        # when they are synced
        rows = self.sync("--yes")

        # then each has what the policy demands and keeps what is not ours
        self.assertEqual({"gpu", "was", "wants"}, set(rows))
        self.assertEqual({"changed"}, {row[-1] for row in rows.values()})
        ours = dict.fromkeys((IOMMU, REMAPPING), "required")
        self.assertEqual(base.ONE_GPU | foreign | ours, self.specs(gpu))
        self.assertEqual(foreign, self.specs(was))
        self.assertEqual(
            {"vhard:require": "kernel_aslr", ASLR: "required"},
            self.specs(wants),
        )
        self.assertEqual(foreign, self.specs(plain))

        # and every name exists, and nothing is left to do
        self.assertEqual(
            {IOMMU, REMAPPING, ASLR},
            {f"trait:{name}" for name in self.names()},
        )
        self.assertEqual({}, self.sync("--yes"))
        self.assertEqual(
            {"in sync"}, {row[-1] for row in self.audit().values()}
        )

        # and if the policy demands less, so does the flavor
        self.write_policy(
            "passthrough: {allow: {aliases: [gpu]}, require: [iommu]}\n"
        )
        self.sync("--yes")
        self.assertEqual(
            base.ONE_GPU | foreign | {IOMMU: "required"}, self.specs(gpu)
        )

    def scs(self, *arguments, **statuses):
        """Let two hosts report, and audit the claims of SCS flavors.

        :param statuses: of the second host, where they differ from OTHERS
        :returns: its rows by flavor, and its exit status
        """
        now = datetime.datetime.now(datetime.UTC)
        passed = dict.fromkeys(SCS, Status.PASS)
        for host, said in (("host1", passed), ("host2", OTHERS | statuses)):
            answers = [Result(name, said[name], "as it is") for name in SCS]
            self.publisher(host).publish(HostReport(now, tuple(answers)))
        return self.run_command(
            command.AuditFlavors, "--scs", *arguments, columns=scs.COLUMNS
        )

    def test_claims_and_hosts_that_cannot_keep_them(self):
        synced = {f"trait:{traits.of_check(name)}": "required" for name in SCS}
        for name, specs in {
            "SCS-2V-8": {},
            "SCS-4V:16:50n": {},
            "SCS-2Vi-8": {},
            "m1.other": {},
            "own": {"scs:name-v1": "SCS-8C:32"},
            "SCS-many": {},
            "SCS-16T-64": synced,
        }.items():
            self.made(name, specs)
        self.made("SCS-1L-1u", {}, is_public=False)
        lacks = "cpu_mitigations FAIL (1), smt UNKNOWN (1)"
        cannot = ("secure", "host2", lacks)
        rows = {
            "SCS-2V-8": ("SCS-2V-8", *cannot),
            "SCS-4V:16:50n": ("SCS-4V:16:50n", *cannot),
            "SCS-2Vi-8": ("SCS-2Vi-8", "insecure", "", ""),
            "SCS-1L-1u": ("SCS-1L-1u", *cannot),
            "own": ("SCS-8C:32", *cannot),
            "SCS-many": ("SCS-many", "unreadable", "", ""),
            "SCS-16T-64": ("SCS-16T-64", "secure", "", ""),
        }
        self.assertEqual((rows, 0), self.scs())
        self.assertIn(
            "SCS flavors: 7 looked at, 4 with violations",
            self.app.stderr.getvalue(),
        )
        violation, warning = (
            ("--fail-on", level) for level in ("violation", "warning")
        )
        self.assertEqual((rows, 3), self.scs(*violation))
        # a check without an answer is a warning; one name is unreadable
        unknown = {"cpu_mitigations": Status.UNKNOWN}
        self.assertEqual(4, self.scs(*violation, **unknown)[1])
        self.assertEqual(3, self.scs(*warning, **unknown)[1])
