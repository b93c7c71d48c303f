# SPDX-License-Identifier: Apache-2.0
"""Requests, and the fixes that the search finds for them, as data."""

from nova_vhard.explain import search
from nova_vhard.policy.hardware import NOBODY, Holder
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import of_image
from tests.unit.helpers import TODAY, policy

OWN = Holder("0ef1", "p1", "qcow2")
FOREIGN = Holder("f0e1", "p2", "qcow2")


def allowing(kinds, **keys):
    """Return a policy from kinds with their allowed values or their rules."""
    rules = {
        kind: rule if isinstance(rule, dict) else {"allow": rule}
        for kind, rule in kinds.items()
    }
    return policy(guest_devices=rules, **keys)


def of(properties, operation=BOOT, holder=OWN, origin="image", disk=None):
    """Return a request of project p1 about an image."""
    subject = Subject(operation, "p1", image=holder.id)
    return of_image(Image(properties, disk, origin, holder), subject)


def change(before, after, operation):
    """Return a request of project p1 to change an image."""
    names = {name for name, _ in before.items() ^ after.items()}
    return of_image(
        Image(after, holder=NOBODY),
        Subject(operation, "p1"),
        Image(before),
        frozenset(names),
    )


def found(rules, request, read=None):
    """Return the refusals of a request, and the results of the search."""
    refusals = request.verdict(rules, TODAY).refusals
    return refusals, search.fix(rules, refusals, request, TODAY, read)


def edits(fix):
    """Return the edits of a fix of one image, as name to value."""
    return {name: value for (_, name), value in fix.draft.edits.items()}


def left(fix):
    """Return the kinds whose rules are still violated."""
    return [
        rule.removeprefix("guest_devices.")
        for violation in fix.left
        for rule in violation.rules
    ]


def helps(rules, request, fix, read=None):
    """Return whether the judge accepts a request after a fix."""
    _, again = found(rules, request, read)
    assert again.draft.edits == fix.draft.edits, "the order is not fixed"
    return not fix.left
