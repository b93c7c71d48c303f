# SPDX-License-Identifier: Apache-2.0
"""Which bits of a configuration space are compared: data, and a real one."""

import itertools

import pytest

from nova_vhard.node.cleaner import config, config_layout
from tests.unit.cleaner import trees
from tests.unit.cleaner.trees import E1000E, IGB, NVME, VIRTIO

TABLES = {
    "header": config_layout.HEADER,
    "PCI Express 2": config_layout.PCIE_2,
    **{
        f"{number:#x} {each.name}": each.registers
        for number, each in itertools.chain(
            config_layout.CAPABILITIES.items(),
            ((0x1000 + x, y) for x, y in config_layout.EXTENDED.items()),
        )
    },
}


@pytest.mark.parametrize("name", TABLES)
def test_registers_are_in_order_and_apart(name):
    end = -1
    for each in TABLES[name]:
        assert each.offset >= end, each
        assert each.volatile < 1 << 8 * each.size, each
        end = each.offset + each.size
    first = TABLES[name][0].offset if TABLES[name] else 4
    # Id and next pointer are always compared.
    assert name == "header" or first >= (
        4 if name[:3] == "0x1" and len(name.split()[0]) > 4 else 2
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return trees.tree(tmp_path_factory.mktemp("tree"), others=True)


def silent(data, offsets):
    """Return offset to the bits that can change and are not told."""
    result = {}
    for offset in offsets:
        for bit in range(8):
            now = bytearray(data)
            now[offset] ^= 1 << bit
            if not config.differences(data, bytes(now)):
                result[offset] = result.get(offset, 0) | 1 << bit
    return result


def test_every_bit_of_an_nvme_drives_header(root):
    assert silent(config.read(root, NVME), range(0x40)) == {
        # Command and status.
        0x04: 0xFF, 0x05: 0xFF, 0x06: 0x08, 0x07: 0xF9,
        # Cache line size, latency timer, BIST.
        0x0C: 0xFF, 0x0D: 0xFF, 0x0F: 0x4F,
        # One 64-bit base address; the other four are none.
        0x10: 0xF0, 0x11: 0xFF, 0x12: 0xFF, 0x13: 0xFF,
        0x14: 0xFF, 0x15: 0xFF, 0x16: 0xFF, 0x17: 0xFF,
        # Option ROM, interrupt line.
        0x30: 0x01, 0x31: 0xF8, 0x32: 0xFF, 0x33: 0xFF,
        0x3C: 0xFF,
    }  # fmt: skip


@pytest.mark.parametrize("address", [NVME, IGB, E1000E, VIRTIO])
def test_most_of_a_space_is_compared_and_every_list_too(root, address):
    data = config.read(root, address)
    quiet = set()
    for offset in range(0x40, min(len(data), 0x200)):
        now = bytearray(data)
        now[offset] ^= 0xFF
        if not config.differences(data, bytes(now)):
            quiet.add(offset)
    assert len(quiet) < 150
    for offset, _, extended in config._capabilities(data):
        for place in range(offset, offset + (4 if extended else 2)):
            assert place not in quiet


def test_a_change_is_not_hidden_by_another_list(root):
    """A device that answers with a list of its own to have bits left out."""
    good = config.read(root, NVME)
    now = bytearray(good)
    # Vital product data, which is all volatile, over the vendor's bytes.
    now[0x34] = 0xC0
    now[0xC0:0xC8] = b"\x03\x40" + b"\x77" * 6
    text = " ".join(config.differences(good, bytes(now)))
    for offset in ("0x34", "0xc0", "0xc4"):
        assert f"({offset})" in text


@pytest.mark.parametrize("pointer", [0x00, 0x04, 0x40, 0xFC, 0xFF])
def test_lists_that_lead_nowhere_end(root, pointer):
    data = bytearray(config.read(root, NVME))
    data[0x34] = data[0x41] = pointer
    data[0x100:0x104] = b"\x02\x00\xc1\xff"
    data[0xFFC:0x1000] = b"\x02\x00\x01\x10"
    assert config.differences(bytes(data), bytes(data)) == []


def test_a_space_of_another_size(root):
    data = config.read(root, NVME)
    assert config.differences(data, data[:256]) == [
        "its size: enrolled 4096 bytes, now 256"
    ]
