# SPDX-License-Identifier: Apache-2.0
"""The table of refusals, see refusals.yaml.

tests/functional/glance and tests/functional/nova send each request, do what
the message says, and send it again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

_DATA = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())

#: Properties that strict wants every image to have.
IMAGE: Mapping[str, str] = _DATA["image"]


class Refusal(NamedTuple):
    """A refused request, see refusals.yaml."""

    request: str
    rule: str
    sends: Mapping[str, str]
    do: Mapping[str, str | None]
    policy: str = _DATA["policy"]

    @property
    def name(self) -> str:
        """The name of its test."""
        sends = (f"{name}={value}" for name, value in self.sends.items())
        return "-".join((self.request, self.rule, *sends)).replace(" ", "_")


TABLE = [Refusal(**row) for row in _DATA["refusals"]]


def image(*changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return the properties of an image, with changes."""
    result: dict[str, str | None] = dict(IMAGE)
    for change in changes:
        result |= change
    return {name: value for name, value in result.items() if value is not None}
