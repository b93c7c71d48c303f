# SPDX-License-Identifier: Apache-2.0
"""The gate of flavor writes: validators of the extra specs ``vhard:``.

Plugged in under ``nova.api.extra_spec_validators``; Nova answers 400 to what
does not fit, from microversion 2.86 on.
"""

from nova.api.validation.extra_specs import base

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.catalogue.profiles import PROFILES

_KNOWN = (*CHECKS, *PROFILES)
_NAMES = "|".join(_KNOWN)


def register() -> list[base.ExtraSpecValidator]:
    """Return the validators, as Nova's API asks for them."""
    return [
        base.ExtraSpecValidator(
            name="vhard:require",
            description=(
                "Checks, or profiles of checks, that a host must have passed "
                "before a server of this flavor may run on it, separated by "
                "commas. "
                f"Known: {', '.join(_KNOWN)}."
            ),
            value={
                "type": str,
                "description": "names of checks",
                "pattern": rf"({_NAMES})(\s*,\s*({_NAMES}))*",
            },
        ),
    ]
