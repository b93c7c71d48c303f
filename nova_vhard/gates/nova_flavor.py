# SPDX-License-Identifier: Apache-2.0
"""Writes of flavor extra specs: no passthrough without required traits.

With ``trait:CUSTOM_VHARD_...=required`` on the flavor Placement itself keeps
its servers on proven hosts, forced hosts included.
"""

from collections.abc import Mapping
from typing import Any

from nova_vhard.catalogue import traits
from nova_vhard.common.commands import options
from nova_vhard.common.text import clean
from nova_vhard.gates.nova_router import Call
from nova_vhard.policy.model import Policy, Values
from nova_vhard.policy.subject import Subject
from nova_vhard.policy.verdict import PASSTHROUGH_REQUIRE, Cause, Violation
from nova_vhard.request import passthrough
from nova_vhard.request.nova_api import section

Specs = Mapping[str, Any]


def changed(specs: Specs, call: Call) -> dict[str, Any]:
    """Return extra specs as a request would leave them.

    :param specs: as they are
    :param call: create, update or delete of Nova's controller
    """
    _, method, _ = call.method
    if method == "delete":
        return {name: specs[name] for name in specs if name != call.ids["id"]}
    body = call.body()
    # POST has the specs under a key, PUT of one is the bare object.
    whole = body if method == "create" else {"extra_specs": body}
    return {**specs, **section(whole, "extra_specs")}


def introduced_violations(
    policy: Policy, before: Specs, after: Specs, subject: Subject
) -> list[Violation]:
    """Return the violation that a write of extra specs introduces, if any.

    A violation that the flavor already has does not count, unless the write
    changes the requested devices or removes a required trait.
    """
    rule = policy.passthrough
    if rule is None:
        return []
    # Only host checks can be traits. What is asked of each device, such as
    # one_time_use, the filter judges.
    missing = _missing(rule.require, after)
    asked = passthrough.of_flavor(_texts(after))
    # The same devices as before, and no trait removed: an administrator must
    # be able to edit an old flavor, and to add its traits one by one.
    same = asked == passthrough.of_flavor(_texts(before))
    if not missing or (same and missing <= _missing(rule.require, before)):
        return []
    what = ", ".join(dict.fromkeys(clean(item.name) for item in asked))
    specs = ", ".join(f"{name}=required" for name in sorted(missing))
    text = (
        f"a flavor that asks for {what} must have {specs}, so that its "
        "servers run only on hosts that have passed these checks"
    )
    # No server may have these, whatever its flavor requires.
    refused = dict.fromkeys(
        f"{clean(item.name)} in {item.kind}"
        for item in asked
        if item.name not in rule.allow.get(item.kind, Values())
    )
    if refused:
        text += (
            "; even then, the policy refuses its servers until "
            f"passthrough.allow has {', '.join(refused)}"
        )
    required = [(name, "required") for name in sorted(missing)]
    make = " ".join(options("--property", required))
    fix = f"make the change with `{make}`, or leave the flavor as it is"
    cause = Cause("", "flavor extra specs", what, text, fix)
    mode = policy.mode_for(rule.mode, subject)
    return [Violation((PASSTHROUGH_REQUIRE,), cause, mode)]


def _missing(require: frozenset[str], specs: Specs) -> set[str]:
    if not passthrough.of_flavor(_texts(specs)):
        return set()
    # Only in the group without a number. The traits of a numbered one
    # (``trait1:``) are asked of the provider of that group's resources.
    wanted = {f"trait:{traits.of_check(name)}" for name in require}
    return {name for name in wanted if specs.get(name) != "required"}


def _texts(specs: Specs) -> dict[str, str]:
    return {str(name): str(value) for name, value in specs.items()}
