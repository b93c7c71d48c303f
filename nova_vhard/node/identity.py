# SPDX-License-Identifier: Apache-2.0
"""Which resource provider is this host's."""

import socket
from typing import Any

from oslo_config import cfg
from oslo_utils import uuidutils

from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.placement.client import (
    Placement,
    Provider,
    ProviderNotFound,
)


def provider(placement: Placement, conf: cfg.ConfigOpts) -> Provider:
    """Find the root provider of this host's compute node.

    By the uuid in the compute node's identity file (nova-compute writes it);
    without such a file by name, which is the hypervisor's host name.

    :raises ProviderNotFound: if there is none
    """
    return find(placement, conf.vhard_reporter)


def find(placement: Placement, options: Any) -> Provider:
    """Do as ``provider``, by an option group of another program.

    :param options: with provider_name, root and compute_id_file
    :raises ProviderNotFound: if there is none
    """
    if options.provider_name:
        return placement.provider(name=options.provider_name)
    uuid = compute_id(HostRoot(options.root), options.compute_id_file)
    if uuid:
        return placement.provider(uuid=uuid)
    names = dict.fromkeys((socket.getfqdn(), socket.gethostname()))
    for name in names:
        try:
            return placement.provider(name=name)
        except ProviderNotFound:
            continue
    raise ProviderNotFound(f"no resource provider named {' or '.join(names)}")


def compute_id(root: HostRoot, path: str) -> str | None:
    """Return the uuid in a compute node's identity file.

    :returns: None where there is no such file
    :raises ProviderNotFound: if it cannot be read, or holds no uuid: to fall
        back to a name then could mean another host
    """
    try:
        text = root.read(path)
    except Unreadable as error:
        if error.missing:
            return None
        raise ProviderNotFound(str(error)) from error
    if not uuidutils.is_uuid_like(text):
        raise ProviderNotFound(f"{path} holds no uuid")
    return text
