# SPDX-License-Identifier: Apache-2.0
"""nova-compute's own update and our reporter's, at the same time.

Both read all traits of one provider, change their own and write all of them
back. Nova's is ``update_available_resource``, as its periodic task calls it.
"""

import fixtures
from nova import context, objects
from nova.scheduler.client import report as report_client

from nova_vhard.catalogue import traits
from nova_vhard.placement.client import Placement
from tests.functional.nova.passthrough import base, reports

PUT = "nova.scheduler.client.report.SchedulerReportClient.put"
DISABLED = "COMPUTE_STATUS_DISABLED"
HOST = "host1"
TREES = (reports.PROVEN, reports.ABSENT)
#: What somebody else has put there and neither of the two knows.
FOREIGN = "CUSTOM_OF_SOMEBODY_ELSE"


class TestOneInTheMiddleOfTheOther(base.FakeHosts):
    """(True races are in tests/functional/placement/test_placement.py.)"""

    NEW_HOSTS = True
    HOSTS = (HOST,)
    POLICY = ""
    #: Each turn of the hosts with each of the cache.
    TURNS = 10

    def setUp(self):
        super().setUp()
        self.uuid = self.provider(HOST)
        self._create_trait(FOREIGN)
        self._set_provider_traits(self.uuid, [*self.traits(HOST), FOREIGN])
        self.theirs = self.traits(HOST)
        self.assertIn("COMPUTE_NODE", self.theirs)
        self.client = self.computes[HOST].manager.reportclient

    def nova_writes(self, turn, cached):
        """Let nova-compute add its trait in one turn, drop it in the next.

        :param cached: whether it trusts what it has read before
        """
        admin = context.get_admin_context()
        service = objects.Service.get_by_compute_host(admin, HOST)
        service.disabled = bool(turn % 2)
        service.save()
        if not cached:
            self.client.clear_provider_cache()
        self._run_periodics()

    def we_write(self, turn):
        """Let the reporter add its traits in one turn, drop some after."""
        self.prove(HOST, tree=TREES[turn % 2])

    def check(self, turn):
        """Nothing is lost: neither of Nova's nor of ours nor of others."""
        passed = {
            traits.of_check(each.check)
            for each in reports.results(TREES[turn % 2])
            if each.status.value == "PASS"
        }
        expected = self.theirs | passed | {traits.of_hour(self.now())}
        if turn % 2:
            expected = expected | {DISABLED}
        self.assertEqual(expected, self.traits(HOST), turn)

    def test_nova_writes_between_our_reading_and_writing(self):
        done = []

        def between():
            if not done:
                done.append(turn)
                self.nova_writes(turn, cached=turn % 5 > 0)

        self.reporter.before_write = between
        for turn in range(self.TURNS):
            done.clear()
            self.we_write(turn)
            self.assertEqual([turn], done)
            self.check(turn)

    def test_we_write_between_novas_reading_and_writing(self):
        done = []
        real = report_client.SchedulerReportClient.put

        def put(client, url, *args, **more):
            if url == f"/resource_providers/{self.uuid}/traits" and not done:
                done.append(turn)
                self.we_write(turn)
            return real(client, url, *args, **more)

        # The first turn changes something, and so do all that follow.
        self.nova_writes(1, cached=False)
        self.useFixture(fixtures.MonkeyPatch(PUT, put))
        for turn in range(self.TURNS):
            done.clear()
            self.nova_writes(turn, cached=turn % 5 > 0)
            self.assertEqual([turn], done)
            self.check(turn)

    def test_names_that_a_sweep_deletes_meanwhile(self):
        """nova-compute writes names back that it has in its cache."""
        placement = Placement(self.reporter)
        for turn in range(5):
            self.we_write(0)
            self.client.clear_provider_cache()
            self._run_periodics()
            # when our traits are withdrawn and their names deleted
            self.withdraw(HOST)
            for name in placement._names("startswith:CUSTOM_VHARD_"):
                self.assertTrue(placement.delete_trait(name))
            # then nova-compute's next write brings no trait back
            self.nova_writes(turn, cached=True)
            self.assertEqual(set(), self.ours(HOST))
            self.assertEqual(
                self.theirs | ({DISABLED} if turn % 2 else set()),
                self.traits(HOST),
            )
