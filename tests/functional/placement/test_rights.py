# SPDX-License-Identifier: Apache-2.0
"""The sample policy for Placement gives our roles what they need, no more."""

import json

import pytest
from oslo_config import cfg
from oslo_policy import opts as policy_opts
from oslo_policy import policy as oslo_policy
from placement import policies

from nova_vhard.catalogue import traits
from nova_vhard.osc.host import access
from tests.functional.placement.conftest import POLICY
from tests.functional.placement.reports import DAY, NOW
from tests.unit import docs

REPORTER = {
    "placement:traits:list",
    "placement:resource_providers:list",
    "placement:resource_providers:traits:list",
    "placement:resource_providers:traits:update",
}
SWEEP = {
    *REPORTER,
    "placement:traits:update",
    "placement:traits:delete",
}
CLEANER = {
    *REPORTER,
    "placement:traits:update",
    "placement:resource_providers:inventories:list",
    "placement:resource_providers:inventories:update",
    "placement:resource_providers:allocations:list",
}
OLD = traits.of_hour(NOW - 3 * DAY)


def enforcer(path):
    """Return Placement's rules, with those of a file if it is there."""
    conf = cfg.ConfigOpts()
    conf([], project="placement")
    policy_opts.set_defaults(conf, str(path))
    result = oslo_policy.Enforcer(conf)
    result.suppress_deprecation_warnings = True
    result.suppress_default_change_warnings = True
    result.register_defaults(policies.list_rules())
    result.load_rules()
    return result


@pytest.fixture
def shipped():
    return enforcer(POLICY)


OPERATIONS = sorted(
    each.name
    for each in policies.list_rules()
    if each.name.startswith("placement:")
)


def allowed(rules, *roles):
    """Return the operations that somebody with roles may do."""
    credentials = {
        "roles": list(roles),
        "user_id": "u",
        "project_id": "p",
        "system_scope": None,
        "domain_id": None,
    }
    return {
        name
        for name in OPERATIONS
        if rules.authorize(name, {"project_id": "other"}, credentials)
    }


def test_every_rule_of_the_file_is_one_of_placements(shipped):
    assert shipped.file_rules
    assert shipped.file_rules.keys() <= set(OPERATIONS)
    assert shipped.check_rules(raise_on_violation=True)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("vhard-reporter", REPORTER),
        ("vhard-sweep", SWEEP),
        ("vhard-attestor", SWEEP),
        ("vhard-cleaner", CLEANER),
        ("vhard-compute", set()),
    ],
)
def test_a_role_may_do_what_it_needs_and_nothing_else(shipped, role, expected):
    assert allowed(shipped, role) == expected


@pytest.mark.parametrize("role", ["admin", "service", "reader", "member"])
def test_the_rights_of_others_do_not_change(shipped, tmp_path, role):
    default = allowed(enforcer(tmp_path / "none.yaml"), role)
    assert allowed(shipped, role) == default
    if role in ("admin", "service"):
        # nova-compute's user makes and deletes no name.
        names = {"placement:traits:update", "placement:traits:delete"}
        assert allowed(shipped, role, "vhard-compute") == default - names


def test_the_access_rules_on_the_page_are_those_of_a_reporter():
    """Requests that they refuse are in test_enroll.py."""
    (shown,) = docs.blocks(docs.SECURITY, "json")
    rules = [rule.as_dict() for rule in access.of_reporter("UUID")]
    assert json.loads(shown) == rules
