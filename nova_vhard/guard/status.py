# SPDX-License-Identifier: Apache-2.0
"""Installed and running parts of the guard on this host, a line each."""

import datetime
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nova_vhard.guard import install, posture, service, wire
from nova_vhard.policy import watch

# Seconds that the daemon may take to answer.
_LIMIT = 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """One part of the guard.

    :ivar good: whether it works
    """

    subject: str
    text: str
    good: bool


def lines(options: Any) -> list[Line]:
    """Return what there is of the guard.

    :param options: group ``vhard_guard``
    """
    return [_hook(options), _socket(options), *_daemon(options)]


def _hook(options: Any) -> Line:
    path = install.path(options)
    try:
        hook = install.installed(options)
        mode = stat.S_IMODE(os.stat(path).st_mode) if hook else 0
    except (OSError, ValueError) as error:
        return Line("hook", f"{path}: {error}", False)
    if hook is None:
        return Line(
            "hook",
            f"{path} does not exist; run nova-vhard-guard install",
            False,
        )
    if hook != install.text(options) or mode != install.MODE:
        return Line(
            "hook",
            f"{path} is of another version; run nova-vhard-guard install",
            False,
        )
    return Line("hook", f"{path} is in place", True)


def _socket(options: Any) -> Line:
    path = service.socket_path(options)
    try:
        good = stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError as error:
        return Line("socket", f"{path}: {error.strerror}", False)
    text = "is there" if good else "is not a socket"
    return Line("socket", f"{path} {text}", good)


def _daemon(options: Any) -> Iterator[Line]:
    request = wire.Request(wire.STATUS, "", b"")
    try:
        answer = wire.ask(service.socket_path(options), request, _LIMIT)
        answered = json.loads(answer.text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        yield Line(
            "daemon",
            f"does not answer: {reason}; start nova-vhard-guard.service, or "
            "check its log",
            False,
        )
        return
    parts = [f"answers, {answered['guests']} guests known"]
    if not answered["adopted"]:
        parts.append("the guests of this host have not been read yet")
    if not answered["libvirt"]:
        parts.append("libvirt cannot be reached")
    if answered["not_kept"]:
        parts.append(f"not on the disk: {answered['not_kept']}")
    yield Line("daemon", "; ".join(parts), len(parts) == 1)
    yield _policy(answered, options.policy_file)
    yield _report(options)


def _policy(answered: dict[str, Any], path: str) -> Line:
    if not answered["policy"]:
        return Line("policy", f"there is none: {answered['fault']}", False)
    if not answered["enabled"]:
        reason = "it says enabled: false"
        if watch.disabled(path):
            reason = f"{path}{watch.DISABLED} exists"
        return Line(
            "policy", f"{answered['policy']} refuses nothing: {reason}", False
        )
    text = (
        f"{answered['policy']}, mode {answered['mode']}, hot_plug "
        f"{answered['hot_plug']}, unanswered {answered['unanswered']}"
    )
    if answered["fault"]:
        text += f"; the file cannot be used now: {answered['fault']}"
    return Line("policy", text, not answered["fault"])


def _report(options: Any) -> Line:
    """Return the line about the last report of the reporter.

    It is never an error: only guests that need checked hosts need a report.
    """
    now = datetime.datetime.now(datetime.UTC)
    try:
        passed = posture.passed(options.report_file, 24, now)
    except posture.NotProven as error:
        return Line("report", f"this host has no valid report: {error}", True)
    return Line("report", f"{len(passed)} checks passed", True)
