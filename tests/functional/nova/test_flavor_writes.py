# SPDX-License-Identifier: Apache-2.0
"""Writes of flavors: traits that passthrough needs, and our extra spec."""

import json

import pytest
from nova import exception

from nova_vhard.catalogue.checks import REQUIRABLE
from nova_vhard.catalogue.profiles import PROFILES
from nova_vhard.gates import extra_specs, nova_flavor
from nova_vhard.gates.nova_router import Call
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import FLAVOR, Subject
from nova_vhard.policy.verdict import PASSTHROUGH_REQUIRE
from tests.unit.helpers import policy

WHO = Subject(FLAVOR, project="p1")
IOMMU = "trait:CUSTOM_VHARD_IOMMU"
ASLR = "trait:CUSTOM_VHARD_KERNEL_ASLR"
GPU = {"pci_passthrough:alias": "gpu:1"}
ALLOWED = {"aliases": ["gpu"], "mdev": ["VGPU"]}


def violations(before, after, allow=None, **rule):
    """Return the violations of a write under a rule about passthrough."""
    rule = {"require": ["iommu"], "allow": allow or ALLOWED, **rule}
    rules = policy(passthrough=rule)
    return nova_flavor.lacking(rules, before, after, WHO)


def test_every_word_about_one_trait():
    (violation,) = violations({}, GPU)
    assert violation.rules == (PASSTHROUGH_REQUIRE,)
    assert violation.mode is Mode.ENFORCE
    cause = violation.cause
    assert cause.text == (
        "a flavor that asks for gpu must have "
        "trait:CUSTOM_VHARD_IOMMU=required, so that its servers run only "
        "on hosts that have passed these checks"
    )
    assert cause.source == "flavor extra specs"
    assert cause.value == "gpu"
    assert cause.fix == (
        "make the change with `--property trait:CUSTOM_VHARD_IOMMU=required`"
        ", or leave the flavor as it is"
    )


def test_what_servers_may_not_have_is_named():
    (violation,) = violations({}, GPU, {"aliases": ["other"]})
    more = "until passthrough.allow has gpu in aliases"
    assert violation.cause.text.endswith(more)


def test_every_word_about_several():
    after = {**GPU, "resources:VGPU": "1", "resources1:VGPU": "1"}
    (violation,) = violations({}, after, require=["kernel_aslr", "iommu"])
    assert violation.cause.text == (
        f"a flavor that asks for gpu, VGPU must have {IOMMU}=required, "
        f"{ASLR}=required, so that its servers run only on hosts that have "
        "passed these checks"
    )
    assert violation.cause.value == "gpu, VGPU"
    assert violation.cause.fix == (
        f"make the change with `--property {IOMMU}=required "
        f"--property {ASLR}=required`, or leave the flavor as it is"
    )


def test_only_what_is_missing_is_named():
    (violation,) = violations(
        {},
        {**GPU, IOMMU: "required"},
        require=["kernel_aslr", "iommu"],
    )
    assert IOMMU not in violation.cause.text
    assert IOMMU not in violation.cause.fix
    assert ASLR in violation.cause.fix


@pytest.mark.parametrize(
    ("after", "names"),
    [
        (GPU, "gpu in aliases"),
        (
            {**GPU, "resources:VGPU": "1", "resources:CUSTOM_X": "1"},
            "gpu in aliases, CUSTOM_X in mdev, VGPU in mdev",
        ),
        ({"pci_passthrough:alias": "a\nb\u202e:1"}, "ab in aliases"),
    ],
)
def test_what_no_server_may_have_is_named_with_its_list(after, names):
    (violation,) = violations({}, after, {"aliases": ["net"]})
    assert violation.cause.text.endswith(
        " have passed these checks; even then, the policy refuses its "
        f"servers until passthrough.allow has {names}"
    )


def test_names_of_outsiders_are_clean_wherever_they_stand():
    (violation,) = violations({}, {"accel:device_profile": "a\nb"})
    assert "a flavor that asks for ab must have" in violation.cause.text
    assert violation.cause.value == "ab"


