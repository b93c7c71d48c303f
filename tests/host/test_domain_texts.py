# SPDX-License-Identifier: Apache-2.0
"""The domains of libvirt's own tests are read, or refused in a line.

``NOVA_VHARD_LIBVIRT_SOURCE`` names libvirt's unpacked sources, as ``apt-get
source libvirt`` brings them.
"""

import os
import pathlib
from collections import Counter

import pytest

from nova_vhard.policy.subject import START
from nova_vhard.request import domain

SOURCE = os.environ.get("NOVA_VHARD_LIBVIRT_SOURCE", "")

pytestmark = pytest.mark.skipif(
    not SOURCE, reason="NOVA_VHARD_LIBVIRT_SOURCE names no sources of libvirt"
)


def test_domains_of_libvirts_own_tests():
    folder = pathlib.Path(SOURCE, "tests", "qemuxmlconfdata")
    counts: Counter[str] = Counter()
    for path in sorted(folder.glob("*.xml")):
        try:
            result = domain.read(path.read_bytes(), START, "x86_64")
        except domain.DomainError as error:
            assert "\n" not in str(error)
            counts["refused"] += 1
            continue
        assert result.uuid
        counts["read"] += 1
        for choice in result.request.choices:
            counts[choice.kind] += 1
        counts["no word"] += len(result.request.faults)
        counts["of the host"] += len(result.request.passthrough)
    print(counts)
    assert counts["read"] > 2000, counts
    assert counts["refused"] < 20, counts
