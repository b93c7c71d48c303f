# SPDX-License-Identifier: Apache-2.0
"""Reports of captured hosts, published as a compute node's own."""

import functools
import pathlib
import tempfile
from typing import Any

from keystoneauth1 import adapter, session
from oslo_config import cfg

from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.host import report
from nova_vhard.host.check import Result
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot
from nova_vhard.placement.client import Placement
from nova_vhard.placement.connect import AdapterClient
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.trees import build, capture

#: A host that has proven its IOMMU, and one that has not.
PROVEN = "vtd-on"
ABSENT = "none"


@functools.cache
def results(tree: str) -> tuple[Result, ...]:
    """Return what every check says of a captured host."""
    with tempfile.TemporaryDirectory() as folder:
        root = Host(HostRoot(capture(tree, pathlib.Path(folder))))
        return tuple(check.run(root) for check in report.load())


def reporter(placement: Any) -> AdapterClient:
    """Return the reporter's client, on the Placement of a test."""
    return AdapterClient(
        adapter.Adapter(
            session.Session(auth=None),
            service_type="placement",
            endpoint_override=placement.endpoint,
            additional_headers={"x-auth-token": placement.token},
        )
    )


def publisher(
    folder: pathlib.Path, compute_id: str, client: AdapterClient
) -> PlacementPublisher:
    """Return the publisher of the compute node with an identity."""
    build(folder, {"/var/lib/nova/compute_id": compute_id + "\n"})
    conf = cfg.ConfigOpts()
    conf([], project="test")
    reporter_conf.register(conf)
    conf.set_override("root", str(folder), "vhard_reporter")
    return PlacementPublisher(conf, Placement(client))
