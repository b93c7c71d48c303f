# SPDX-License-Identifier: Apache-2.0
"""One request about a server or an image, ready to be judged."""

import datetime
from dataclasses import dataclass

from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import Subject
from nova_vhard.policy.verdict import (
    Verdict,
    evaluate,
    introduced_violations,
    keys_of,
    violated,
    with_more,
)
from nova_vhard.request.lookups import Image
from nova_vhard.request.passthrough import up_to_current_count


@dataclass(frozen=True)
class ServerRequest:
    """A request that changes a guest or an image.

    :ivar hardware: the hardware of the guest after the request
    :ivar existing: the devices that the server already has. Their violations
        are judged like those of a move
    :ivar scheduled: for a rebuild with another image: the devices that the
        scheduler's gate judges as new, even if the server has them. A refusal
        before the scheduler leaves the server unchanged
    :ivar image: for a request about an image: the image after the request
    :ivar before: for an image change: the image before the request
    :ivar touched: for an image change: the properties that it names
    :ivar with_defaults: for an image change: whether violations by defaults
        that it introduces count. Set for a fix, which must not introduce one
    :ivar attached_to: ID of the server whose host must pass the checks that
        new passthrough requires; None if the scheduler checks the host
    """

    hardware: HardwareRequest
    subject: Subject
    existing: tuple[HardwareRequest, ...] = ()
    scheduled: HardwareRequest | None = None
    image: Image | None = None
    before: Image | None = None
    touched: frozenset[str] = frozenset()
    with_defaults: bool = False
    attached_to: str | None = None

    def verdict(self, policy: Policy, today: datetime.date) -> Verdict:
        """Return what a policy has to say about it.

        :param today: the day (UTC) by which exemptions are judged
        """
        # An image has no devices yet: what matters is what the change brings
        # in.
        if self.before is not None:
            return introduced_violations(
                evaluate(policy, self.hardware, self.subject, today),
                evaluate(policy, self.before.hardware(), self.subject, today),
                self.touched,
                self.with_defaults,
            )
        # With the same subject and day, so that what an exemption covers on
        # both sides cancels out.
        had = map(up_to_current_count, self.existing)
        already = violated(policy, had, self.subject, today)
        if self.scheduled is None:
            return evaluate(
                policy, self.hardware, self.subject, today, already
            )
        fresh = evaluate(policy, self.scheduled, self.subject, today)
        # The scheduler excuses nothing in a rebuild with another image. If it
        # refuses, the server is in ERROR with the new properties (bypass 13),
        # so this gate must refuse the same before.
        already -= keys_of(fresh)
        # With the kept devices: the image alone does not show a bus that
        # stays.
        verdict = evaluate(policy, self.hardware, self.subject, today, already)
        known = keys_of(verdict)
        return with_more(
            verdict,
            (each for each in fresh.violations if not each.keys <= known),
        )


def of_image(
    image: Image,
    subject: Subject,
    before: Image | None = None,
    touched: frozenset[str] = frozenset(),
) -> ServerRequest:
    """Return a request about an image.

    :param image: the image after the request
    :param before: for an image change: the image before the request
    :param touched: for an image change: the properties that it names
    """
    return ServerRequest(
        image.hardware(), subject, image=image, before=before, touched=touched
    )
