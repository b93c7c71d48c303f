# SPDX-License-Identifier: Apache-2.0
"""The domains of libvirt's own tests are read, or refused in a line.

``NOVA_VHARD_LIBVIRT_SOURCE`` names libvirt's unpacked sources, as ``apt-get
source libvirt`` brings them.
"""

import os
import pathlib

import pytest

from nova_vhard.policy.subject import START
from nova_vhard.request import domain

SOURCE = os.environ.get("NOVA_VHARD_LIBVIRT_SOURCE", "")

pytestmark = pytest.mark.skipif(
    not SOURCE, reason="NOVA_VHARD_LIBVIRT_SOURCE names no sources of libvirt"
)


def test_domains_of_libvirts_own_tests():
    folder = pathlib.Path(SOURCE, "tests", "qemuxmlconfdata")
    read, refused = [], []
    for path in sorted(folder.glob("*.xml")):
        try:
            read.append(domain.read(path.read_bytes(), START, "x86_64"))
        except domain.DomainError as error:
            refused.append(str(error))
    assert all(result.uuid for result in read)
    assert "\n" not in "".join(refused)
    assert len(read) > 2000 and len(refused) < 20, refused
