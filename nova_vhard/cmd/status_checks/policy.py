# SPDX-License-Identifier: Apache-2.0
"""The policy: it can be used, and it is the one that is used."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.cmd.status_checks.answers import (
    NotHere,
    fail,
    together,
    warn,
)
from nova_vhard.cmd.status_checks.node import Node
from nova_vhard.common import mounts, state
from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import document, watch
from nova_vhard.policy.model import Policy

_SERVICES = (
    ("nova", ("nova-scheduler", "nova-api")),
    ("glance", ("glance-api",)),
)

#: What each does where there is no policy.
_WITHOUT = {
    "nova-scheduler": "nova-scheduler does not start",
    "nova-api": "nova-api answers 503",
    "glance-api": "glance-api answers 503",
}

#: Services, and the configuration that they read.
_Configuration = tuple[tuple[str, ...], cfg.ConfigOpts]


@dataclass(frozen=True)
class _Copy:
    """The last good policy that a service kept.

    :ivar path: file that it was read from
    :ivar digest: None where this version cannot use it
    """

    service: str
    path: str
    digest: str | None


def policy(node: Node) -> Result:
    """Judge the policy file, and what the services made of it.

    =======  ==========================================================
    SUCCESS  it can be used, and every copy that a service keeps is of it
    WARNING  a service keeps another policy, or nothing is refused
    FAILURE  it cannot be used
    =======  ==========================================================
    """
    confs = _configurations(node)
    if not confs:
        raise NotHere("nova.conf or glance-api.conf")
    digests: dict[str, str | None] = {}
    results: list[Result] = []
    for services, conf in confs:
        results += _judge(services, conf, digests)
    if None not in digests.values() and len(set(digests.values())) > 1:
        listed = " and ".join(
            f"{digest} ({digests[digest]})" for digest in digests
        )
        results.append(
            warn(
                f"Nova and Glance judge by different policies: {listed}. "
                "Name one file in [vhard] policy_file of both."
            )
        )
    listed = ", ".join(
        f"policy {digests[digest]} of {digest}" for digest in digests
    )
    return together(results, f"{listed} can be used.")


def _configurations(node: Node) -> list[_Configuration]:
    result: list[_Configuration] = []
    for name, services in _SERVICES:
        try:
            result.append((services, getattr(node, name)))
        except NotHere:
            continue
    return result


def _judge(
    services: tuple[str, ...],
    conf: cfg.ConfigOpts,
    digests: dict[str, str | None],
) -> Iterator[Result]:
    """Judge one configuration's policy; what a file says is said once.

    :param digests: of the files so far, None for a broken one; added to
    """
    path = os.path.abspath(conf.vhard.policy_file)
    copies: list[_Copy] = []
    for service in services:
        try:
            copy = _kept(service, conf)
            copies += [copy] if copy else []
        except OSError as error:
            yield warn(
                f"The copy of the last good policy of {service} cannot be "
                f"read: {error}. Run this command as root; an error of the "
                "disk keeps a restarted service from it, too."
            )
        except ValueError as error:
            yield warn(
                f"The copy of the last good policy of {service} is damaged: "
                f"{error}. The next good policy file replaces it."
            )
    known = path in digests
    try:
        now = document.load(path, limit=conf.vhard.policy_max_size)
    except PolicyError as error:
        digests[path] = None
        stated = "" if known else f"{error}. "
        if watch.disabled(path):
            yield fail(stated.strip() or f"{path} cannot be used.")
        else:
            yield fail(stated + _who_goes_on(services, copies, path))
        if not known:
            yield from _beside(path)
        return
    digests[path] = now.digest
    yield from _stale(now, path, copies)
    if not known:
        yield from _beside(path)
    if not now.enabled and not known:
        yield warn(
            f"{path} says enabled: false, and nothing is refused. Take that "
            "line away to enforce again."
        )


def _beside(path: str) -> Iterator[Result]:
    """Yield what disables a policy file, or keeps its changes away."""
    if watch.disabled(path):
        yield warn(
            f"{path}{watch.DISABLED} is there, and nothing is refused. "
            "Remove it to enforce again."
        )
    if mounted := mounts.warning(path):
        yield warn(mounted)


def _kept(service: str, conf: cfg.ConfigOpts) -> _Copy | None:
    """Return the copy of a service, if it keeps one.

    :raises OSError: if it cannot be read
    :raises ValueError: if it is damaged
    """
    file = os.path.join(conf.vhard.state_path, f"policy-{service}.json")

    def parse(copy: Any) -> _Copy:
        try:
            version = copy.get("version", "0")
            digest = document.restore(copy["data"], file, version)[0].digest
        except PolicyError:
            digest = None
        return _Copy(service, os.path.abspath(copy["path"]), digest)

    return state.read(file, parse, 16 * conf.vhard.policy_max_size)


def _who_goes_on(
    services: tuple[str, ...], copies: list[_Copy], path: str
) -> str:
    """Say what holds while a policy file is broken."""
    going_on = [copy for copy in copies if copy.path == path and copy.digest]
    if not going_on:
        ends = " and ".join(_WITHOUT[service] for service in services)
        return (
            f"Nothing is known that {' and '.join(services)} could go on "
            f"with: {ends}. Mend the file; no restart is needed where a "
            "service runs."
        )
    listed = ", ".join(f"{item.service}: {item.digest}" for item in going_on)
    return (
        f"The last good policy still holds ({listed}). Mend the file; no "
        "restart is needed."
    )


def _stale(now: Policy, path: str, copies: list[_Copy]) -> Iterator[Result]:
    for copy in copies:
        if copy.path != path:
            yield warn(
                f"{copy.service} last judged by {copy.path}, not by {path}: "
                "restart it."
            )
        elif copy.digest != now.digest:
            yield warn(
                f"{copy.service} last judged by policy "
                f"{copy.digest or 'of another version'}, and {path} is "
                f"{now.digest}: it has judged nothing since the file "
                "changed, does not run, or cannot write its copy. Look for "
                "'holds' in its log."
            )
