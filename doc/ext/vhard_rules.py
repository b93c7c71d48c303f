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
    GUEST_DEVICES: "Something that decides on devices cannot be read, so that "
    "nobody can judge it. The message names it.",
    PASSTHROUGH_ALLOW: "A device of the host that this cloud does not give to "
    "servers, by an alias, a port or a device profile.",
    PASSTHROUGH_REQUIRE: "No host has proven what a host must have proven "
    "before a server gets one of its devices.",
    HOSTS_REQUIRE: "No host has proven what every host must have proven.",
    FLAVOR_REQUIRE: "No host has proven what your flavor demands.",
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
