# SPDX-License-Identifier: Apache-2.0
"""Writes of flavors: traits that passthrough needs, and our extra spec."""

from unittest import mock

import pytest
from nova import exception

from nova_vhard.catalogue.checks import REQUIRABLE
from nova_vhard.catalogue.profiles import PROFILES
from nova_vhard.gates import extra_specs, nova_flavor
from nova_vhard.gates.nova_router import Call
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import FLAVOR, Subject
from nova_vhard.policy.verdict import PASSTHROUGH_REQUIRE, Cause, Violation
from tests.unit.helpers import policy

WHO = Subject(FLAVOR, project="p1")
IOMMU = "trait:CUSTOM_VHARD_IOMMU"
ASLR = "trait:CUSTOM_VHARD_KERNEL_ASLR"
GPU = {"pci_passthrough:alias": "gpu:1"}
ALLOWED, NET = {"aliases": ["gpu"], "mdev": ["VGPU"]}, {"aliases": ["net"]}


def violations(before, after, allow=None, **rule):
    """Return the violations of a write under a rule about passthrough."""
    rule = {"require": ["iommu"], "allow": allow or ALLOWED, **rule}
    rules = policy(passthrough=rule)
    return nova_flavor.introduced_violations(rules, before, after, WHO)


UNTIL = "; even then, the policy refuses its servers until passthrough.allow"


@pytest.mark.parametrize(
    ("after", "required", "value", "missing", "allow", "until"),
    [
        (GPU, ["iommu"], "gpu", [IOMMU], ALLOWED, ""),
        (
            *(
                {**GPU, "resources:VGPU": "1", "resources1:VGPU": "1"},
                ["kernel_aslr", "iommu"],
                "gpu, VGPU",
                [IOMMU, ASLR],
            ),
            *(ALLOWED, ""),
        ),
        # Only what is missing is named.
        (
            *({**GPU, IOMMU: "required"}, ["kernel_aslr", "iommu"], "gpu"),
            *([ASLR], ALLOWED, ""),
        ),
        # Names of outsiders are clean wherever they are.
        (
            *({"accel:device_profile": "a\nb"}, ["iommu"], "ab", [IOMMU]),
            *({"device_profiles": ["a\nb"]}, ""),
        ),
        (
            *({"pci_passthrough:alias": "a\nb\u202e:1"}, ["iommu"], "ab"),
            *([IOMMU], NET, f"{UNTIL} has ab in aliases"),
        ),
        # What no server may have is named with its list.
        (
            *(GPU, ["iommu"], "gpu", [IOMMU]),
            *(NET, f"{UNTIL} has gpu in aliases"),
        ),
        (
            {**GPU, "resources:VGPU": "1", "resources:CUSTOM_X": "1"},
            *(["iommu"], "gpu, CUSTOM_X, VGPU", [IOMMU], NET),
            f"{UNTIL} has gpu in aliases, CUSTOM_X in mdev, VGPU in mdev",
        ),
    ],
)
def test_every_word(after, required, value, missing, allow, until):
    (violation,) = violations({}, after, allow, require=required)
    traits = ", ".join(f"{name}=required" for name in missing)
    text = (
        f"a flavor that asks for {value} must have {traits}, so that its "
        "servers run only on hosts that have passed these checks"
    )
    options = " ".join(f"--property {name}=required" for name in missing)
    fix = f"make the change with `{options}`, or leave the flavor as it is"
    cause = Cause("", "flavor extra specs", value, text + until, fix)
    assert violation == Violation((PASSTHROUGH_REQUIRE,), cause, Mode.ENFORCE)


@pytest.mark.parametrize(
    ("before", "after", "charged"),
    [
        # no device of the host
        ({}, {"hw:cpu_policy": "shared"}, 0),
        # required already
        ({}, {**GPU, IOMMU: "required"}, 0),
        # as it was
        (GPU, {**GPU, "hw:cpu_policy": "shared"}, 0),
        # better than it was
        ({**GPU, IOMMU: "forbidden"}, GPU, 0),
        # another device, or more of them
        (GPU, {"pci_passthrough:alias": "net:1"}, 1),
        (GPU, {"pci_passthrough:alias": "gpu:2"}, 1),
        # the required trait is removed, or forbidden
        ({**GPU, IOMMU: "required"}, GPU, 1),
        ({**GPU, IOMMU: "required"}, {**GPU, IOMMU: "forbidden"}, 1),
        # values as JSON has them
        ({}, {"resources:VGPU": 0}, 0),
        ({}, {"resources:VGPU": 1}, 1),
    ],
)
def test_what_is_charged(before, after, charged):
    assert len(violations(before, after)) == charged


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.AUDIT])
def test_the_mode_is_the_rules(mode):
    (violation,) = violations({}, GPU, mode=str(mode))
    assert violation.mode is mode
    # without the rule nothing is said
    assert nova_flavor.introduced_violations(policy(), {}, GPU, WHO) == []


def call(method, body=None, spec="a"):
    """Return a write of a flavor's extra specs."""
    where = ("FlavorExtraSpecsController", method, None)
    resource = mock.Mock()
    resource._get_request_content.return_value = {"body": body}
    ids = {"flavor_id": "1", "id": spec}
    return Call(where, ids, None, b"", resource, None)


@pytest.mark.parametrize(
    ("write", "after"),
    [
        (call("create", {"extra_specs": {"b": "2"}}), {"a": "1", "b": "2"}),
        (call("create", {"extra_specs": {"a": "2"}}), {"a": "2"}),
        (call("update", {"a": "3"}), {"a": "3"}),
        (call("delete"), {}),
        (call("delete", spec="b"), {"a": "1"}),
        # what Nova does not take
        (call("create", {"extra_specs": None}), {"a": "1"}),
        (call("create"), {"a": "1"}),
        (call("update", []), {"a": "1"}),
    ],
)
def test_what_a_write_leaves(monkeypatch, write, after):
    monkeypatch.setattr(
        "nova_vhard.gates.nova_schemas.validate", lambda *_: None
    )
    assert nova_flavor.changed({"a": "1"}, write) == after


NAMES = ", ".join([*REQUIRABLE, *PROFILES])


@pytest.fixture
def validator():
    """Give what Nova validates ``vhard:require`` by."""
    (only,) = extra_specs.register()
    return only


def test_the_extra_spec_is_described_with_every_name(validator):
    assert validator.name == "vhard:require"
    assert validator.value["type"] is str
    assert validator.value["description"] == "names of checks"
    assert validator.description == (
        "Checks, or profiles of checks, that a host must have passed before "
        "a server of this flavor may run on it, separated by commas. "
        f"Known: {NAMES}."
    )


@pytest.mark.parametrize(
    "value",
    [*REQUIRABLE, *PROFILES, "iommu,kernel_aslr", "iommu , kernel_aslr,iommu"],
)
def test_names_that_the_extra_spec_takes(validator, value):
    validator.validate("vhard:require", value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((value, "'' is not ") for value in ("", "iommu,", ",iommu")),
        ("iommu,,iommu", "'' is not "),
        *((value, f"{value!r} is not ") for value in ("x", "IOMMU")),
        *((value, f"{value!r} is not ") for value in (" iommu", "iommu ")),
        ("iommu iommu", "'iommu iommu' is not "),
        (
            "kernel_aslr, iomu",
            "'iomu' is not a check or a profile of checks (did you mean "
            f"'iommu'?). Known: {NAMES}.",
        ),
    ],
)
def test_what_the_extra_spec_does_not_take(validator, value, text):
    with pytest.raises(exception.ValidationError) as raised:
        validator.validate("vhard:require", value)
    assert text in str(raised.value)
