# SPDX-License-Identifier: Apache-2.0
"""How to make a copy of an image that another project owns.

Glance lets nobody else change an image, a public one included, and lets
everybody who sees it download it.
"""

from nova_vhard.common.commands import command, options, plain
from nova_vhard.policy.hardware import Holder
from nova_vhard.policy.remedy import Properties

_FILE = "my-copy.img"
_NAME = "my-copy"

#: Disk formats that must be the container format as well.
_SAME_CONTAINER = frozenset(("aki", "ami", "ari"))


def how_to_copy(holder: Holder, properties: Properties) -> str:
    """Return whose an image is to change, and how to get one of one's own.

    :param properties: what the copy has to say
    """
    image = plain(holder.id, "IMAGE")
    owner = plain(holder.project, "PROJECT")
    disk = plain(holder.disk_format, "DISK_FORMAT")
    container = disk if disk in _SAME_CONTAINER else "bare"
    save = command("image", "save", "--file", _FILE, image)
    create = command(
        "image",
        "create",
        *("--file", _FILE),
        *("--disk-format", disk),
        *("--container-format", container),
        *options("--property", properties),
        _NAME,
    )
    return (
        f"image {image} belongs to project {owner}, who alone can change it; "
        f"to use a copy of your own, which has no property but these, run "
        f"{save}, then {create}, and name {_NAME} in its place"
    )
