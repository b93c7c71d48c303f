# SPDX-License-Identifier: Apache-2.0
"""The gate of flavor writes: validators of the extra specs ``vhard:``.

Plugged in under ``nova.api.extra_spec_validators``; Nova answers 400 to what
does not fit, from microversion 2.86 on.
"""

from typing import Any

from nova import exception
from nova.api.validation.extra_specs import base

from nova_vhard.common.problems import nearest
from nova_vhard.common.text import quote
from nova_vhard.request.passthrough import KNOWN, unknown_requirements

# Nova loads this module when nova-api starts (``load_validators``). If that
# fails, Nova logs a warning and accepts any value: import little here.
_NAMES = "|".join(KNOWN)


class _Checks(base.ExtraSpecValidator):  # type: ignore[misc]
    """A validator whose refusal names the unknown word."""

    def validate(self, name: str, value: Any) -> None:
        """Refuse a value with a word that is not a check or a profile.

        :raises nova.exception.ValidationError: which Nova answers as 400
        """
        # Nova's own text for a wrong pattern quotes the whole expression and
        # does not say which word is wrong. A word with a typing error is no
        # harmless extra: no host proves it, so that no server of the flavor
        # starts.
        for word in unknown_requirements(str(value)):
            raise exception.ValidationError(
                f"Validation failed; {name}: {quote(word)} is not a check "
                f"or a profile of checks{nearest(word, KNOWN)}. Known: "
                f"{', '.join(KNOWN)}."
            )
        super().validate(name, value)


def register() -> list[base.ExtraSpecValidator]:
    """Return the validators, as Nova's API asks for them."""
    # One name makes the namespace ``vhard:`` known to Nova, which then answers
    # 400 to every other name in it (``validate`` in its validators.py).
    return [
        _Checks(
            name="vhard:require",
            description=(
                "Checks, or profiles of checks, that a host must have passed "
                "before a server of this flavor may run on it, separated by "
                "commas. "
                f"Known: {', '.join(KNOWN)}."
            ),
            value={
                "type": str,
                "description": "names of checks",
                # Nova uses re.fullmatch, so that no anchors are needed.
                "pattern": rf"({_NAMES})(\s*,\s*({_NAMES}))*",
            },
        ),
    ]
