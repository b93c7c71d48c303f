# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard host list`` on the real Placement."""

import datetime

from nova_vhard.catalogue import traits
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.cli.host import fleet

NOW = datetime.datetime(2026, 6, 15, 12, 30, tzinfo=datetime.UTC)
IOMMU = traits.of_check("iommu")
COMPUTE = "COMPUTE_NODE"


def row(name, status, *passed):
    cells = ("PASS" if check in passed else "-" for check in CHECKS)
    return (name, status, *cells)


def test_one_row_a_compute_node(cloud):
    fresh = traits.of_hour(NOW)
    stale = traits.of_hour(NOW - datetime.timedelta(hours=9))
    cloud.host("b-proven", {COMPUTE, IOMMU, fresh})
    cloud.host("a-bare", {COMPUTE, fresh})
    cloud.host("c-stale", {COMPUTE, IOMMU, stale})
    cloud.host("d-silent", {COMPUTE})
    cloud.host("a storage pool", {"CUSTOM_OTHER"})
    assert fleet(cloud.placement, NOW, 2) == [
        row("a-bare", "fresh"),
        row("b-proven", "fresh", "iommu"),
        row("c-stale", "stale", "iommu"),
        row("d-silent", "silent"),
    ]


def test_before_any_reporter(cloud):
    cloud.host("a", {COMPUTE})
    assert fleet(cloud.placement, NOW, 2) == [row("a", "silent")]


def test_the_requests_do_not_grow_with_the_fleet(cloud):
    counts = []
    for number in range(12):
        cloud.host(f"host{number}", {COMPUTE, IOMMU, traits.of_hour(NOW)})
        cloud.requests.clear()
        fleet(cloud.placement, NOW, 2)
        counts.append(len(cloud.requests))
    assert len(set(counts)) == 1
