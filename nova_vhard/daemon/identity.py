# SPDX-License-Identifier: Apache-2.0
"""Resource provider of this host."""

import contextlib
import socket
from typing import Any, NamedTuple
from urllib.parse import quote

from oslo_utils import uuidutils

from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.placement.client import (
    Placement,
    Provider,
    ProviderNotFound,
)


class Key(NamedTuple):
    """Key of a resource provider: its uuid or its name."""

    uuid: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        """Return the key as a query string for Placement."""
        if self.uuid:
            return f"uuid={quote(self.uuid)}"
        return f"name={quote(self.name or '')}"


def own(placement: Placement, options: Any) -> Provider:
    """Find the provider as ``find`` does, and verify that it is this host's.

    The uuid can be another host's, for example in a copied identity file. So
    the provider must be named like this host, or as configured.

    :raises ProviderNotFound: if there is none, or it has another name
    """
    provider = find(placement, options)
    if options.provider_name:
        return provider
    names = [socket.getfqdn(), socket.gethostname()]
    # The name that libvirt, and so Nova, may give this host: as
    # virGetHostname() of libvirt does.
    with contextlib.suppress(OSError, UnicodeError):
        names += [
            entry[3]
            for entry in socket.getaddrinfo(
                socket.gethostname(), None, flags=socket.AI_CANONNAME
            )
            if entry[3]
        ]
    names += _written_name(HostRoot(options.root))
    if provider.name not in names:
        raise ProviderNotFound(
            f"provider {provider.uuid} is named {provider.name[:200]!r}, and "
            f"this host {' or '.join(dict.fromkeys(names))}: if it is this "
            "host's all the same, set provider_name"
        )
    return provider


def find(placement: Placement, options: Any) -> Provider:
    """Find the root provider of this host's compute node.

    By the uuid in the compute node's identity file (nova-compute writes it);
    without such a file by name, which is the hypervisor's host name.

    :param options: group with provider_name, root and compute_id_file
    :raises ProviderNotFound: if there is none
    """
    return first(placement, keys(options))


def keys(options: Any) -> tuple[Key, ...]:
    """Return by what the provider of this host may be known, best first.

    :param options: as for ``find``
    :raises ProviderNotFound: if the identity file cannot be read
    """
    if options.provider_name:
        return (Key(name=options.provider_name),)
    uuid = compute_id(HostRoot(options.root), options.compute_id_file)
    if uuid:
        return (Key(uuid=uuid),)
    names = dict.fromkeys((socket.getfqdn(), socket.gethostname()))
    return tuple(Key(name=name) for name in names)


def first(placement: Placement, candidates: tuple[Key, ...]) -> Provider:
    """Return the provider of the first key that has one.

    :raises ProviderNotFound: if none has
    """
    for key in candidates:
        with contextlib.suppress(ProviderNotFound):
            return placement.provider(key.uuid, key.name)
    wanted = " or ".join(map(str, candidates))
    raise ProviderNotFound(f"no resource provider with {wanted}")


def _written_name(root: HostRoot) -> list[str]:
    """Return the name in the host's file, for a cleaner in a container."""
    try:
        return [root.peek("/etc/hostname")]
    except Unreadable:
        return []


def name_of(root: HostRoot) -> str:
    """Return a host's name as Nova has it, or that in the file of a copy."""
    names = [] if root.root == "/" else _written_name(root)
    return names[0] if names else socket.getfqdn()


def compute_id(root: HostRoot, path: str) -> str | None:
    """Return the uuid in a compute node's identity file.

    :returns: None where there is no such file
    :raises ProviderNotFound: if it cannot be read, or holds no uuid: to fall
        back to a name then could mean another host
    """
    try:
        text = root.peek(path)
    except Unreadable as error:
        if error.missing:
            return None
        raise ProviderNotFound(str(error)) from error
    if not uuidutils.is_uuid_like(text):
        raise ProviderNotFound(f"{path} holds no uuid")
    return text
