# SPDX-License-Identifier: Apache-2.0
"""Captured trees of hosts, as the file systems of compute nodes."""

import os
import pathlib
import shutil
import tarfile

_CAPTURES = pathlib.Path(__file__).parents[2] / "tests" / "data" / "captures"


def unpack(tree, root, node):
    """Make a captured tree the file system of a compute node from now on.

    Whoever unpacks it can also remove it.

    :param node: the compute node's uuid, as nova-compute keeps it in a file
    """
    if root.exists():
        shutil.rmtree(root)
    with tarfile.open(_CAPTURES / f"{tree}.tar.gz") as packed:
        # Links lead where they led on the host, also out of the tree; the
        # reporter follows them inside of it.
        packed.extraction_filter = lambda member, _path: member
        for member in packed:
            if member.isfile() or member.isdir() or member.issym():
                member.mode = 0o755 if member.isdir() else 0o644
                member.uid, member.gid = os.getuid(), os.getgid()
                member.uname = member.gname = ""
                packed.extract(member, root)
    identity = root / "var/lib/nova/compute_id"
    identity.parent.mkdir(parents=True, exist_ok=True)
    identity.write_text(f"{node}\n")
