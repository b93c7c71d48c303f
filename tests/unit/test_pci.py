# SPDX-License-Identifier: Apache-2.0
"""Tests of the texts that are addresses of PCI functions."""

import pytest

from nova_vhard.common import pci


@pytest.mark.parametrize(
    ("text", "fields", "address"),
    [
        ("0000:0a:1f.7", ("0000", "0a", "1f", "7"), "0000:0a:1f.7"),
        ("ABCD:0A:1F.0", ("ABCD", "0A", "1F", "0"), "abcd:0a:1f.0"),
        # a slot has five bits, a function three
        ("0000:0a:20.0", None, None),
        ("0000:0a:1f.8", None, None),
        # a domain of 32 bits
        ("10000:0a:1f.7", None, None),
        ("0a:1f.7", None, None),
        ("0000:0a:1f.7\n", None, None),
        (" 0000:0a:1f.7", None, None),
        ("", None, None),
    ],
)
def test_an_address_and_its_fields(text, fields, address):
    assert pci.fields(text) == fields
    assert pci.address(text) == address
