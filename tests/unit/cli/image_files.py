# SPDX-License-Identifier: Apache-2.0
"""Beginnings of image files, as the format inspector knows them."""

import struct


def disk(start=b"", at=0, size=512 << 10):
    """Return the bytes of a file, with these ones in it."""
    return start.rjust(at + len(start), b"\0").ljust(size, b"\0")


def qcow2(backing=0, encryption=0, data_file=0):
    """Return the header of a qcow2 file as docs/interop/qcow2.rst has it."""
    parts = (b"QFI\xfb", 3, backing, 0, 16, 1 << 20, encryption)
    return disk(struct.pack(">4sIQIIQI36xQ", *parts, data_file))


MBR = disk(bytes([0x80, 0, 2, 0, 0x83, 0, 0, 0, 1]), 446, 510) + b"\x55\xaa"
ISO = disk(b"\x01CD001", 0x8000)
#: Name of a file's content to the content.
MADE = {
    "qcow2": qcow2(),
    "backed": qcow2(backing=512),
    "two files": qcow2(data_file=4),
    "encrypted": qcow2(encryption=2),
    "mbr": disk(MBR),
    "zeros": disk(),
    "iso": ISO,
    # It boots as a disk, too, as most ISOs do.
    "hybrid": disk(MBR + ISO[512:]),
    "text": b"a text\n" * 9999,
    "luks": disk(b"LUKS\xba\xbe\0\x01"),
    "vhd": disk(b"conectix"),
    # A fault of the inspector's, in which Nova refuses the file, too.
    "fault": b"a" * 512 + b"\xe4" * 512,
    "qed": disk(b"QED\0"),
    "polyglot": qcow2()[:512] + ISO[512:],
}
