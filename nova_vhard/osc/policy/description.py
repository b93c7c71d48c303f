# SPDX-License-Identifier: Apache-2.0
"""A description as its options say it: what is unknown, and block devices."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nova_vhard.common.problems import nearest
from nova_vhard.common.text import clean, line, quote
from nova_vhard.request import flavor, image, passthrough

_IMAGE = ("property", "volume_property", "server_property")
_FLAVOR = ("flavor_property", "server_flavor_property")
_SPECS = flavor.NAMES | passthrough.NAMES

#: Name of a block device in an explanation.
_NAMED = re.compile(r"block_device_mapping_v2\[(\d{1,4})\]\.?")


def unknown(options: argparse.Namespace) -> Iterator[str]:
    """Yield a line for each name in the options that no rule is about.

    :param options: as ``case_options`` adds them
    """
    for names, known in ((_IMAGE, image.READ), (_FLAVOR, _SPECS)):
        for name in names:
            for given in getattr(options, name) or {}:
                if given not in known and not passthrough.is_resource(given):
                    near = nearest(given, sorted(known))
                    yield (
                        f"--{name.replace('_', '-')}: {quote(given)} is "
                        "unknown here: no rule of any policy is about "
                        f"it{near}"
                    )
    for name in _FLAVOR:
        text = (getattr(options, name) or {}).get(passthrough.REQUIRE)
        # an empty word is unknown, too
        words = passthrough.unknown_requirements(text or "")
        for word in words if text is not None else ():
            near = nearest(word, passthrough.KNOWN)
            yield (
                f"{passthrough.REQUIRE}: {quote(word)} is neither a check "
                f"nor a profile of checks{near}: no host has passed it"
            )


def devices(text: str, given: Sequence[Mapping[str, Any]] | None) -> str:
    """Return an explanation that names block devices as options do.

    :param text: with the names of Nova's API, such as
        ``block_device_mapping_v2[0].disk_bus``
    :param given: what each ``--block-device`` says
    """
    pairs = (
        ",".join(f"{key}={clean(value)}" for key, value in device.items())
        for device in given or ()
    )
    typed = [f"--block-device {each}" for each in pairs]

    def named(match: re.Match[str]) -> str:
        """Return the option, and which of its keys is meant."""
        number = int(match[1])
        if number >= len(typed):
            return match[0]
        return typed[number] + (": " if match[0].endswith(".") else "")

    return line(_NAMED.sub(named, text))
