# SPDX-License-Identifier: Apache-2.0
"""Which host is which agent's: the one thing that somebody has to write down.

    hosts:
      compute1: d432fbb3-d2f1-4a97-9ef7-75bd81c00000
      f0f1c2a4-5c5c-4a7e-9b43-4bd0e2f60d11: compute2.example.org

A host is named by its resource provider, name or uuid; an agent as its
verifier names it.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from nova_vhard.common import source, yaml_lines
from nova_vhard.common.problems import Path, Problem, spell
from nova_vhard.common.text import clean, quote
from nova_vhard.placement.client import Provider

_LIMIT = 16 * 1024 * 1024
#: Hosts and agents of one file.
_NODES = 500_000
_NAMED = 20


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
    data, faults = _read(path, text)
    if faults:
        raise MappingError(_joined(faults))
    return dict(data["hosts"])


def _read(path: str, text: str) -> tuple[Any, list[str]]:
    """Return the content of a mapping, and its faults."""
    faults: list[str] = []

    def report(line: int, place: Path, message: str) -> None:
        """Note a fault of the file."""
        faults.append(str(Problem(path, line, spell(place), message)))

    data, lines = yaml_lines.read(text, report, _NODES)
    if not faults:
        for place, message in _faults(data):
            report(lines.of(place), place, message)
    return data, faults


def _joined(faults: list[str]) -> str:
    more = len(faults) - _NAMED
    rest = f"; and {more} more" if more > 0 else ""
    return "; ".join(faults[:_NAMED]) + rest


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
        if not isinstance(agent, str) or not agent:
            yield ("hosts", host), "names no agent"
        elif owners.setdefault(agent, host) != host:
            yield (
                ("hosts", host),
                f"{quote(agent)} is the agent of {quote(owners[agent])} too: "
                "a machine vouches for itself alone",
            )


def resolve(
    hosts: Mapping[str, str], providers: Collection[Provider]
) -> tuple[dict[str, str], list[str]]:
    """Return the agent of each provider, and what is wrong with the rest.

    :param hosts: as ``load`` returns them
    :param providers: every compute node's
    :returns: uuid of a provider to its agent; a line for each host that is
        no compute node, or that two lines name
    """
    known = {provider.uuid: provider.uuid for provider in providers}
    known |= {provider.name: provider.uuid for provider in providers}
    result: dict[str, str] = {}
    wrong: list[str] = []
    doubled: set[str] = set()
    for host, agent in hosts.items():
        uuid = known.get(host)
        if uuid is None:
            wrong.append(
                f"{clean(host)} is no compute node of Placement's: write it "
                "as openstack vhard host list does, or take it out"
            )
        elif uuid in result:
            doubled.add(uuid)
            wrong.append(f"{clean(host)} is in it twice, by name and by uuid")
        else:
            result[uuid] = agent
    for uuid in doubled:
        del result[uuid]
    return result, wrong
