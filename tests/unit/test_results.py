# SPDX-License-Identifier: Apache-2.0
"""Traits that tell results apart: written, read, and read when damaged."""

import itertools
import re

import pytest

from nova_vhard.catalogue import results
from nova_vhard.catalogue.checks import CHECKS, OURS
from nova_vhard.host.check import Status

OTHERS = [status for status in Status if status is not Status.PASS]


@pytest.mark.parametrize("shift", range(len(Status)))
def test_what_is_written_is_read(shift):
    cycle = itertools.islice(itertools.cycle(Status), shift, None)
    statuses = dict(zip(CHECKS, cycle, strict=False))
    result = results.decode(results.encode(statuses))
    for name in OURS:
        status = statuses[name]
        # That a check has passed its own trait says, and nothing else.
        expected = Status.UNKNOWN if status is Status.PASS else status
        assert result[name] == expected


def test_they_are_few_names_that_placement_takes():
    names = set()
    for status in Status:
        written = results.encode(dict.fromkeys(CHECKS, status))
        assert len(written) <= 12
        names |= written
    assert "CUSTOM_VHSTATUS_12_FFFF" in names
    assert all(re.fullmatch("CUSTOM_[A-Z0-9_]{1,248}", each) for each in names)


@pytest.mark.parametrize(
    ("traits", "status"),
    [
        (["CUSTOM_VHSTATUS_00_XFXX"], "FAIL"),
        (["CUSTOM_VHSTATUS_00_XPXX"], "UNKNOWN"),
        (["CUSTOM_VHSTATUS_00_X?XX"], None),
        (["CUSTOM_VHSTATUS_00_XZXX"], "UNKNOWN"),
        (["CUSTOM_VHSTATUS_00_XFXXX"], None),
        (["CUSTOM_VHSTATUS_00_XFXX\n"], None),
        (["CUSTOM_VHSTATUS_0_XFXX"], None),
        (["CUSTOM_VHSTATUS_00_XXXX"], None),
        (["CUSTOM_VHARD_IOMMU", "COMPUTE_NODE", ""], None),
        (["CUSTOM_VHSTATUS_00_XFXX", "CUSTOM_VHSTATUS_00_XNXX"], "UNKNOWN"),
        (["CUSTOM_VHSTATUS_00_XFXX", "CUSTOM_VHSTATUS_01_FXXX"], "FAIL"),
        (["CUSTOM_VHSTATUS_99_FFFF"], None),
    ],
)
def test_what_is_damaged_or_contradicts_itself_is_unknown(traits, status):
    assert OURS["iommu"] == "Check-Virt-01"
    assert results.decode(traits).get("iommu") == status


def test_what_a_report_leaves_out_is_not_told():
    written = results.encode({"iommu": Status.FAIL, "of_others": "FAIL"})
    assert written == {"CUSTOM_VHSTATUS_00_XFXX"}
    assert results.encode({}) == frozenset()
