# SPDX-License-Identifier: Apache-2.0
"""Hostile requests to Nova's scheduler; see ``abuse_service``.

What is measured is what a message from nova-conductor takes: it is read, and
a host is chosen by the default filters, with ours and without. The fleet is
that of the benchmark ``scheduler``.
"""

import gc
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# As in nova-scheduler 33 and later; must precede any import of Nova.
os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "1")

from nova import context, objects
from oslo_messaging.rpc.dispatcher import ExpectedException

from tests.benchmarks import (
    abuse_service,
    common,
    filter_fleet,
    scheduler_fleet,
)
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


def cost(scheduler: Any, text: str, log: Path) -> Cost:
    """Return what a request takes; its status is that of the boot."""
    admin = context.get_admin_context()
    logged, answer, status = log.stat().st_size, "", 202
    with abuse_service.Clock() as clock:
        try:
            spec = objects.RequestSpec.obj_from_primitive(json.loads(text))
            scheduler.select_destinations(
                admin,
                spec_obj=spec,
                instance_uuids=[str(uuid.uuid4())],
                return_objects=True,
                return_alternates=True,
            )
        except ExpectedException as error:
            # NoValidHost, as oslo.messaging has it.
            answer, status = str(error.exc_info[1]), 500
    size = len(answer.encode()) + log.stat().st_size - logged
    return Cost(clock.seconds, size, status)


def find(directory: Path) -> Iterator[Finding]:
    """Yield what requests cost."""
    scheduler_fleet.prepare(directory)
    filter_fleet.configure(directory, filter_fleet.PROVEN)
    fleet = scheduler_fleet.Fleet(HOSTS)
    schedulers = fleet.scheduler(OURS), fleet.scheduler()
    log = directory / "nova-scheduler.log"
    logging.getLogger("nova").info("The log is there.")
    gc.freeze()  # what stays is not looked through before each request
    for name, (properties, specs) in CASES.items():
        text = message(properties, specs)
        costs = [
            abuse_service.cheapest(
                lambda made=made, text=text: cost(made, text, log)
            )
            for made in schedulers
        ]
        finding = Finding(f"scheduler_{name}", *costs)
        common.progress(str(finding))
        if name != "warm_up":
            yield finding


if __name__ == "__main__":
    abuse_service.main(find)
