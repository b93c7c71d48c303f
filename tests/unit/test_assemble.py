# SPDX-License-Identifier: Apache-2.0
"""Every section of a policy, as it is kept."""

import datetime

import pytest

from nova_vhard.policy import assemble
from nova_vhard.policy.model import (
    Assume,
    DeviceRule,
    Exemption,
    HostsRule,
    HotPlug,
    Mode,
    OnHost,
    PassthroughRule,
    Policy,
    ProjectMode,
    Trust,
    Unanswered,
    Values,
)

CONTENT = {
    "version": "1",
    "enabled": False,
    "mode": "warn",
    "applies_to": {"hypervisor_type": ["VMware"]},
    "assume": {"virt_type": "qemu", "machine_type": {"x86_64": "pc"}},
    "guest_devices": {
        "disk_bus": {
            "allow": ["virtio"],
            "mode": "audit",
            "explicit": True,
            "replace": {"ide": "virtio"},
        },
        "pmu": {"allow": "*"},
        "vif_model": {"allow": ["VirtualE1000"]},
    },
    "passthrough": {
        "allow": {"aliases": "*", "ports": ["vf"]},
        "require": ["iommu", "one_time_use"],
        "mode": "enforce",
    },
    "hosts": {
        "require": ["smt"],
        "mode": "audit",
        "max_report_age": 5,
        "trust": "attested",
    },
    "moves": {"guest_devices": "audit", "hosts": "enforce"},
    "on_host": {
        "mode": "enforce",
        "hot_plug": "detach",
        "unanswered": "refuse",
    },
    "projects": [
        {"mode": "audit", "projects": ["p1"]},
        {"mode": "enforce", "domains": ["d1"]},
    ],
    "exemptions": [
        {
            "id": "old",
            "reason": "its driver",
            "until": "2027-03-31",
            "rules": {
                "guest_devices.vif_model": ["VirtualE1000"],
                "guest_devices.pmu": "*",
                "hosts.require": ["smt"],
                "passthrough.allow": [7],
            },
            "projects": ["p1"],
            "domains": ["d1"],
            "images": ["i1"],
            "flavors": ["f1"],
            "roles": ["Admin"],
            "servers": ["s1"],
        }
    ],
}
ANY = Values(("*",))
POLICY = Policy(
    digest="",
    files=("a", "b"),
    enabled=False,
    mode=Mode.WARN,
    hypervisor_types=frozenset(("vmware",)),
    assume=Assume(virt_type="qemu", machine_type={"x86_64": "pc"}),
    guest_devices={
        "disk_bus": DeviceRule(
            "disk_bus",
            Values(("virtio",)),
            Mode.AUDIT,
            explicit=True,
            replace={"ide": "virtio"},
        ),
        "pmu": DeviceRule("pmu", ANY),
        "vif_model": DeviceRule("vif_model", Values(("e1000",))),
    },
    passthrough=PassthroughRule(
        allow={"aliases": ANY, "ports": Values(("vf",))},
        require=frozenset(("iommu",)),
        mode=Mode.ENFORCE,
        of_devices=frozenset(("one_time_use",)),
    ),
    hosts=HostsRule(frozenset(("smt",)), Mode.AUDIT, 5, Trust.ATTESTED),
    moves_guest_devices=Mode.AUDIT,
    moves_hosts=Mode.ENFORCE,
    on_host=OnHost(Mode.ENFORCE, HotPlug.DETACH, Unanswered.REFUSE),
    projects=(
        ProjectMode(Mode.AUDIT, projects=frozenset(("p1",))),
        ProjectMode(Mode.ENFORCE, domains=frozenset(("d1",))),
    ),
    exemptions=(
        Exemption(
            "old",
            "its driver",
            datetime.date(2027, 3, 31),
            {
                "guest_devices.vif_model": Values(("e1000",)),
                "guest_devices.pmu": ANY,
                "hosts.require": Values(("smt",)),
                "passthrough.allow": Values(("7",)),
            },
            projects=frozenset(("p1",)),
            domains=frozenset(("d1",)),
            images=frozenset(("i1",)),
            flavors=frozenset(("f1",)),
            roles=frozenset(("admin",)),
            servers=frozenset(("s1",)),
        ),
    ),
)


def kept(content, files=()):
    """Return a policy without its digest, and that."""
    policy = assemble.policy(content, list(files))
    digest = policy.digest
    fields = {**vars(policy), "digest": ""}
    names = POLICY.__match_args__
    return Policy(**{name: fields[name] for name in names}), digest


def test_every_section_is_kept():
    assert kept(CONTENT, "ab")[0] == POLICY


def test_what_holds_where_nothing_is_said():
    policy, _ = kept({"version": "1"})
    assert policy == Policy(digest="")
    empty = {"passthrough": {}, "hosts": {}, "on_host": {}, "moves": {}}
    policy, _ = kept({"version": "1", **empty})
    assert policy == Policy(digest="", passthrough=PassthroughRule())


def test_a_digest_is_of_the_content_in_any_order():
    backwards = dict(reversed(CONTENT.items()))
    digests = [kept(content)[1] for content in (CONTENT, backwards, {})]
    assert digests[0] == digests[1] != digests[2]
    assert [len(digest) for digest in digests] == [16] * 3


@pytest.mark.parametrize(
    ("named", "judged"),
    [
        (["KVM"], {"kvm", "qemu"}),
        (["Qemu", "ironic"], {"kvm", "qemu", "ironic"}),
        (["VMware"], {"vmware"}),
    ],
)
def test_what_libvirt_says_of_a_host_with_kvm(named, judged):
    data = {"applies_to": {"hypervisor_type": named}}
    assert assemble.policy(data, []).hypervisor_types == judged
