# SPDX-License-Identifier: Apache-2.0
"""Hostile requests to Nova's scheduler; see ``abuse_service``.

What is measured is what a message from nova-conductor takes: it is read, and
a host is chosen by the default filters, with ours and without. The fleet is
that of the benchmark ``scheduler``.
"""

import json
import logging
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from nova import context, objects
from oslo_messaging.rpc.dispatcher import ExpectedException

from tests.benchmarks import abuse_service, filter_fleet, scheduler_fleet
from tests.benchmarks.abuse_cost import Cost, Finding

HOSTS = 10
OURS = "VirtHardeningFilter"
ENTRIES = 13_796
SPECS = 5000


def image(**properties: Any) -> dict[str, Any]:
    """Return the properties of an image."""
    return {"hw_disk_bus": "virtio", **properties}


def mapped(entry: Callable[[int], dict[str, str]]) -> dict[str, Any]:
    """Return the properties of an image with many block devices."""
    return image(img_block_device_mapping=[entry(n) for n in range(ENTRIES)])


#: Name to image properties and extra specs.
CASES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "warm_up": (image(), {}),
    "bdm": (mapped(lambda _: {"disk_bus": "ide"}), {}),
    "bdm_values": (mapped(lambda n: {"disk_bus": f"x{n}"}), {}),
    "bdm_long": (mapped(lambda _: {"disk_bus": "x" * 255}), {}),
    "bdm_cdroms": (mapped(lambda _: {"device_type": "cdrom"}), {}),
    "distro_long": (image(os_distro="x" * (1 << 20)), {}),
    "specs": (image(), {f"resources{n}:PGPU": "1" for n in range(SPECS)}),
    "aliases": (
        image(),
        {"pci_passthrough:alias": ",".join(f"a{n}:1" for n in range(SPECS))},
    ),
    "checks": (image(), {"vhard:require": "iommu," * SPECS}),
}


def message(properties: dict[str, Any], specs: dict[str, str]) -> str:
    """Return the request of a boot as it is sent."""
    made = scheduler_fleet.boot({})
    made.image.properties = objects.ImageMetaProps.from_dict(properties)
    made.flavor.extra_specs = specs
    return json.dumps(made.obj_to_primitive())


def answered(scheduler: Any, text: str) -> tuple[int, str]:
    """Return the status of a boot, and the error without a valid host."""
    try:
        spec = objects.RequestSpec.obj_from_primitive(json.loads(text))
        scheduler.select_destinations(
            context.get_admin_context(),
            spec_obj=spec,
            instance_uuids=[str(uuid.uuid4())],
            return_objects=True,
            return_alternates=True,
        )
    except ExpectedException as error:
        # NoValidHost, as oslo.messaging has it.
        return 500, str(error.exc_info[1])
    return 202, ""


def cost(scheduler: Any, text: str, log: Path) -> Cost:
    """Return the cost of a request."""
    logged = log.stat().st_size
    call = partial(answered, scheduler, text)
    seconds, (status, answer) = abuse_service.clocked(call)
    size = len(answer.encode()) + log.stat().st_size - logged
    return Cost(seconds, size, status)


def find(directory: Path) -> Iterator[Finding]:
    """Yield what requests cost."""
    scheduler_fleet.prepare(directory)
    filter_fleet.configure(directory, filter_fleet.PROVEN)
    fleet = scheduler_fleet.Fleet(HOSTS)
    schedulers = fleet.scheduler(OURS), fleet.scheduler()
    log = directory / "nova-scheduler.log"
    logging.getLogger("nova").info("The log is there.")
    for name, case in CASES.items():
        text = message(*case)
        spends = (partial(cost, each, text, log) for each in schedulers)
        yield abuse_service.finding(f"scheduler_{name}", *spends)
