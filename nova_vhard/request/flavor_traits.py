# SPDX-License-Identifier: Apache-2.0
"""The required traits of a flavor with passthrough, and those it lacks."""

from dataclasses import dataclass
from typing import Any

from nova_vhard.catalogue import traits
from nova_vhard.catalogue.checks import REQUIRABLE
from nova_vhard.policy.model import PassthroughRule, Values
from nova_vhard.request import passthrough

#: Value of an extra spec that makes a trait required.
REQUIRED = "required"

_SPEC = f"trait:{traits.PREFIX}"


@dataclass(frozen=True)
class TraitPlan:
    """Extra specs that a flavor needs, beside those that it has.

    :ivar flavor: openstacksdk flavor
    :ivar passthrough: ``kind: name`` of each device that it asks for
    :ivar lacks: names of extra specs to add
    :ivar surplus: names of extra specs that nothing demands any more
    """

    flavor: Any
    passthrough: tuple[str, ...]
    lacks: tuple[str, ...]
    surplus: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Return True if the flavor has to be changed."""
        return bool(self.lacks or self.surplus)

    @property
    def required(self) -> frozenset[str]:
        """The traits of ours that the flavor requires once it is changed."""
        # openstacksdk may give None for them.
        specs = self.flavor.extra_specs or {}
        now = {name for name in specs if name.startswith(_SPEC)}
        after = now.difference(self.surplus).union(self.lacks)
        return frozenset(name.partition(":")[2] for name in after)


def plan_traits(flavor: Any, rule: PassthroughRule) -> TraitPlan | None:
    """Compare the required traits of a flavor with a policy.

    Only passthrough that the policy allows counts: what it refuses boots
    nowhere, and a custom resource class that it does not name may be a bare
    metal node's, whose hosts report nothing.

    :param flavor: openstacksdk flavor with its extra specs
    :returns: None for a flavor that needs no trait and has none of ours
    """
    specs = flavor.extra_specs or {}
    requests = [
        request
        for request in passthrough.of_flavor(specs)
        if request.name in rule.allow.get(request.kind, Values())
    ]
    # Names that no host can prove are left out: a trait that does not exist
    # makes Placement answer 400, and every boot of the flavor fails.
    checks = set(passthrough.host_checks(specs).intersection(REQUIRABLE))
    if requests:
        checks.update(rule.require)
    wanted = {f"trait:{traits.of_check(name)}" for name in checks}
    # Only ours are changed. Other traits of the flavor are the operator's.
    ours = {name for name in specs if name.startswith(_SPEC)}
    if not requests and not wanted and not ours:
        return None
    # ``forbidden`` on one of ours is as good as missing, and is replaced.
    required = {name for name in ours if specs[name] == REQUIRED}
    devices = (f"{request.kind}: {request.name}" for request in requests)
    return TraitPlan(
        flavor,
        tuple(dict.fromkeys(devices)),
        tuple(sorted(wanted - required)),
        tuple(sorted(ours - wanted)),
    )
