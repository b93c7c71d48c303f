# SPDX-License-Identifier: Apache-2.0
"""Placement does not answer the posture's questions, or not well.

Nova's own requests reach the real Placement all the time.
"""

import threading

from keystoneauth1 import exceptions

from tests.functional.nova.passthrough import filter_case, fleet
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


class TestFaults(filter_case.FilterCase):
    POLICY = filter_case.ALLOWED

    def setUp(self):
        super().setUp()
        self.hosts = [self.proven("good", *filter_case.BOTH)]
        self.wanted = self.spec(filter_case.VGPU)

    def stays(self, extra_specs):
        """The host is left for a flavor."""
        spec = self.spec(extra_specs)
        self.assertEqual(["good"], self.left(self.hosts, spec))

    def test_no_answer_yet(self):
        """Each fault of each kind of question: nothing to fall back to."""
        for kind in (NAMES, HOSTS):
            for name, fault in FAULTS.items():
                asked = len(self.asked)
                self.placement_fault = lambda url, kind=kind, fault=fault: (
                    fault(url) if url.startswith(kind) else None
                )
                reason = self.reason(self.hosts, self.wanted)
                self.assertEqual(UNKNOWN, reason, (kind, name))
                self.assertGreater(len(self.asked), asked, (kind, name))
                self.later()

        # when no proof is required, then the boot succeeds
        self.stays({})

        # and when Placement works again, then both boots succeed
        self.placement_fault = lambda url: None
        self.stays(filter_case.VGPU)

    def test_the_last_answer_holds_until_posture_max_age(self):
        # given a Placement that has answered, and is down
        self.stays(filter_case.VGPU)
        self.later()
        self.placement_fault = FAULTS["down"]
        log = self.log_of("nova_vhard.placement.posture")

        # when the last answer is not too old (600 s), then it is used
        self.later(seconds=590)
        self.stays(filter_case.VGPU)
        self.assertIn("unreachable", log[0])

        # and after that no host counts as proven
        self.later(seconds=10)
        reason = self.reason(self.hosts, self.wanted)
        self.assertEqual(UNKNOWN, reason)
        self.stays({})

    def test_nobody_waits_for_a_slow_placement_but_who_asks(self):
        # given a request that is asking a Placement that does not answer
        self.stays(filter_case.VGPU)
        self.later()
        asking, answer = threading.Event(), threading.Event()
        self.addCleanup(answer.set)

        def hang(url):
            asking.set()
            answer.wait(300)

        self.placement_fault = hang
        results = []
        first = threading.Thread(
            target=lambda: results.append(self.left(self.hosts, self.wanted))
        )
        first.start()
        self.assertTrue(asking.wait(300))

        # when other requests come, then they use the last answer
        self.stays(filter_case.VGPU)
        self.stays({})
        self.assertEqual([], results)

        # and the first request gets the new answer
        answer.set()
        first.join(300)
        self.assertEqual([["good"]], results)
