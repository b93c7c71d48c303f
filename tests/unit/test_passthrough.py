# SPDX-License-Identifier: Apache-2.0
"""Passthrough and host demands: what is read, and what the policy says."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from nova_vhard.policy.hardware import HardwareRequest, Passthrough
from nova_vhard.policy.hosts import (
    NO_CANDIDATE,
    UNKNOWN,
    host_requirements,
    merge_requirements,
)
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import BOOT, MOVE, REBUILD, Subject
from nova_vhard.policy.verdict import (
    evaluate,
    keys_of,
)
from nova_vhard.request import passthrough
from tests.unit.helpers import TODAY, policy, shipped

PORT = "3f2a6e04-7c5d-4a59-9a75-2c8c1b0f6f11"
GPU = Passthrough("aliases", "gpu", "flavor extra spec pci_passthrough:alias")


def request(*asked, checks=()):
    return HardwareRequest(passthrough=asked, host_checks=frozenset(checks))


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ({}, []),
        (
            {"pci_passthrough:alias": "gpu:2, nic:1"},
            [("aliases", "gpu"), ("aliases", "nic")],
        ),
        ({"pci_passthrough:alias": ""}, []),
        (
            {"accel:device_profile": "fpga"},
            [("device_profiles", "fpga")],
        ),
        ({"resources:VGPU": "1"}, [("mdev", "VGPU")]),
        ({"resources1:VGPU": "1"}, [("mdev", "VGPU")]),
        ({"resources_GPU:CUSTOM_MDEV_A": "1"}, [("mdev", "CUSTOM_MDEV_A")]),
        ({"resources:VGPU": "0", "resources:VCPU": "2"}, []),
        ({"trait:CUSTOM_VHARD_IOMMU": "required"}, []),
    ],
)
def test_a_flavor(specs, expected):
    result = passthrough.of_flavor(specs)
    assert [(each.kind, each.name) for each in result] == expected
    sources = {f"flavor extra spec {spec}" for spec in specs}
    assert {each.source for each in result} <= sources


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("resources_GPU:CUSTOM_MDEV_A", True),
        ("resources:VGPU", True),
        ("resources:VCPU", False),
    ],
)
def test_what_may_ask_for_a_mediated_device(spec, expected):
    assert passthrough.is_resource(spec) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("iommu , kernel_aslr", []),
        ("iommu, iomu, strict one", ["iomu", "strict one"]),
        ("", [""]),
    ],
)
def test_words_that_are_no_checks(text, expected):
    assert passthrough.unknown_requirements(text) == expected


@pytest.mark.parametrize(
    ("fields", "kind", "name"),
    [
        ({"alias_name": "gpu", "spec": [{}]}, "aliases", "gpu"),
        ({"spec": [{"physical_network": "p"}]}, "ports", "vf"),
        ({"spec": [{"dev_type": "type-PF"}]}, "ports", "pf"),
        ({"spec": [{"dev_type": "vdpa"}]}, "ports", "vdpa"),
        ({"spec": [{"remote_managed": "True"}]}, "ports", "remote_managed"),
        ({"spec": [{"remote_managed": "False"}]}, "ports", "vf"),
        ({"spec": []}, "ports", "vf"),
        ({"spec": None, "requester_id": None}, "ports", "vf"),
        ({"spec": [{}], "requester_id": None}, "ports", "vf"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_pci_request(fields, kind, name, count):
    shape = {"alias_name": None, "requester_id": PORT, **fields}
    (result,) = passthrough.of_requests(
        [SimpleNamespace(count=count, **shape)]
    )
    if kind == "ports":
        port = f"port {shape['requester_id'] or 'unknown'}"
        assert result == Passthrough(kind, name, port)
    else:
        assert result == replace(GPU, count=str(count))


@pytest.mark.parametrize(
    ("vnic", "kind", "name"),
    [
        ("direct", "ports", "vf"),
        ("macvtap", "ports", "vf"),
        ("virtio-forwarder", "ports", "vf"),
        ("direct-physical", "ports", "pf"),
        ("vdpa", "ports", "vdpa"),
        ("remote-managed", "ports", "remote_managed"),
        ("of-tomorrow", "ports", "of-tomorrow"),
        (None, "ports", "None"),
        ("accelerator-direct", "device_profiles", f"port {PORT}"),
        ("accelerator-direct-physical", "device_profiles", f"port {PORT}"),
    ],
)
def test_a_port_that_brings_a_device(vnic, kind, name):
    result = passthrough.of_port({"id": PORT, "binding:vnic_type": vnic})
    whose = "accelerator of port" if kind == "device_profiles" else "port"
    assert result == Passthrough(kind, name, f"{whose} {PORT}")
    assert passthrough.is_port(result)


@pytest.mark.parametrize(
    ("vnic", "expected"),
    [
        ("normal", None),
        ("baremetal", None),
        ("smart-nic", None),
        ("direct", Passthrough("ports", "vf", "port unknown")),
        (
            "accelerator-direct",
            Passthrough(
                "device_profiles",
                "port unknown",
                "accelerator of port unknown",
            ),
        ),
    ],
)
@pytest.mark.parametrize("port", [{}, {"id": None}, {"id": ""}])
def test_a_port_without_an_id(port, vnic, expected):
    result = passthrough.of_port({**port, "binding:vnic_type": vnic})
    assert result == expected


def test_an_accelerator_of_a_port():
    groups = [
        SimpleNamespace(requester_id=f"device_profile_0{PORT}"),
        SimpleNamespace(requester_id="device_profile_0"),
        SimpleNamespace(requester_id=PORT),
        SimpleNamespace(requester_id=None),
    ]
    (result,) = passthrough.of_requests([], groups)
    place = f"port {PORT}"
    assert result == Passthrough(
        "device_profiles", place, f"accelerator of {place}"
    )


def test_checks_that_a_flavor_demands():
    read = passthrough.host_checks
    assert read({"vhard:require": "iommu, kernel_aslr,"}) == {
        "iommu",
        "kernel_aslr",
    }
    assert read({}) == frozenset()


def judge(rules, *asked, operation=BOOT, already=frozenset()):
    subject = Subject(operation, "p1")
    return evaluate(rules, request(*asked), subject, TODAY, already)


NOTHING = {"allow": {"aliases": []}}


@pytest.mark.parametrize(
    ("keys", "outcome"),
    [
        ({}, "allow"),
        ({"passthrough": {"allow": {"aliases": ["gpu"]}}}, "allow"),
        ({"passthrough": {"allow": {"aliases": "*"}}}, "allow"),
        ({"passthrough": {"allow": {"aliases": ["g*"]}}}, "allow"),
        ({"passthrough": {"allow": {"aliases": ["nic"]}}}, "refuse"),
        ({"passthrough": {"allow": {"mdev": "*"}}}, "refuse"),
        ({"passthrough": {"allow": {}}}, "refuse"),
        ({"passthrough": NOTHING, "mode": "audit"}, "audit"),
        ({"passthrough": {**NOTHING, "mode": "warn"}}, "warn"),
    ],
)
def test_what_is_allowed(keys, outcome):
    verdict = judge(policy(**keys), GPU)
    assert verdict.outcome == outcome
    for each in verdict.violations:
        assert each.rules == ("passthrough.allow",)
        assert (each.cause.value, each.cause.source) == ("gpu", GPU.source)


def test_baseline_allows_no_passthrough():
    (refusal,) = judge(shipped("baseline"), GPU).refusals
    assert (refusal.rules, refusal.allowed) == (("passthrough.allow",), ())


def test_an_exemption_from_passthrough():
    exemption = {
        "id": "gpu",
        "reason": "r",
        "until": "2030-01-01",
        "projects": ["p1"],
        "rules": {
            "passthrough.allow": ["gpu"],
            "passthrough.require": ["iommu"],
        },
    }
    rules = {**NOTHING, "require": ["iommu", "kernel_aslr"]}
    lifted = policy(passthrough=rules, exemptions=[exemption])
    assert judge(lifted, GPU).outcome == "allow"
    (left,) = host_requirements(
        lifted, request(GPU), Subject(BOOT, "p1"), TODAY
    )
    assert left.checks == {"kernel_aslr"}


def test_only_what_a_resize_brings_in_is_a_new_wish():
    rules = policy(passthrough={"allow": {"aliases": []}})
    had = judge(rules, GPU, operation=MOVE)
    assert had.outcome == "refuse"
    already = keys_of(had)
    nic = Passthrough("aliases", "nic", "s")
    verdict = judge(rules, GPU, nic, operation=MOVE, already=already)
    assert [each.cause.value for each in verdict.refusals] == ["nic"]
    assert [each.cause.value for each in verdict.warnings] == ["gpu"]


REQUIRE = {
    "passthrough": {"require": ["iommu"]},
    "hosts": {"require": ["kernel_aslr"]},
}


@pytest.mark.parametrize(
    ("keys", "operation", "asked", "expected"),
    [
        ({}, BOOT, [GPU], {("iommu", "enforce"), ("kernel_aslr", "enforce")}),
        ({}, BOOT, [], {("kernel_aslr", "enforce")}),
        # A device is never moved to a host without proof.
        ({}, MOVE, [GPU], {("iommu", "enforce"), ("kernel_aslr", "warn")}),
        (
            {"moves": {"hosts": "enforce"}},
            MOVE,
            [],
            {("kernel_aslr", "enforce")},
        ),
        # A rebuild stays where it is.
        ({}, REBUILD, [GPU], set()),
        ({"mode": "audit"}, BOOT, [GPU], {
            ("iommu", "audit"), ("kernel_aslr", "audit"),
        }),
        ({"enabled": False}, BOOT, [GPU], set()),
        # A section's own mode comes before the file's.
        (
            {
                "mode": "audit",
                "passthrough": {"require": ["iommu"], "mode": "warn"},
                "hosts": {"require": ["kernel_aslr"], "mode": "enforce"},
            },
            BOOT,
            [GPU],
            {("iommu", "warn"), ("kernel_aslr", "enforce")},
        ),
    ],
)  # fmt: skip
def test_what_hosts_must_have_proven(keys, operation, asked, expected):
    rules = policy(**{**REQUIRE, **keys})
    result = host_requirements(
        rules, request(*asked), Subject(operation), TODAY
    )
    assert {
        (check, str(each.mode)) for each in result for check in each.checks
    } == expected


def test_a_flavors_own_demand_holds_in_any_mode():
    rules = policy(mode="audit")
    asked = request(checks=["iommu"])
    (result,) = host_requirements(rules, asked, Subject(BOOT), TODAY)
    assert result.mode is Mode.ENFORCE
    assert result.checks == {"iommu"}


def test_a_host_that_is_missing_breaks_all_that_demands_it():
    rules = policy(**REQUIRE)
    result = host_requirements(rules, request(GPU), Subject(BOOT), TODAY)
    demand = merge_requirements(result, Mode.ENFORCE)
    assert demand.checks == {"iommu", "kernel_aslr"}
    assert merge_requirements(result, Mode.WARN) is None
    ids = ("passthrough.require", "hosts.require")
    failed = demand.failed(UNKNOWN)
    assert (failed.rules, failed.mode) == (ids, Mode.ENFORCE)
    assert failed.cause.source == ", ".join(ids)
    assert failed.cause.value == "iommu, kernel_aslr"
    for each in result:
        alone = each.failed(NO_CANDIDATE)
        assert (alone.rules, alone.mode) == (each.rules, each.mode)
        assert alone.cause.value == ", ".join(sorted(each.checks))


@pytest.mark.parametrize(
    ("specs", "count"),
    [
        ({"pci_passthrough:alias": "gpu"}, "1"),
        ({"pci_passthrough:alias": "gpu:2"}, "2"),
        ({"pci_passthrough:alias": "gpu:1,gpu:1"}, "2"),
        ({"resources:VGPU": "4"}, "4"),
        ({"resources1:VGPU": "1", "resources2:VGPU": "2"}, "3"),
        ({"resources1:VGPU": "x", "resources2:VGPU": "2"}, "x+2"),
    ],
)
def test_how_many_a_flavor_asks_for(specs, count):
    (result,) = passthrough.of_flavor(specs)
    assert result.count == count


@pytest.mark.parametrize("rest", ["gpu", "gpu:1,nic:1", "nic,gpu", ","])
def test_aliases_behind_the_last_that_is_read_count_as_they_stand(rest):
    read = ",".join(["gpu:1"] * passthrough.MOST_ALIASES)
    first, *others = passthrough.of_flavor(
        {"pci_passthrough:alias": f"{read},{rest}"}
    )
    assert first.name == "gpu"
    if rest == "gpu":
        assert first.count == str(passthrough.MOST_ALIASES + 1)
        assert not others
    else:
        assert first.count == str(passthrough.MOST_ALIASES)
        assert others == [replace(first, name=rest, count="1")]


@pytest.mark.parametrize("end", ["", ","])
def test_as_many_aliases_as_are_read_are_nothing_but_aliases(end):
    names = [f"gpu{index}" for index in range(passthrough.MOST_ALIASES)]
    result = passthrough.of_flavor(
        {"pci_passthrough:alias": ",".join(names) + end}
    )
    assert [each.name for each in result] == names


@pytest.mark.parametrize(
    ("had", "wanted", "outcome"),
    [("1", "1", "warn"), ("2", "1", "warn"), ("1", "2", "refuse")],
)
def test_more_than_a_server_had_is_a_new_wish(had, wanted, outcome):
    rules = policy(passthrough={"allow": {"aliases": []}})
    old = passthrough._up_to(replace(GPU, count=had))
    before = judge(rules, *old, operation=MOVE)
    already = keys_of(before)
    new = replace(GPU, count=wanted)
    verdict = judge(rules, new, operation=MOVE, already=already)
    assert verdict.outcome == outcome


@pytest.mark.parametrize(
    ("count", "counts"),
    [
        ("1", ["1"]),
        ("3", ["1", "2", "3"]),
        ("0", []),
        (
            str(passthrough.MANY),
            [str(each + 1) for each in range(passthrough.MANY)],
        ),
        (str(passthrough.MANY + 1), [str(passthrough.MANY + 1)]),
        ("x+2", ["x+2"]),
    ],
)
def test_who_has_a_number_of_devices_has_each_smaller_one(count, counts):
    had = request(replace(GPU, count=count), checks=["iommu"])
    asked = tuple(replace(GPU, count=number) for number in counts)
    assert passthrough.up_to_current_count(had) == request(
        *asked, checks=["iommu"]
    )
