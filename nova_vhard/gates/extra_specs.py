# SPDX-License-Identifier: Apache-2.0
"""The gate of flavor writes: validators of the extra specs ``vhard:``.

Plugged in under ``nova.api.extra_spec_validators``; Nova answers 400 to what
does not fit, from microversion 2.86 on.
"""

from nova.api.validation.extra_specs import base

from nova_vhard.catalogue.checks import CHECKS

_NAMES = "|".join(CHECKS)


def register() -> list[base.ExtraSpecValidator]:
    """Return the validators, as Nova's API asks for them."""
    return [
        base.ExtraSpecValidator(
            name="vhard:require",
            description=(
                "Checks that a host must have passed before a server of "
                "this flavor may run on it, separated by commas. "
                f"Known: {', '.join(CHECKS)}."
            ),
            value={
                "type": str,
                "description": "names of checks",
                "pattern": rf"({_NAMES})(\s*,\s*({_NAMES}))*",
            },
        ),
    ]
