# SPDX-License-Identifier: Apache-2.0
"""Explanations that must be complete in a client's own output."""

import re
from dataclasses import dataclass

from webob import Response

from tests.functional.glance.wire import User, add, message

BAD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}


@dataclass(frozen=True)
class Explanation:
    """A refusal in parts: openstacksdk sends properties in any order."""

    opening: str
    sentences: list[str]

    def assert_whole_in(self, text: str) -> None:
        """Fail unless a text has every part."""
        for part in (self.opening, *self.sentences):
            assert part in text


def _explanation(*refusals: Response) -> Explanation:
    """Return what the API says, from one refusal for each property."""
    texts = [message(refusal) for refusal in refusals]
    opening, _, _ = texts[0].partition(": ")
    parts = []
    for text in texts:
        sentence, _, fix = text.removeprefix(f"{opening}: ").partition(
            " To fix: "
        )
        # one command fixes all properties
        parts += [sentence, *re.findall(r"--property \w+=\w+", fix)]
    return Explanation(opening, parts)


def of_create(user: User) -> Explanation:
    """Return what the API says of a new image with the devices of ``BAD``."""
    return _explanation(
        *(user.create(**{name: value}) for name, value in BAD.items())
    )


def of_update(user: User, image: str) -> Explanation:
    """Return what the API says of these devices on an image."""
    return _explanation(
        *(
            user.update(image, add(f"/{name}", value))
            for name, value in BAD.items()
        )
    )
