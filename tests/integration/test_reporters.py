# SPDX-License-Identifier: Apache-2.0
"""Reporters as processes, and their reports as an operator sees them.

Reporters that are killed are in tests/functional/placement/test_reporter.py.
"""

from cloud.machines import MACHINES


def test_placement_knows_what_each_host_has_proven(admin):
    proven = [
        "CUSTOM_VHARD_IOMMU" in admin.traits(each.node) for each in MACHINES
    ]
    assert proven == [True, False, False]
    # and the operator sees it
    answer = admin.command(
        *("vhard", "host", "list", "-f", "value"),
        *("-c", "Host", "-c", "Status", "-c", "iommu"),
    )
    assert answer.text.splitlines() == [
        "compute1 fresh PASS",
        "compute2 fresh -",
        "compute3 fresh -",
    ]