def test_what_the_administrator_reads():
    (violation,) = violations({}, GPU)
    assert "a flavor that asks for gpu must have" in violation.cause.text
    given = "`--property trait:CUSTOM_VHARD_IOMMU=required`"
    assert given in violation.cause.fix


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # no device of the host
        ({}, {"hw:cpu_policy": "shared"}),
        # required already
        ({}, {**GPU, IOMMU: "required"}),
        # as it was
        (GPU, {**GPU, "hw:cpu_policy": "shared"}),
        # better than it was
        ({**GPU, IOMMU: "forbidden"}, GPU),
        # values as JSON has them
        ({}, {"resources:VGPU": 0}),
    ],
)
def test_what_is_not_charged(before, after):
    assert violations(before, after) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # another device, or more of them
        (GPU, {"pci_passthrough:alias": "net:1"}),
        (GPU, {"pci_passthrough:alias": "gpu:2"}),
        # the required trait is removed, or forbidden
        ({**GPU, IOMMU: "required"}, GPU),
        ({**GPU, IOMMU: "required"}, {**GPU, IOMMU: "forbidden"}),
        # values as JSON has them
        ({}, {"resources:VGPU": 1}),
    ],
)
def test_what_is_charged(before, after):
    assert len(violations(before, after)) == 1


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.AUDIT])
def test_the_mode_is_the_rules(mode):
    (violation,) = violations({}, GPU, mode=str(mode))
    assert violation.mode is mode


def test_without_the_rule_nothing_is_said():
    assert nova_flavor.lacking(policy(), {}, GPU, WHO) == []


class Unchecked:
    """A Resource of Nova's that reads JSON, as far as is needed here."""

    def _get_request_content(self, content, _request):
        return {"body": json.loads(content)}


def call(method, body=None, spec="a"):
    """Return a write of a flavor's extra specs."""
    content = json.dumps(body).encode()
    where = ("FlavorExtraSpecsController", method, None)
    ids = {"flavor_id": "1", "id": spec}
    return Call(where, ids, None, content, Unchecked(), None)


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
    ],
)
def test_what_a_write_leaves(monkeypatch, write, after):
    monkeypatch.setattr(
        "nova_vhard.gates.nova_schemas.validate", lambda *_: None
    )
    assert nova_flavor.changed({"a": "1"}, write) == after


@pytest.fixture
def validator():
    """Give what Nova validates ``vhard:require`` by."""
    (only,) = extra_specs.register()
    return only


def test_the_extra_spec_is_described_with_every_name(validator):
    assert validator.name == "vhard:require"
    assert validator.value["type"] is str
    assert validator.value["description"] == "names of checks"
    text, _, names = validator.description.partition(" Known: ")
    assert text == (
        "Checks, or profiles of checks, that a host must have passed before "
        "a server of this flavor may run on it, separated by commas."
    )
    assert names == ", ".join([*REQUIRABLE, *PROFILES]) + "."


@pytest.mark.parametrize(
    "value",
    [*REQUIRABLE, *PROFILES, "iommu,kernel_aslr", "iommu , kernel_aslr,iommu"],
)
def test_names_that_the_extra_spec_takes(validator, value):
    validator.validate("vhard:require", value)


@pytest.mark.parametrize(
    "value",
    [
        *("", "x", "IOMMU", "iommu,", ",iommu", "iommu iommu", "iommu,,iommu"),
        *(" iommu", "iommu "),
    ],
)
def test_what_the_extra_spec_does_not_take(validator, value):
    with pytest.raises(exception.ValidationError):
        validator.validate("vhard:require", value)


def test_the_word_that_is_none_is_named_beside_those_that_are(validator):
    with pytest.raises(exception.ValidationError) as raised:
        validator.validate("vhard:require", "kernel_aslr, iomu")
    names = ", ".join([*REQUIRABLE, *PROFILES])
    assert str(raised.value) == (
        "Validation failed; vhard:require: 'iomu' is not a check or a "
        f"profile of checks (did you mean 'iommu'?). Known: {names}."
    )
