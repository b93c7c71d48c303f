# SPDX-License-Identifier: Apache-2.0
"""nova-compute's own update and our traits, on one provider.

Both read all traits, change their own and write all of them back. Nova's is
``update_available_resource``, as its periodic task calls it. Writes at the
same time are in tests/functional/placement/test_placement.py.
"""

from nova import context, objects

from nova_vhard.placement.client import Placement
from tests.functional.nova.passthrough import base

HOST = "host1"
#: What somebody else has put there and neither of the two knows.
FOREIGN = "CUSTOM_OF_SOMEBODY_ELSE"


class TestSweep(base.FakeHosts):
    NEW_HOSTS = True
    HOSTS = (HOST,)
    POLICY = ""

    def test_names_that_a_sweep_deletes_meanwhile(self):
        """nova-compute writes names back that it has in its cache."""
        self._create_trait(FOREIGN)
        theirs = self.traits(HOST) | {FOREIGN}
        self._set_provider_traits(self.provider(HOST), [*theirs])
        placement = Placement(self.reporter)
        service = objects.Service.get_by_compute_host(
            context.get_admin_context(), HOST
        )
        for disabled in (True, False):
            self.prove(HOST)
            self.computes[HOST].manager.reportclient.clear_provider_cache()
            self._run_periodics()
            # when our traits are withdrawn and their names deleted
            self.withdraw(HOST)
            for name in placement._names("startswith:CUSTOM_VHARD_"):
                self.assertTrue(placement.delete_trait(name))
            # then nova-compute's next write brings no trait back
            service.disabled = disabled
            service.save()
            self._run_periodics()
            now = {"COMPUTE_STATUS_DISABLED"} if disabled else set()
            self.assertEqual(theirs | now, self.traits(HOST))
