# SPDX-License-Identifier: Apache-2.0
"""Placement does not answer the posture's questions, or not well.

Nova's own requests reach the real Placement all the time.
"""

import threading

from keystoneauth1 import exceptions

from tests.functional.nova.passthrough import base, fleet
from tests.functional.placement.conftest import Answer

NAMES, HOSTS = fleet.POSTURE
UNKNOWN = (
    fleet.UNKNOWN.format("interrupt_remapping, iommu")
    + "try again in a few minutes"
)


def raising(error):
    """Return a fault that raises."""

    def fail(url):
        raise error

    return fail


def answering(status, text):
    """Return a fault that gives an answer in Placement's place."""
    return lambda url: Answer(status, text)


FAULTS = {
    "down": raising(exceptions.ConnectFailure("unreachable")),
    "slow": raising(exceptions.ConnectTimeout("no answer in time")),
    "refuses": answering(400, '{"errors": [{"status": 400}]}'),
    "forbids": answering(403, "Forbidden"),
    "is overloaded": answering(503, "Service Unavailable"),
    "answers in HTML": answering(200, "<html>welcome</html>"),
    "answers with a list": answering(200, "[]"),
    "answers with a number": answering(
        200, '{"traits": 7, "resource_providers": 7}'
    ),
}


class TestNoAnswerYet(base.Devices):
    """The first answer is what there is nothing to fall back to."""

    HOSTS = (base.PROVEN,)

    def setUp(self):
        super().setUp()
        self.prove(base.PROVEN)
        self.wanted = self.gpu()

    def each(self, kind, names=FAULTS):
        """Let each fault happen to one kind of question."""
        for name in names:
            fault = FAULTS[name]
            asked = len(self.asked)
            self.placement_fault = lambda url, fault=fault: (
                fault(url) if url.startswith(kind) else None
            )
            self.assertEqual(UNKNOWN, self.refused(self.wanted), name)
            self.assertGreater(len(self.asked), asked, name)
            self.later()

        # when no proof is required, then the boot succeeds
        self.assertEqual(base.PROVEN, self.lands_on())

        # and when Placement works again, then both boots succeed
        self.placement_fault = lambda url: None
        self.assertEqual(base.PROVEN, self.lands_on(self.wanted))

    def test_to_which_checks_exist(self):
        self.each(NAMES)

    def test_to_which_hosts_have_passed_them(self):
        self.each(HOSTS, ("down", "refuses", "answers with a number"))


class TestLastAnswer(base.Devices):
    """The last answer is used while Placement fails."""

    HOSTS = (base.PROVEN,)
    PCI = 3

    def setUp(self):
        super().setUp()
        self.prove(base.PROVEN)
        self.wanted = self.gpu()
        self.lands_on(self.wanted)
        self.later()

    def test_it_holds_until_posture_max_age_and_no_longer(self):
        # given a Placement that is down, and a captured log
        self.placement_fault = FAULTS["down"]
        log = self.log_of("nova_vhard.placement.posture")

        # when the last answer is not too old (600 s), then it is used
        self.later(seconds=590)
        self.assertEqual(base.PROVEN, self.lands_on(self.wanted))
        self.assertIn("unreachable", log[0])

        # and after that no host counts as proven
        self.later(seconds=10)
        self.assertEqual(UNKNOWN, self.refused(self.wanted))
        self.assertEqual(base.PROVEN, self.lands_on())

    def test_nobody_waits_for_a_slow_placement_but_who_asks(self):
        # given a request that is asking a Placement that does not answer
        asking, answer = threading.Event(), threading.Event()
        self.addCleanup(answer.set)

        def hang(url):
            asking.set()
            answer.wait(300)

        self.placement_fault = hang
        first = self.build(self.wanted)
        self.assertTrue(asking.wait(300))

        # when other requests come, then they use the last answer
        self.assertEqual(base.PROVEN, self.lands_on(self.wanted))
        self.assertEqual(base.PROVEN, self.lands_on())
        self.assertEqual("BUILD", self.api.get_server(first)["status"])

        # and the first request gets the new answer
        answer.set()
        self.wait(first, "ACTIVE")
