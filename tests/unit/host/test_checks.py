# SPDX-License-Identifier: Apache-2.0
"""All checks, beside the cases in cases: the control domain of Xen."""

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot
from tests.trees import build, pci_host


def test_no_check_passes_under_xen(tmp_path):
    content = {
        **pci_host({"0": ["0000:00:10.0"]}),
        "/sys/hypervisor/type": "xen\n",
        "/sys/hypervisor/guest_type": "PV\n",
        "/sys/hypervisor/uuid": "",
    }
    host = Host(HostRoot(build(tmp_path, content)))
    statuses = {each.run(host).status for each in report.load()}
    assert statuses == {Status.UNKNOWN}
