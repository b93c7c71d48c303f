# SPDX-License-Identifier: Apache-2.0
"""Reports of hosts for the tests, and what they leave in Placement."""

import datetime
import functools
import pathlib
import tempfile
from dataclasses import replace

from nova_vhard.catalogue import traits
from nova_vhard.host import report
from nova_vhard.host.check import Result, Status
from nova_vhard.host.host import Host
from nova_vhard.host.processes.check_process import in_process
from nova_vhard.host.root import HostRoot
from tests.trees import build, capture

SAMPLE = "HW_CPU_X86_AVX2"
NOW = datetime.datetime(2026, 6, 15, 12, 30, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
DAY = 24 * HOUR
IOMMU = traits.of_check("iommu")
#: Traits of others.
FOREIGN = {SAMPLE, "COMPUTE_NODE", "CUSTOM_OTHER"}
#: What the captured hosts of these names have proven.
VTD_ON = {
    traits.of_check(name)
    for name in ("iommu", "interrupt_remapping", "kernel_aslr", "smt")
}
NONE = {traits.of_check(name) for name in ("kernel_aslr", "smt")}
MARK = {traits.of_hour(NOW)}


@functools.cache
def _inspected(tree: str) -> report.HostReport:
    with tempfile.TemporaryDirectory() as folder:
        root = capture(tree, pathlib.Path(folder)) if tree else "/nowhere"
        host = Host(HostRoot(root))
        return report.inspect(host, NOW, report.load(), in_process)


def inspect(tree: str, time: datetime.datetime = NOW) -> report.HostReport:
    """Return the report of a captured host; "" for one without any file."""
    return replace(_inspected(tree), time=time)


def report_of(time: datetime.datetime, **statuses: str) -> report.HostReport:
    """Return a report of some checks."""
    results = [
        Result(name, Status[status], "") for name, status in statuses.items()
    ]
    return report.HostReport(time, tuple(results))


def identify(root: pathlib.Path, text: str) -> None:
    """Write the identity of a host's compute node."""
    build(root, {"/var/lib/nova/compute_id": text})
