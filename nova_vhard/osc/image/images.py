# SPDX-License-Identifier: Apache-2.0
"""Findings of an audit in an image, and their fixes.

Pure functions: no cloud is accessed here.
"""

import datetime
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common.text import clean
from nova_vhard.explain.draft import Draft
from nova_vhard.explain.search import Fix, fix
from nova_vhard.osc.violations import Find, rows
from nova_vhard.policy.hardware import Holder
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.policy.verdict import Verdict, Violation
from nova_vhard.request.image import MAPPINGS, READ
from nova_vhard.request.lookups import Image as Shown
from nova_vhard.request.server_request import ServerRequest, of_image

#: What glanceclient returns of an image: names to values.
Image = Mapping[str, Any]

Row = tuple[Any, ...]

_READ = READ.union(MAPPINGS)
# Of an image that is remembered; the rest can be long.
_KEPT = _READ | {"id", "owner"}
# How many different sets of properties are remembered, and the characters of
# the largest: the values are whatever the owners of the images write.
_MOST, _LONGEST = 256, 1024

COLUMNS = (
    "ID",
    "Name",
    "Owner",
    "Visibility",
    "Status",
    "Rule",
    "Mode",
    "Asks For",
    "Fix",
    "State",
)


@dataclass(frozen=True)
class Finding:
    """An image, and what it violates.

    :ivar violations: each of them, whatever its mode
    :ivar changes: property to the safe value that the policy names for it
    :ivar search: function that returns the fix of some of the violations, of
        an image with the same properties
    """

    image: Image
    violations: tuple[Violation, ...]
    changes: Mapping[str, str]
    search: Find

    def fix(self, violations: Sequence[Violation]) -> Fix:
        """Return the fix of some of the violations of this image."""
        fix, holder = self.search(violations), _holder(self.image)
        edits = {
            ((origin, holder), name): value
            for ((origin, _), name), value in fix.draft.edits.items()
        }
        subject = Subject(BOOT, project=holder.project, image=holder.id)
        return replace(fix, draft=Draft(subject, edits))

    def rows(self, state: str) -> Iterator[Row]:
        """Yield a row a violation, and one for those beyond the limit."""
        about = tuple(
            clean(self.image.get(fact) or "")
            for fact in ("id", "name", "owner", "visibility", "status")
        )
        for words in rows(self.violations, self.fix):
            yield (*about, *words, state)


class Auditor:
    """Judge of images by one policy.

    Images with the same properties are judged once, and the fix of their
    violations is searched once, unless the policy names their owners or one
    of the images.
    """

    def __init__(self, policy: Policy, today: datetime.date) -> None:
        """Know of no image yet.

        :param today: the day (UTC) by which exemptions are judged
        """
        self._policy = policy
        self._today = today
        self._named = frozenset().union(
            *(each.projects for each in policy.projects),
            *(each.projects | each.images for each in policy.exemptions),
        )
        self._known: dict[tuple[Any, ...], Finding] = {}

    def find(self, image: Image) -> Finding | None:
        """Judge an image as it is; None where nothing is violated."""
        judged = [(name, repr(image[name])) for name in image if name in _READ]
        # For whom an exemption or another mode is, and what is judged.
        who = image.get("owner"), image.get("id")
        key = *(each in self._named and each for each in who), *judged
        finding = self._known.get(key)
        if finding is None:
            kept = {name: image[name] for name in image if name in _KEPT}
            verdict = judge(self._policy, kept, self._today)
            finding = Finding(
                kept,
                verdict.violations,
                replacements(self._policy, verdict),
                functools.cache(
                    functools.partial(
                        fix,
                        self._policy,
                        request=_request(kept),
                        today=self._today,
                    )
                ),
            )
            if len(str(key)) <= _LONGEST and len(self._known) < _MOST:
                self._known[key] = finding
        return replace(finding, image=image) if finding.violations else None


def find(policy: Policy, image: Image, today: datetime.date) -> Finding | None:
    """Judge a single image; None where nothing is violated."""
    return Auditor(policy, today).find(image)


def judge(policy: Policy, image: Image, today: datetime.date) -> Verdict:
    """Return what the policy says of an image."""
    return _request(image).verdict(policy, today)


def replacements(policy: Policy, verdict: Verdict) -> dict[str, str]:
    """Return the properties to set, as far as the policy names them."""
    result = {}
    for choice in filter(
        None, (violation.choice for violation in verdict.violations)
    ):
        rule = policy.guest_devices.get(choice.kind)
        good = rule.replacement(choice.value) if rule else None
        # A list of block devices is not a single value.
        if good is not None and "[" not in choice.setting:
            result[KINDS[choice.kind].image_properties[0]] = good
    return result


def _request(image: Image) -> ServerRequest:
    """Return the request of the image's owner to boot it."""
    holder = _holder(image)
    shown = Shown(image, holder.disk_format, holder=holder)
    subject = Subject(BOOT, project=holder.project, image=holder.id)
    return of_image(shown, subject)


def _holder(image: Image) -> Holder:
    return Holder(
        image.get("id"), image.get("owner"), image.get("disk_format")
    )
