# SPDX-License-Identifier: Apache-2.0
"""Every rule with its anchor, for the page that a refusal points at."""

from collections.abc import Iterator

from vhard_rst import literals, plain

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.explain.messages import anchor
from nova_vhard.policy.hosts import FLAVOR_REQUIRE, HOSTS_REQUIRE
from nova_vhard.policy.verdict import (
    GUEST_DEVICES,
    PASSTHROUGH_ALLOW,
    PASSTHROUGH_REQUIRE,
)

#: Rules about no kind of device, in words.
OTHERS = {
    GUEST_DEVICES: "A setting that determines devices cannot be read or "
    "checked. The message names it.",
    PASSTHROUGH_ALLOW: "A device of the host, requested by an alias, a port "
    "or a device profile, that this cloud does not pass to servers.",
    PASSTHROUGH_REQUIRE: "No host has passed the checks that are required "
    "before a server gets one of its devices.",
    HOSTS_REQUIRE: "No host has passed the checks that every host must pass.",
    FLAVOR_REQUIRE: "No host has passed the checks that your flavor requires.",
}


def rules() -> str:
    """Return all rules: an anchor, and what the rule is about."""
    return "\n".join(
        f".. _{anchor(rule)}:\n\n``{rule}``\n   {text}\n"
        for rule, text in _rules()
    )


def _rules() -> Iterator[tuple[str, str]]:
    for kind in KINDS.values():
        names = literals((*kind.image_properties, *kind.extra_specs))
        title = plain(kind.title)
        text = f"{title[0].upper()}{title[1:]}: {names or 'block devices'}. "
        text += f"Why: {plain(kind.why)}. In full: :ref:`{kind.name} "
        yield (
            f"{GUEST_DEVICES}.{kind.name}",
            (f"{text}<device-kind-{kind.name}>`."),
        )
    yield from OTHERS.items()
