# SPDX-License-Identifier: Apache-2.0
"""Traits that tell results apart: written, read, and read when damaged."""

import itertools
import re

import pytest

from nova_vhard.catalogue import results
from nova_vhard.catalogue.checks import CHECKS, OURS
from nova_vhard.host.check import Status


@pytest.mark.parametrize("shift", range(len(Status)))
def test_what_is_written_is_read(shift):
    cycle = itertools.islice(itertools.cycle(Status), shift, None)
    statuses = dict(zip(CHECKS, cycle, strict=False))
    # The trait of its own says that a check has passed, and nothing else.
    assert results.decode(results.encode(statuses)) == {
        name: statuses[name]
        for name in OURS
        if statuses[name] is not Status.PASS
    }


def test_they_are_few_short_names_that_placement_takes():
    assert results.encode({}) == frozenset()
    assert len(results.TRAITS) == 3 * len(OURS)
    # Nova puts all traits of a host into one URL.
    most = results.encode(dict.fromkeys(CHECKS, Status.FAIL))
    assert len(",".join(most)) < 700
    for name in results.TRAITS:
        assert re.fullmatch("CUSTOM_VHSTATUS_[0-9]{2}_[FUN]", name)


@pytest.mark.parametrize(
    ("traits", "status"),
    [
        (["CUSTOM_VHSTATUS_01_F"], "FAIL"),
        (["CUSTOM_VHSTATUS_01_P"], None),
        (["CUSTOM_VHSTATUS_01_F\n"], None),
        (["CUSTOM_VHSTATUS_1_F"], None),
        (["CUSTOM_VHSTATUS_00_XFXX"], None),
        (["CUSTOM_VHARD_IOMMU", "COMPUTE_NODE", ""], None),
        (["CUSTOM_VHSTATUS_01_F", "CUSTOM_VHSTATUS_01_N"], "UNKNOWN"),
        (["CUSTOM_VHSTATUS_01_F", "CUSTOM_VHSTATUS_02_N"], "FAIL"),
        (["CUSTOM_VHSTATUS_99_F"], None),
    ],
)
def test_what_is_damaged_or_contradicts_itself_is_unknown(traits, status):
    assert OURS["iommu"] == "Check-Virt-01"
    assert results.decode(traits).get("iommu") == status
