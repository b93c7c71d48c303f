# SPDX-License-Identifier: Apache-2.0
"""Reader of flavor extra specs that choose devices."""

from collections.abc import Mapping

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.policy.hardware import FLAVOR, DeviceChoice

_KIND_OF: Mapping[str, str] = {
    spec: kind.name for kind in KINDS.values() for spec in kind.extra_specs
}

#: Every extra spec that this reader looks at.
NAMES = frozenset(_KIND_OF)


def read(extra_specs: Mapping[str, str]) -> list[DeviceChoice]:
    """Read what a flavor asks for.

    :param extra_specs: names to values, as Nova stores them
    """
    choices = []
    # Sorted: the order of a dictionary from Nova's database is not fixed, and
    # equal requests must give equal events.
    for spec in sorted(_KIND_OF.keys() & extra_specs.keys()):
        kind = KINDS[_KIND_OF[spec]]
        value = extra_specs[spec]
        canonical = kind.canonical(value)
        choices.append(
            DeviceChoice(
                kind=kind.name,
                value=canonical,
                source=f"flavor extra spec {spec}",
                setting=spec,
                origin=FLAVOR,
                written=value if value != canonical else None,
            )
        )
    return choices
