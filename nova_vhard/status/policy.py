# SPDX-License-Identifier: Apache-2.0
"""The policy: the file is valid, and the services use it."""

import contextlib
import functools
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.common import mounts, source, state
from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import document, release, watch
from nova_vhard.policy.model import Mode, Policy
from nova_vhard.status.answers import (
    NotHere,
    fail,
    together,
    warn,
)
from nova_vhard.status.node import Node

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


def policy(node: Node) -> Result:
    """Check the policy file, and the state that the services report.

    =======  ==========================================================
    SUCCESS  the file is valid, and every service that reports its state
             uses it
    WARNING  a service uses another policy, runs another version, or
             cannot keep a copy; or nothing is refused
    FAILURE  the file is invalid, or a service has no policy
    =======  ==========================================================
    """
    digests: dict[str, str | None] = {}
    running: Counter[str] = Counter()
    results: list[Result] = []
    for name, services in _SERVICES:
        with contextlib.suppress(NotHere):
            conf = getattr(node, name)
            results += _judge(services, conf, digests, running)
    if not digests:
        raise NotHere("nova.conf or glance-api.conf")
    if None not in digests.values() and len(set(digests.values())) > 1:
        listed = " and ".join(
            f"{digest} ({digests[digest]})" for digest in digests
        )
        results.append(
            warn(
                f"Nova and Glance use different policies: {listed}. Set "
                "[vhard] policy_file of both to the same file."
            )
        )
    if len(running) > 1:
        ((most, count),) = running.most_common(1)
        results.append(
            warn(f"{count} of {running.total()} gates run policy {most}.")
        )
    listed = ", ".join(
        f"policy {digests[digest]} of {digest}" for digest in digests
    )
    return together(results, f"{listed} can be used.")


def _judge(
    services: tuple[str, ...],
    conf: cfg.ConfigOpts,
    digests: dict[str, str | None],
    running: Counter[str],
) -> Iterator[Result]:
    """Check the policy of one configuration; report each file only once.

    :param digests: digests of the files so far, None for an invalid file; the
        digest of this one is added
    :param running: what gates say that they judge by, likewise
    """
    path = os.path.abspath(conf.vhard.policy_file)
    known = path in digests
    reading = document.Reading(path)
    now = reading.policy
    digests[path] = now.digest if now else None
    folder = os.path.abspath(conf.vhard.state_path)
    there = folder
    while not os.path.exists(there):
        there = os.path.dirname(there)
    if not os.access(there, os.W_OK | os.X_OK):
        yield warn(
            f"User {os.geteuid()} cannot write to {folder}: after a restart "
            "with a broken policy file there is no policy. If the service "
            "runs as another user, specify it with --user. Run install -d -o "
            f"{os.geteuid()} -m 0750 {folder}."
        )
    kept: dict[str, str] = {}
    for service in services:
        file = os.path.join(folder, f"policy-{service}.json")
        try:
            runs = state.read(file + watch.RUNS, dict)
            digest_of = functools.partial(_digest, file, path)
            if digest := state.read(file, digest_of, 16 * source.MAX_LIMIT):
                kept[service] = digest
        except (OSError, ValueError) as error:
            yield warn(
                f"The saved policy of {service} cannot be used: {error}. "
                "Run this command as root. A disk error would also affect "
                "the service after a restart. The next valid policy file "
                "replaces a damaged copy."
            )
            continue
        if runs is not None:
            running[runs["policy"] or "none"] += 1
            yield from _running(service, runs, path, now)
    if not known:
        if watch.disabled(path):
            yield warn(
                f"{path}{watch.DISABLED} exists, so nothing is refused. "
                "Remove it to enforce again."
            )
        if mounted := mounts.warning(path):
            yield warn(mounted)
    if now is None:
        stated = "" if known else f"{PolicyError(reading.problems)}. "
        if not os.access(path, os.R_OK) and os.path.exists(path):
            stated += (
                f"User {os.geteuid()} cannot read it. Run chmod 0644 {path}. "
                "Several services read it, and it has no secrets. "
            )
        if not watch.disabled(path):
            stated += _who_goes_on(services, kept)
        yield fail(stated.strip() or f"{path} cannot be used.")
    elif not known:
        yield from (warn(f"{each}.") for each in reading.warnings)
        if not now.enabled:
            yield warn(
                f"{path} says enabled: false, and nothing is refused. To "
                "enforce again, write enabled: true."
            )
        elif now.mode is Mode.AUDIT:
            yield warn(
                f"{path} says mode: audit: only rules and projects with a "
                "mode of their own are enforced. To enforce the others, write "
                "mode: enforce."
            )


def _digest(file: str, path: str, copy: Any) -> str | None:
    """Return the digest of a copy; None if it is not one that holds."""
    with contextlib.suppress(PolicyError):
        if os.path.abspath(copy["path"]) == path:
            version = copy.get("version", "0")
            return document.restore(copy["data"], file, version)[0].digest
    return None


def _running(
    service: str, runs: dict[str, Any], path: str, now: Policy | None
) -> Iterator[Result]:
    """Judge what a service has written about itself (``PolicyFile.runs``)."""
    digest, since, refused = runs["policy"], runs["since"], runs["refused"]
    own = str(release.INSTALLED)
    if runs["release"] != own:
        yield warn(
            f"{service} runs nova-vhard {runs['release']}, but this command "
            f"is version {own}: restart {service} after its package is {own}."
        )
    judges = f"{service} uses policy {digest} of {runs['file']}"
    if refused:
        # If the file is invalid here, too, its errors are reported below.
        why = f": {refused}" if now else ""
        yield (warn if digest else fail)(
            f"{judges} and refuses the file since {since}{why}. Fix the "
            f"file; if {service} runs another version, restart it."
        )
    elif runs["file"] != path:
        yield warn(f"{judges}, not of {path}: restart it.")
    elif now and digest != now.digest:
        yield warn(
            f"{judges} since {since}, and the file is {now.digest}: the "
            "service has checked no request since the file changed, or is "
            "not running. Look for 'is in force' in its log."
        )


def _who_goes_on(services: tuple[str, ...], kept: dict[str, str]) -> str:
    """Return which policy applies while a policy file is broken."""
    if not kept:
        ends = " and ".join(_WITHOUT[service] for service in services)
        return (
            f"{' and '.join(services)} would have no policy: {ends}. Correct "
            "the file; running services need no restart."
        )
    listed = ", ".join(f"{service}: {kept[service]}" for service in kept)
    return (
        f"The last valid policy stays in force ({listed}). Correct the "
        "file; no restart is needed."
    )
