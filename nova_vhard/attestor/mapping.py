# SPDX-License-Identifier: Apache-2.0
"""Mapping of hosts to agents, written by the operator.

    hosts:
      f0f1c2a4-5c5c-4a7e-9b43-4bd0e2f60d11: compute1.example.org
      5f3e2b1c-77a0-4f43-8e0a-0d1f0c9a7b52: compute2.example.org

The key is the uuid of the host's compute node in Nova's database, which is
also that of its resource provider. Names are not used: nova-compute's login
on any host can rename a provider in Placement. The value is the agent's name
at its verifier.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping

from nova_vhard.common import source, yaml_lines
from nova_vhard.common.problems import Path, PolicyError
from nova_vhard.common.text import clean, quote
from nova_vhard.placement.client import Provider

_LIMIT = 16 * 1024 * 1024
_SHOWN = "openstack --os-compute-api-version 2.53 hypervisor list shows"
_UUID_FIX = (
    "and a name can be given to another provider by each compute node's "
    f"login: write the ID that {_SHOWN}"
)


class MappingError(Exception):
    """Raised when a mapping cannot be used: place, cause and fix."""


def load(path: str) -> dict[str, str]:
    """Return the agent of each host, as the file names them.

    :param path: of a file that nobody but root, or this user, can write
    :raises MappingError: with every fault; an agent of two hosts among them,
        since a machine vouches for itself alone
    """
    try:
        text = source.read_private(path, secret=False, limit=_LIMIT)
    except source.UnreadableError as error:
        raise MappingError(f"{path} {error}") from error
    data, _, problems = yaml_lines.load(path, text, _faults)
    if problems:
        raise MappingError(str(PolicyError(problems)))
    return dict(data["hosts"])


def _faults(data: object) -> Iterator[tuple[Path, str]]:
    if not isinstance(data, dict) or set(data) != {"hosts"}:
        yield (), "must have the key hosts and no other"
        return
    hosts = data["hosts"]
    if not isinstance(hosts, dict):
        yield ("hosts",), "must name an agent for each host"
        return
    owners: dict[str, str] = {}
    for host, agent in hosts.items():
        if not _is_uuid(host):
            yield ("hosts", host), f"is not a UUID, {_UUID_FIX}"
        elif not isinstance(agent, str) or not agent:
            yield ("hosts", host), "names no agent"
        elif owners.setdefault(agent, host) != host:
            yield (
                ("hosts", host),
                f"{quote(agent)} is the agent of {quote(owners[agent])} too: "
                "a machine vouches for itself alone",
            )


def _is_uuid(host: object) -> bool:
    """Return whether a host is a uuid as Placement writes it."""
    try:
        return str(uuid.UUID(str(host))) == host
    except ValueError:
        return False


def resolve(
    hosts: Mapping[str, str], providers: Collection[Provider]
) -> tuple[dict[str, str], list[str]]:
    """Return the agent of each provider, and the errors of the mapping.

    :param hosts: as returned by ``load``
    :param providers: those of all compute nodes
    :returns: uuid of a provider to its agent; a line for each host that is
        not a compute node
    """
    known = {provider.uuid for provider in providers}
    wrong = [
        f"{clean(host)} is not a compute node in Placement: write the ID that "
        f"{_SHOWN}, or remove it"
        for host in hosts
        if host not in known
    ]
    return {host: hosts[host] for host in hosts if host in known}, wrong
