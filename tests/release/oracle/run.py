# SPDX-License-Identifier: Apache-2.0
"""Runs a cell in a cloud that has had other cells and will have more."""

from collections.abc import Callable

import webob

from tests.functional.nova import base
from tests.release.oracle import changes, verdict
from tests.release.oracle.cells import Cell
from tests.release.oracle.cloud import Cloud
from tests.release.oracle.operations import BOOT, OPERATIONS, boot
from tests.release.oracle.roots import Root, make
from tests.release.oracle.verdict import Observed, Verdict

ACCEPTED = (200, 202)
ACTIVE = ("ACTIVE",)


def run(cloud: Cloud, cell: Cell) -> Verdict:
    """Run a cell, and leave the cloud as it was."""
    root = make(cloud, cell.root)
    changes.before_boot(cloud, root, cell.change)
    cloud.record.xml.clear()
    try:
        if cell.operation == BOOT:
            changes.after_boot(cloud, root, cell.change, None)
            return verdict.of(
                _observe(cloud, None, lambda: boot(cloud, root), ACTIVE)
            )
        booted = _observe(cloud, None, lambda: boot(cloud, root), ACTIVE)
        if not booted.server or booted.fault:
            return verdict.not_booted(booted)
        return verdict.of(_operate(cloud, cell, root, booted.server))
    finally:
        cloud.tidy()


def _operate(cloud: Cloud, cell: Cell, root: Root, server: str) -> Observed:
    """Send the request of a cell about a server that runs."""
    operation = OPERATIONS[cell.operation]
    if operation.prepare:
        operation.prepare(cloud, server)
    changes.after_boot(cloud, root, cell.change, server)
    return _observe(
        cloud,
        server,
        lambda: operation.send(cloud, server, root),
        operation.ends,
    )


def _observe(
    cloud: Cloud,
    server: str | None,
    send: Callable[[], webob.Response],
    ends: tuple[str, ...],
) -> Observed:
    """Send one request and wait until Nova has done with it.

    :param server: None for a boot
    """
    record = cloud.record
    before = len(record.xml)
    record.reset()
    response = send()
    request_id = cloud.request_id
    accepted = response.status_int in ACCEPTED
    if accepted and server is None:
        server = str(response.json["server"]["id"])
    if accepted:
        fault = cloud.end(server, request_id, ends)
    else:
        fault = base.text(response)
    return Observed(
        server=server,
        status=response.status_int,
        dispatched=request_id in record.dispatched,
        fault=fault,
        request_id=request_id,
        reads=tuple(record.reads),
        before=tuple(x for who, x in record.xml[:before] if who == server),
        after=tuple(x for who, x in record.xml[before:] if who == server),
    )
