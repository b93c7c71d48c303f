# SPDX-License-Identifier: Apache-2.0
"""Temporary binding of a used device to a host driver, for one step.

Source: Documentation/ABI/testing/sysfs-bus-pci in the kernel
(``driver_override``, ``drivers_probe``, ``unbind``).
"""

import contextlib
from collections.abc import Iterator

from nova_vhard.host import pci
from nova_vhard.host.root import Unreadable, unreadable
from nova_vhard.node.cleaner.step import Job

_PROBE = "/sys/bus/pci/drivers_probe"
# What the kernel shows of a device without an override, and what takes it.
_NO_OVERRIDE, _NONE = "(null)", "\n"


@contextlib.contextmanager
def bound(job: Job, driver: str) -> Iterator[None]:
    """Bind a driver to the device of a job, and leave it as it was.

    :raises Unreadable: if another driver of the host has the device, or the
        kernel does not bind this one, or does not give it back
    """
    before = pci.driver(job.root, job.device.address)
    if before == driver:
        yield
        return
    if before is not None and not pci.is_vfio(before):
        text = f"{before} has it, which is neither {driver} nor vfio"
        raise unreadable(f"{job.device.path}/driver", text)
    override = job.root.read(f"{job.device.path}/driver_override").strip()
    try:
        _bind(job, driver)
        yield
    finally:
        was = _NONE if override in ("", _NO_OVERRIDE) else override
        try:
            _bind(job, before)
        finally:
            with contextlib.suppress(Unreadable):
                job.write(f"{job.device.path}/driver_override", was)


def _bind(job: Job, driver: str | None) -> None:
    """Bind one driver and no other; None leaves the device without any.

    :raises Unreadable: if the kernel does not do it
    """
    address, place = job.device.address, job.device.path
    if pci.driver(job.root, address) is not None:
        job.write(f"{place}/driver/unbind", address)
    if driver is None:
        return
    job.write(f"{place}/driver_override", driver)
    job.write(_PROBE, address)
    now = pci.driver(job.root, address)
    if now != driver:
        text = f"{driver} does not take it; load the module {driver}"
        raise unreadable(f"{place}/driver", text)
