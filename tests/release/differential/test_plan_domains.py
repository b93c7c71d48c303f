# SPDX-License-Identifier: Apache-2.0
"""The plan of a minimal QEMU has each device of each domain that Nova makes.

The domains are those of guests that a policy lets through. libvirt turns each
into the command line of the full QEMU of this machine; tests/qemu starts them
on the minimal one.
"""

from pathlib import Path

import pytest

from nova_vhard.catalogue.qemu import ELSEWHERE, family
from nova_vhard.osc.qemu import needs
from nova_vhard.policy import document
from tests import services
from tests.release.differential import nova_domains, plan_domains, real_libvirt
from tests.release.differential.test_domains import (  # noqa: F401 - fixtures
    host,
    libvirt,
)

#: Policy to how many of its domains differ, and a full QEMU would start.
POLICIES = {"strict": 9, "baseline": 30, "": 60}


@pytest.mark.parametrize("name", POLICIES)
def test_each_device_of_each_domain_is_planned(
    host: nova_domains.Host,  # noqa: F811
    libvirt: real_libvirt.RealLibvirt | None,  # noqa: F811
    tmp_path: Path,
    name: str,
) -> None:
    if libvirt is None:
        pytest.skip("not installed: libvirt and its bindings")
    path = tmp_path / "policy.yaml"
    path.write_text(f'version: "1"\n{name and "extends: "}{name}\n')
    plan = needs.make(document.load(str(path)), "x86_64")
    planned = plan.devices.keys() | ELSEWHERE["x86_64"]
    domains = plan_domains.made(host, plan)
    lines = [(each, libvirt.native(xml)[0]) for each, xml in domains]
    known = [(each, line) for each, line in lines if line]
    assert len(known) >= POLICIES[name]
    for each, line in known:
        assert plan_domains.devices(line) <= planned, each
        assert family(plan_domains.machine(line)) in plan.machines, each


@services.needs_nova(34, "the models of encrypted memory")
def test_each_way_to_encrypt_memory_is_planned_or_named(
    host: nova_domains.Host,  # noqa: F811
) -> None:
    plan = needs.make(document.load(document.shipped("strict")), "x86_64")
    ways = {
        plan_domains.encrypted(xml) for _, xml in plan_domains.made(host, plan)
    }
    assert ways == {None, "sev", "sev-snp", "tdx"}
    assert "SEV" in plan.symbols
    assert any("intel-tdx" in line for line in needs.unstarted(plan))
