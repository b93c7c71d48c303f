# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status on the flavors and hypervisors of Nova's own API."""

import datetime
from types import SimpleNamespace

from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.catalogue import traits
from nova_vhard.cmd import status
from nova_vhard.placement.client import Placement
from nova_vhard.status import cloud as checks
from tests.functional.nova.passthrough import base, cloud
from tests.unit.cli.nodes import NOVA, Etc

SYNCED = base.ONE_GPU | dict.fromkeys(
    (
        f"trait:{traits.of_check(each)}"
        for each in ("iommu", "interrupt_remapping")
    ),
    "required",
)


class TestStatus(base.FakeHosts):
    POLICY = base.ALLOWED

    def setUp(self):
        super().setUp()
        folder = self.folder / "node"
        folder.mkdir()
        self.etc = Etc(folder)
        self.etc.write(
            "nova/nova.conf",
            f"{NOVA}[vhard]\npolicy_file={self.policy_file}\n",
        )
        self.roles = ["admin"]

    def look(self, check):
        """Run a check as the command does, by an administrator's login."""
        manager = cloud.app(self).client_manager
        access = SimpleNamespace(role_names=self.roles)
        manager.session.auth.get_access = lambda session: access
        node = self.etc.node
        node.cloud = manager.sdk_connection
        node.placement = Placement(self.reporter)
        return status._run(check, node, None)

    def test_flavors(self):
        self._create_flavor(name="done", extra_spec=SYNCED)
        result = self.look(checks.flavors)
        self.assertEqual(Code.SUCCESS, result.code, result.details)
        self.assertIn("1 flavors", result.details)

        # one that lacks them, and that only an administrator sees
        self._create_flavor(
            name="lacking", extra_spec=base.ONE_GPU, is_public=False
        )
        result = self.look(checks.flavors)
        self.assertEqual(Code.FAILURE, result.code)
        self.assertIn("(lacking)", result.details)

    def test_less_than_an_administrator(self):
        self.roles = ["service", "reader"]
        result = self.look(checks.flavors)
        self.assertEqual(Code.WARNING, result.code)
        self.assertIn("flavors that are not public", result.details)

    def test_reporters(self):
        result = self.look(checks.reporters)
        self.assertEqual(Code.FAILURE, result.code)
        self.assertIn("(host1, host2)", result.details)

        now = datetime.datetime.now(datetime.UTC)
        self.prove("host1", at=now)
        result = self.look(checks.reporters)
        self.assertEqual(Code.WARNING, result.code)
        self.assertIn("1 of 2 hosts", result.details)
        self.assertIn("(host2)", result.details)

        self.prove("host2", at=now)
        result = self.look(checks.reporters)
        self.assertEqual(Code.SUCCESS, result.code, result.details)
