# SPDX-License-Identifier: Apache-2.0
"""The running scheduler: does it judge, and by which policy?

A scheduler refuses nothing that the API gate has let through, so that only its
own decision event tells: of a server that is clean, without network, and
deleted again.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from openstack import exceptions as sdk
from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.catalogue.gates import SCHEDULER
from nova_vhard.common import decisions
from nova_vhard.common.text import clean
from nova_vhard.status.answers import (
    Broken,
    NotHere,
    fail,
    fine,
    warn,
)
from nova_vhard.status.node import Node
from nova_vhard.status.probe import NAME

_LIMIT = 300.0
_PAUSE = 0.5
#: Most bytes of a log that one probe reads.
_MOST = 1 << 26
_NO_NETWORK = "2.37"
_AT_REST = ("ACTIVE", "ERROR")


def scheduler(node: Node) -> Result:
    """Boot a server, and look for what the scheduler says of it.

    =======  ==============================================================
    SUCCESS  a scheduler judged it, by the policy that this command reads
    WARNING  by another policy
    FAILURE  none has judged it: the filter is not enabled, or its log is
             another file
    =======  ==============================================================
    """
    if not node.conf.scheduler_log:
        raise Broken(
            "no --scheduler-log is named: the log of each nova-scheduler, "
            "where its decision events are"
        )
    try:
        logs = {
            path: os.stat(path).st_size for path in node.conf.scheduler_log
        }
    except OSError as error:
        raise NotHere(f"file {error.filename}") from error
    with _server(node) as server:
        status = _at_rest(node.compute, server)
    events = [
        event
        for path, size in logs.items()
        for event in _events(path, size)
        if event.get("gate") == SCHEDULER
        and isinstance(subject := event.get("subject"), dict)
        and subject.get("server") == server
    ]
    where = f"A server of the image and flavor (it became {clean(status)})"
    if not events:
        return fail(
            f"{where} was judged by no scheduler whose log was named: is "
            "VirtHardeningFilter in enabled_filters, was nova-scheduler "
            "restarted, is the log that of each scheduler, and does it have "
            "level INFO of nova_vhard.decisions?"
        )
    policies = {str(event.get("policy")) for event in events}
    if policies != {node.policy.digest}:
        listed = clean(", ".join(sorted(policies)), 200)
        return warn(
            f"{where} was judged by policy {listed}, and not by "
            f"{node.policy.digest}, which this command reads: name the "
            "scheduler's by --policy, or "
            "see why it goes by another."
        )
    return fine(
        f"{where} was judged by the scheduler, by policy {node.policy.digest}."
    )


#: Name to function, in the order of the table.
CHECKS: dict[str, Callable[[Node], Result]] = {"Nova scheduler": scheduler}


@contextlib.contextmanager
def _server(node: Node) -> Iterator[str]:
    """Boot a server; delete it in any case.

    :raises Broken: if it is refused, or image or flavor is not named
    """
    image, flavor = node.conf.probe_image, node.conf.probe_flavor
    if not image or not flavor:
        raise Broken("--probe-image and --probe-flavor are to be named")
    compute = node.compute
    try:
        server = compute.create_server(
            name=NAME,
            image_id=image,
            flavor_id=flavor,
            networks="none",
            microversion=_NO_NETWORK,
        )
    except sdk.SDKException as error:
        text = clean(error, 400).rstrip(".")
        raise Broken(
            f"the server is refused, none was made: {text} (--probe-image "
            "and --probe-flavor take ids, not names)"
        ) from error
    try:
        yield str(server.id)
    finally:
        compute.delete_server(server.id, ignore_missing=True)


def _at_rest(compute: Any, server: str) -> str:
    """Wait until a server is at rest; return its status, or the last one."""
    deadline = time.monotonic() + _LIMIT
    while True:
        status = str(compute.get_server(server).status)
        if status in _AT_REST or time.monotonic() > deadline:
            return status
        time.sleep(_PAUSE)


def _events(path: str, size: int) -> Iterator[dict[str, Any]]:
    """Yield the decision events appended to a log since it had this size.

    A log that was rotated since then is read from the beginning.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size >= size:
            file.seek(size)
        lines = file.read(_MOST).splitlines()
    for line in lines:
        with contextlib.suppress(decisions.Unreadable):
            content = decisions.read(line)
            if isinstance(content, decisions.Event):
                yield content.data
