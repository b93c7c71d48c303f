# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status on the hypervisors in Nova's own API.

tests/unit/cli/test_status_files.py tests flavors, and logins without access.
"""

import datetime
from types import SimpleNamespace

from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.cmd import status
from nova_vhard.placement.client import Placement
from nova_vhard.status import cloud as checks
from tests.functional.nova.passthrough import base, cloud
from tests.unit.cli.nodes import NOVA, Etc


class TestStatus(base.FakeHosts):
    POLICY = base.ALLOWED

    def test_each_hypervisor_needs_a_reporter(self):
        etc = Etc(self.folder)
        policy = f"[vhard]\npolicy_file={self.policy_file}\n"
        etc.write("nova/nova.conf", NOVA + policy)
        manager = cloud.app(self).client_manager
        access = SimpleNamespace(role_names=["admin"])
        manager.session.auth.get_access = lambda session: access
        node = etc.node
        node.cloud = manager.sdk_connection
        node.placement = Placement(self.reporter)
        self.prove("host1", at=datetime.datetime.now(datetime.UTC))

        result = status._run(checks.reporters, node, None)

        self.assertEqual(Code.WARNING, result.code)
        self.assertIn("1 of 2 hosts", result.details)
        self.assertIn("(host2)", result.details)
