# SPDX-License-Identifier: Apache-2.0
"""The sample policy for Placement gives our roles what they need, no more."""

import json

import pytest
from keystonemiddleware import auth_token
from oslo_config import cfg
from oslo_policy import opts as policy_opts
from oslo_policy import policy as oslo_policy
from placement import policies

from nova_vhard.catalogue import traits
from nova_vhard.osc.host import access
from nova_vhard.placement import names, upkeep
from nova_vhard.placement.client import PlacementError
from tests.functional.placement.conftest import POLICY
from tests.functional.placement.reports import DAY, IOMMU, NOW, SAMPLE
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
def test_nobody_elses_rights_change(shipped, tmp_path, role):
    default = enforcer(tmp_path / "none.yaml")
    assert allowed(shipped, role) == allowed(default, role)


def test_placement_lets_a_reporter_publish_and_withdraw(cloud, acting):
    host = cloud.host("a", {SAMPLE})
    placement = acting("vhard-reporter")
    result = placement.provider(uuid=host)
    assert placement.provider(name="a") == result
    # It makes no name, and writes those that are there.
    with pytest.raises(PlacementError, match="403"):
        placement.update(host, lambda ours: {IOMMU, OLD})
    acting("vhard-sweep").create_traits({IOMMU, OLD})
    acting("vhard-reporter").update(host, lambda ours: {IOMMU, OLD})
    assert cloud.traits(host)[0] == {SAMPLE, IOMMU, OLD}
    assert upkeep.withdraw(placement, host)
    with pytest.raises(PlacementError, match="403"):
        placement.delete_trait(IOMMU)
    url = f"/resource_providers/{host}/inventories"
    body = {"resource_provider_generation": 9, "inventories": {}}
    assert cloud.put(url, body, "1.39").status_code == 403
    assert (
        cloud.delete(f"/resource_providers/{host}", "1.39").status_code == 403
    )


def test_nova_computes_user_makes_and_deletes_no_name(shipped):
    names = {"placement:traits:update", "placement:traits:delete"}
    everything = allowed(shipped, "service")
    for role in ("service", "admin"):
        assert allowed(shipped, role, "vhard-compute") == everything - names


def test_placement_lets_a_cleaner_clean(used, acting):
    used.use()
    acting("vhard-cleaner")
    assert used.round()
    acting("admin")
    used.is_released()


def test_placement_lets_a_sweep_sweep(cloud, acting):
    cloud.insert(names.of_checks())
    host = cloud.host("a", {SAMPLE, IOMMU, OLD})
    done = upkeep.sweep(acting("vhard-sweep"), NOW, 2)
    assert (done.silent, done.deleted, done.failed) == (["a"], [OLD], [])
    assert cloud.traits(host)[0] == {SAMPLE}


def test_access_rules_hold_a_reporter_to_its_own_host(cloud):
    (shown,) = docs.blocks(docs.SECURITY, "json")
    own = cloud.host("own", {SAMPLE})
    other = cloud.host("other", {SAMPLE})
    rules = json.loads(shown.replace("UUID", own))
    assert rules == [rule.as_dict() for rule in access.of_reporter(own)]

    def refused(host):
        cloud.requests.clear()
        placement = cloud.placement
        placement.provider(uuid=host)
        placement.known({IOMMU})
        placement.update(host, lambda ours: {IOMMU})
        return {
            f"{method} {url}"
            for method, url in cloud.requests
            if not any(
                method == each["method"]
                and auth_token._path_matches(
                    url.partition("?")[0], each["path"]
                )
                for each in rules
            )
        }

    assert refused(own) == set()
    url = f"/resource_providers/{other}/traits"
    assert refused(other) == {f"GET {url}", f"PUT {url}"}


def test_without_the_role_there_is_nothing(cloud, acting):
    with pytest.raises(PlacementError, match="403"):
        acting("member").known({IOMMU})
