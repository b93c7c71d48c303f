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
    """What a request makes of a guest, or of an image.

    :ivar hardware: what the guest gets
    :ivar existing: the devices that the server has already; a violation by
        one of them is judged as that of a move
    :ivar scheduled: of a rebuild with another image, what the scheduler will
        judge as new, whatever the server has: refused before it, where it
        leaves the server as it is
    :ivar image: where it is about an image itself: the image as it would be
    :ivar before: for a change of an image: the image as it is
    :ivar touched: for a change of an image: the properties that it names
    :ivar with_defaults: for a change of an image: whether it is charged with
        the defaults that it brings in: a fix must not bring in a bad one
    :ivar attached_to: id of the server whose host must have proven what new
        passthrough requires; None where the scheduler looks at the host
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
        if self.before is not None:
            return introduced_violations(
                evaluate(policy, self.hardware, self.subject, today),
                evaluate(policy, self.before.hardware(), self.subject, today),
                self.touched,
                self.with_defaults,
            )
        had = map(up_to_current_count, self.existing)
        already = violated(policy, had, self.subject, today)
        if self.scheduled is None:
            return evaluate(
                policy, self.hardware, self.subject, today, already
            )
        fresh = evaluate(policy, self.scheduled, self.subject, today)
        already -= keys_of(fresh)
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
    """Return a request that is about an image itself.

    :param image: as it would be
    :param before: for a change of an image: the image as it is
    :param touched: for a change of an image: the properties that it names
    """
    return ServerRequest(
        image.hardware(), subject, image=image, before=before, touched=touched
    )
