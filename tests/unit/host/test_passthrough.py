# SPDX-License-Identifier: Apache-2.0
"""Offered devices, beside cases/passthrough.yaml: their types, and many."""

import pathlib
import re

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.pci.pci import Kind, devices
from nova_vhard.host.root import HostRoot
from tests.trees import build, capture, facts, functions


def test_types_are_those_that_libvirt_tells(tmp_path):
    """Nova takes them from libvirt's node devices, which were captured."""
    root = capture("vtd-on", tmp_path)
    text = pathlib.Path(root, "CMD/virsh-nodedev").read_text()
    given = {}
    for each in text.split("<device>")[1:]:
        address = re.search("<path>.*/(.*)</path>", each)[1]
        is_parent = "'virt_functions'" in each
        given[address] = Kind.PF if is_parent else Kind.PCI
        if "'phys_function'" in each:
            given[address] = Kind.VF
    result = {each.address: each.kind for each in devices(HostRoot(root))}
    assert {each: given[each] for each in result} == result
    assert sorted(result.values()).count(Kind.VF) == 4
    parents = {each for each in result if result[each] is Kind.PF}
    assert parents == {"0000:01:00.0", "0000:02:00.0"}


def test_thousands_of_virtual_functions(tmp_path):
    pfs = [f"0000:{bus:02x}:00.0" for bus in range(8)]
    vfs = {
        pf: [
            f"{pf[:7]}:{slot:02x}.{function}"
            for slot in range(1, 32)
            for function in range(8)
        ]
        for pf in pfs
    }
    identities = dict.fromkeys(pfs, "8086:1572") | {
        each: "8086:154c" for answer in vfs.values() for each in answer
    }
    content = functions(identities, vfs) | facts({"product_id": "154c"})
    host = Host(HostRoot(build(tmp_path, content)))
    checks = {each.name: each for each in report.load()}
    result = checks["passthrough_one_time_use"].run(host)
    assert result.status is Status.NOT_APPLICABLE
    assert f"{8 * 248} offered VFs cannot" in " ".join(result.evidence)
    result = checks["passthrough_resettable"].run(host)
    assert result.status is Status.FAIL
    assert result.evidence[-1].startswith("and 1")
