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
# The properties that are stored with a verdict; others can be long.
_KEPT = _READ | {"id", "owner"}
# Limits of the cache: sets of properties, and characters of one set. Image
# owners choose the properties.
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
    """The violations of an image, and their fixes.

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
        return replace(fix, draft=Draft(_subject(holder), edits))

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

    Images with the same properties share one verdict and one search for a
    fix. An image that the policy names, or whose owner it names, is judged
    separately.
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
        # An exemption or a project mode can select the owner or the image.
        # Two entries: an image id can equal the id of a named project.
        who = image.get("owner"), image.get("id")
        key = *(i if i in self._named else None for i in who), *judged
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
        None, (violation.cause.choice for violation in verdict.violations)
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
    return of_image(shown, _subject(holder))


def _subject(holder: Holder) -> Subject:
    return Subject(BOOT, project=holder.project, image=holder.id)


def _holder(image: Image) -> Holder:
    return Holder(
        image.get("id"), image.get("owner"), image.get("disk_format")
    )
