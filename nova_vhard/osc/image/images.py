# SPDX-License-Identifier: Apache-2.0
"""Findings of an audit in an image, and their fixes.

Pure functions: no cloud is accessed here.
"""

import datetime
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common.text import clean
from nova_vhard.explain.search import fix
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

_JUDGED = READ.union(MAPPINGS)
# How many different sets of properties are remembered, and the largest, in
# characters: the values are whatever the owners of the images write.
_MOST_CLEAN = 4096
_MOST_CHARACTERS = 1024

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
    """An image that violates the policy.

    :ivar violations: each of them, whatever its mode
    :ivar changes: property to the safe value that the policy names for it
    :ivar find: function that returns the fix of some of the violations
    """

    image: Image
    violations: tuple[Violation, ...]
    changes: Mapping[str, str]
    find: Find

    def rows(self, state: str) -> Iterator[Row]:
        """Yield a row a violation, and one for those beyond the limit."""
        about = tuple(
            clean(self.image.get(fact) or "")
            for fact in ("id", "name", "owner", "visibility", "status")
        )
        for words in rows(self.violations, self.find):
            yield (*about, *words, state)


class Auditor:
    """Judge of images by one policy.

    Whether an image complies depends only on the properties that the reader
    uses, not on its owner. Many images have the same: they are judged once.
    """

    def __init__(self, policy: Policy, today: datetime.date) -> None:
        """Know of no image yet.

        :param today: the day (UTC) by which exemptions are judged
        """
        self._policy = policy
        self._today = today
        self._clean: set[tuple[tuple[str, str], ...]] = set()

    def find(self, image: Image) -> Finding | None:
        """Judge an image as it is; None where nothing is violated."""
        judged = tuple(
            [(name, repr(image[name])) for name in image if name in _JUDGED]
        )
        if judged in self._clean:
            return None
        verdict = judge(self._policy, image, self._today)
        if verdict.violations:
            return Finding(
                image,
                verdict.violations,
                replacements(self._policy, verdict),
                functools.partial(
                    fix,
                    self._policy,
                    request=_request(image),
                    today=self._today,
                ),
            )
        # Not where an exemption lets it through: that is for some images.
        if not verdict.exempted:
            size = sum(len(value) for _, value in judged)
            if size <= _MOST_CHARACTERS and len(self._clean) < _MOST_CLEAN:
                self._clean.add(judged)
        return None


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
        kind = KINDS.get(choice.kind)
        rule = policy.guest_devices.get(choice.kind)
        good = rule.replacement(choice.value) if rule else None
        if kind is None or good is None or "[" in choice.setting:
            # A list of block devices is not a single value.
            continue
        result[kind.image_properties[0]] = good
    return result


def mended(
    policy: Policy, finding: Finding, today: datetime.date
) -> tuple[Violation, ...]:
    """Return the violations that would be left after the changes."""
    after = {**finding.image, **finding.changes}
    return judge(policy, after, today).violations


def _request(image: Image) -> ServerRequest:
    """Return the request of the image's owner to boot it."""
    disk_format = image.get("disk_format")
    holder = Holder(image.get("id"), image.get("owner"), disk_format)
    subject = Subject(BOOT, project=holder.project, image=holder.id)
    return of_image(Shown(image, disk_format, holder=holder), subject)
