# SPDX-License-Identifier: Apache-2.0
"""Who asks: the facts that modes and exemptions are chosen by."""

from dataclasses import dataclass

#: Operations; a move concerns a server that exists already.
BOOT = "boot"
MOVE = "move"
REBUILD = "rebuild"
RESCUE = "rescue"
RESIZE = "resize"
UNSHELVE = "unshelve"
ATTACH = "attach"
FLAVOR = "flavor"
UPLOAD = "upload"
UPDATE = "update"
SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks for the hardware, and in the course of what.

    :ivar operation: one of the operations of this module
    :ivar project: id of the project that owns the server or image
    :ivar domain: id of the domain of that project
    :ivar roles: the caller's roles, in lower case; empty where the caller
        acts on another project's server
    :ivar image: id of the image
    :ivar flavor: name of the flavor
    :ivar flavor_id: id of the flavor that users give
    """

    operation: str
    project: str | None = None
    domain: str | None = None
    roles: frozenset[str] = frozenset()
    image: str | None = None
    flavor: str | None = None
    flavor_id: str | None = None
