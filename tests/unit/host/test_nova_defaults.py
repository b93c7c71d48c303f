# SPDX-License-Identifier: Apache-2.0
"""Nova's own defaults against those that the policy assumes."""

import dataclasses
import json

import pytest

from nova_vhard.host.check import Status
from nova_vhard.host.checks.nova_defaults import NovaDefaults
from nova_vhard.host.host import Expected, Host
from nova_vhard.host.root import HostRoot
from tests.trees import FACTS, build, facts

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
ASSUMED = Expected(policy=True, virt_type="kvm")
Q35 = {"x86_64": "q35"}
SET = {"libvirt": {"hw_machine_type": ["x86_64=q35"]}}


def run(root, expected=ASSUMED):
    result = NovaDefaults().run(Host(HostRoot(root), expected=expected))
    assert bool(result.remediation) == (result.status is not PASS)
    mend = NovaDefaults.remediation
    assert (result.remediation == mend) == (result.status is FAIL)
    return result


@pytest.mark.parametrize(
    ("result", "assumed", "status"),
    [
        ({}, {}, PASS),
        ({"libvirt": {"virt_type": "qemu"}}, {}, FAIL),
        ({"libvirt": {"virt_type": "qemu"}}, {"virt_type": "qemu"}, PASS),
        ({"libvirt": {"use_virtio_for_bridges": False}}, {}, FAIL),
        (
            {"libvirt": {"use_virtio_for_bridges": False}},
            {"virtio_for_bridges": False},
            PASS,
        ),
        ({"default": {"force_config_drive": True}}, {}, FAIL),
        ({}, {"force_config_drive": True}, FAIL),
        (
            {"default": {"force_config_drive": True}},
            {"force_config_drive": True},
            PASS,
        ),
        # Nova's default counts on both sides if none is set.
        ({}, {"machine_types": Q35}, FAIL),
        ({}, {"machine_types": {"x86_64": "pc", "aarch64": "virt"}}, PASS),
        (SET, {}, FAIL),
        (SET, {"machine_types": Q35}, PASS),
        (SET, {"machine_types": {**Q35, "aarch64": "virt"}}, PASS),
        (SET, {"machine_types": {"x86_64": "pc-q35-9.0"}}, FAIL),
        ({"libvirt": {"hw_machine_type": ["x86_64=pc"]}}, {}, PASS),
        # Of several Nova takes the first that says something.
        (
            {"libvirt": {"hw_machine_type": ["x86_64=", "x86_64=q35"]}},
            {"machine_types": Q35},
            PASS,
        ),
        (
            {"libvirt": {"hw_machine_type": ["x86_64=pc", "x86_64=q35"]}},
            {"machine_types": Q35},
            FAIL,
        ),
        # Pointer and CPU mode count only where the policy has a rule.
        ({"default": {"pointer_model": "ps2mouse"}}, {}, PASS),
        ({}, {"pointer_model": "usbtablet"}, PASS),
        ({}, {"pointer_model": "ps2mouse"}, FAIL),
        (
            {"default": {"pointer_model": None}},
            {"pointer_model": "none"},
            PASS,
        ),
        (
            {"default": {"pointer_model": None}},
            {"pointer_model": "usbtablet"},
            FAIL,
        ),
        ({"libvirt": {"cpu_mode": "host-passthrough"}}, {}, PASS),
        ({}, {"cpu_mode": "host-model"}, PASS),
        (
            {"libvirt": {"cpu_mode": "host-passthrough"}},
            {"cpu_mode": "host-passthrough"},
            PASS,
        ),
        (
            {"libvirt": {"cpu_mode": "host-passthrough"}},
            {"cpu_mode": "host-model"},
            FAIL,
        ),
        # An architecture of which Nova says nothing.
        ({"libvirt": {"hw_machine_type": ["riscv64=virt"]}}, {}, FAIL),
    ],
)  # fmt: skip
def test_compared(tmp_path, result, assumed, status):
    root = build(tmp_path, facts(**result))
    expected = dataclasses.replace(ASSUMED, **assumed)
    assert run(root, expected).status is status


def test_what_differs_is_said(tmp_path):
    root = build(tmp_path, facts(libvirt={"virt_type": "qemu"}))
    expected = dataclasses.replace(ASSUMED, machine_types=Q35)
    assert run(root, expected).reason == (
        "[libvirt] virt_type is qemu, but the policy assumes kvm; [libvirt] "
        "hw_machine_type of x86_64 (not set) is pc, but the policy assumes q35"
    )


def test_a_rescue_image_is_named(tmp_path):
    image = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
    root = build(tmp_path, facts(libvirt={"rescue_image_id": image}))
    result = run(root)
    assert result.status is PASS
    assert (
        f"/run/nova-vhard/nova.json: [libvirt] rescue_image_id = {image}"
        in result.evidence
    )


def test_an_older_pre_step_did_not_look_at_the_cpu_mode(tmp_path):
    content = facts()
    left = json.loads(content[FACTS])
    del left["libvirt"]["cpu_mode"]
    root = build(tmp_path, {**content, FACTS: json.dumps(left)})
    for mode, status in ((None, PASS), ("host-model", UNKNOWN)):
        expected = dataclasses.replace(ASSUMED, cpu_mode=mode)
        assert run(root, expected).status is status


def test_without_a_policy_or_facts(tmp_path):
    root = build(tmp_path / "facts", facts())
    result = run(root, Expected())
    assert result.status is UNKNOWN
    assert result.reason == "there is no policy to compare with"
    result = run(build(tmp_path / "nothing", {}))
    assert result.status is UNKNOWN
    assert "/run/nova-vhard/nova.json" in result.reason


@pytest.mark.parametrize(
    "answer",
    [
        {"libvirt": {"virt_type": 5}},
        {"libvirt": {"hw_machine_type": "x86_64=q35"}},
        {"libvirt": {"hw_machine_type": [5]}},
        {"libvirt": {"use_virtio_for_bridges": "yes"}},
        {"default": {"force_config_drive": None}},
    ],
)
def test_facts_of_the_wrong_type(tmp_path, answer):
    result = run(build(tmp_path, facts(**answer)))
    assert result.status is UNKNOWN
    assert "is not what belongs there" in result.reason
