# SPDX-License-Identifier: Apache-2.0
"""Changes that an audit makes to images, and their reversal.

Each change is written to the journal first. The image is read again right
before: if it has changed, it is judged again, not overwritten.
"""

import datetime
from dataclasses import dataclass
from typing import Any

import glanceclient.exc

from nova_vhard.common.text import clean
from nova_vhard.osc.image.images import (
    Finding,
    find,
    judge,
)
from nova_vhard.osc.image.journal import Entry, Journal
from nova_vhard.osc.paging import GLANCE_ERRORS
from nova_vhard.policy.model import Policy

ACTIVE = "active"
#: Begins the result if a change was not made.
FAILED = "failed: "

#: Results of an entry of a journal after which the image is as it was.
UNDONE = ("restored", "reactivated", "as before already")


@dataclass(frozen=True)
class Wanted:
    """Requested actions on a finding.

    :ivar fix: whether to set the values that the policy names as safe
    :ivar deactivate: whether to deactivate an image that still violates it
    """

    fix: bool = False
    deactivate: bool = False

    def __bool__(self) -> bool:
        """Return whether anything shall be done."""
        return self.fix or self.deactivate


@dataclass(frozen=True)
class Changes:
    """Planner and executor of the requested actions.

    :ivar images: glanceclient's images
    :ivar journal: gets each change before it is made
    :ivar today: the day (UTC) by which exemptions are judged
    """

    images: Any
    journal: Journal
    policy: Policy
    wanted: Wanted
    today: datetime.date

    def plan(self, finding: Finding) -> str:
        """Return what would be done, without doing it."""
        if not self.wanted:
            return "violates"
        stated, left = [], len(finding.violations)
        if self.wanted.fix and finding.changes:
            listed = (f"{k}={clean(v)}" for k, v in finding.changes.items())
            stated.append(f"would set {', '.join(listed)}")
            left = self._left(finding)
        if left and self._quarantines(finding):
            stated.append("would deactivate")
        return _told(stated, left)

    def carry_out(self, finding: Finding) -> str:
        """Make the changes; return the result.

        :raises JournalError: no further change may be made then
        """
        stated: list[str] = []
        try:
            image = dict(self.images.get(finding.image["id"]))
            fresh = find(self.policy, image, self.today)
            if fresh is None:
                return "no longer violates the policy"
            left = len(fresh.violations)
            if self.wanted.fix and fresh.changes:
                before = {name: image.get(name) for name in fresh.changes}
                self.journal.add(Entry(image["id"], before, fresh.changes))
                self.images.update(image["id"], **fresh.changes)
                stated.append("fixed")
                left = self._left(fresh)
            if left and self._quarantines(fresh):
                self.journal.add(Entry(image["id"], status=image["status"]))
                self.images.deactivate(image["id"])
                stated.append("deactivated")
            return _told(stated, left)
        except GLANCE_ERRORS as error:
            return "; ".join([failed(error), *stated])

    def _left(self, finding: Finding) -> int:
        after = {**finding.image, **finding.changes}
        return len(judge(self.policy, after, self.today).violations)

    def _quarantines(self, finding: Finding) -> bool:
        active = finding.image.get("status") == ACTIVE
        return self.wanted.deactivate and active


def _told(entries: list[str], left: int) -> str:
    if not entries:
        return "no safe change known"
    active = "deactivat" not in entries[-1]
    return "; ".join(
        [*entries, f"{left} left"] if left and active else entries
    )


def failed(error: Exception) -> str:
    """Return why a change was not made."""
    return f"{FAILED}{clean(' '.join(str(error).split()), 200)}"


def undo(images: Any, entry: Entry) -> str:
    """Undo one entry of a journal.

    :returns: the result: one of UNDONE, or why the image is not as it was
    """
    try:
        image = dict(images.get(entry.image))
        if entry.status is not None:
            if image["status"] == entry.status:
                return "as before already"
            if image["status"] != "deactivated":
                return f"changed since: is {image['status']}"
            images.reactivate(entry.image)
            return "reactivated"
        now = {name: image.get(name) for name in entry.after}
        if now == entry.before:
            return "as before already"
        strange = [
            name
            for name, value in now.items()
            if value not in (entry.after[name], entry.before.get(name))
        ]
        if strange:
            return (
                f"changed since: {', '.join(clean(item) for item in strange)}"
            )
        images.update(
            entry.image,
            remove_props=[k for k, v in entry.before.items() if v is None],
            **{k: v for k, v in entry.before.items() if v is not None},
        )
        return "restored"
    except glanceclient.exc.HTTPNotFound:
        return "is gone"
    except GLANCE_ERRORS as error:
        return failed(error)
