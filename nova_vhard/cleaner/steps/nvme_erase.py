# SPDX-License-Identifier: Apache-2.0
"""An NVMe drive erases its data, and samples show that it has."""

import contextlib
from collections.abc import Iterator

from nova_vhard.cleaner import nvme
from nova_vhard.cleaner.program import path_schema
from nova_vhard.cleaner.samples import Samples
from nova_vhard.cleaner.step import Job, Outcome, Step
from nova_vhard.host.pci import pci
from nova_vhard.host.root import Unreadable, unreadable

_DRIVER = "nvme"
# Of all namespaces together; each has two at least.
_SAMPLES, _MOST = 256, 128

#: What is tried without a setting: nothing that costs a drive write.
DEFAULT = [name for name in nvme.METHODS if name != "sanitize_overwrite"]
# What the kernel shows of a device without an override, and what takes it.
_NO_OVERRIDE, _NONE = "(null)", "\n"


class NvmeErase(Step):
    """Erase a drive by a method that the drive supports.

    ================================  ====================================
    it supports none of the methods   not clean, and nothing is done
    others can reach its storage      not clean, and nothing is done
    it is worn beyond the limit       not clean, and nothing is done
    a namespace is out of reach       not clean, and nothing is done
    the drive reports a failure       not clean
    it does not report in time        not clean
    a sample is unchanged             not clean, even on reported success
    otherwise                         clean
    ================================  ====================================
    """

    name = "nvme_erase"
    priority = 80
    schema = {
        "type": "object",
        "properties": {
            "methods": {
                "type": "array",
                "items": {"enum": list(nvme.METHODS)},
                "minItems": 1,
            },
            "wear_limit": {
                "type": "string",
                "pattern": "^[1-9][0-9]{0,2}$",
                "title": "a whole percentage from 1 to 999",
            },
            "program": path_schema("nvme-cli"),
        },
        "additionalProperties": False,
    }

    def run(self, job: Job) -> Outcome:
        """Bind the host's driver, erase, and leave the device as it was."""
        program = str(job.settings.get("program", "/usr/sbin/nvme"))
        tool = nvme.Tool(program, job.time_limit)
        names = list(job.settings.get("methods", DEFAULT))
        evidence: list[str] = []
        with bound(job, _DRIVER):
            controller = nvme.Controller(job, tool)
            evidence += controller.shown
            method = next(filter(controller.offers, names), None)
            if method is None:
                wrong: str | None = f"it has no {' and no '.join(names)}"
            else:
                wrong = _refusal(job, controller, evidence)
                wrong = wrong or _erased(controller, method, evidence)
        stated = f"erased by {method}, and no sample is as it was"
        return Outcome(not wrong, wrong or stated, tuple(evidence))


def _refusal(
    job: Job, controller: nvme.Controller, evidence: list[str]
) -> str | None:
    """Return why nothing is to be done, None for no reason."""
    if controller.shared:
        return "its storage is reached by other controllers, too"
    limit = int(job.settings.get("wear_limit", "90"))
    worn = controller.wear()
    evidence.append(f"percentage used: {worn}, wear_limit: {limit}")
    if worn > limit:
        return f"it is worn: {worn} % used, and the limit is {limit} %"
    return None


def _erased(
    controller: nvme.Controller, method: str, evidence: list[str]
) -> str | None:
    """Erase; return what is wrong with it, None for nothing.

    :raises Unreadable: if it cannot be erased, or not be looked at
    """
    namespaces = controller.namespaces()
    if len(namespaces) > _MOST:
        return f"it has {len(namespaces)} namespaces, more than {_MOST}"
    count = max(_SAMPLES // len(namespaces), 2)
    samples = {nsid: Samples(path, count) for nsid, path in namespaces.items()}
    evidence.append(controller.erase(method, namespaces))
    kept = 0
    for nsid, taken in samples.items():
        same = taken.kept()
        kept += len(same)
        evidence.append(
            f"namespace {nsid}, {taken.size} bytes: {len(same)} of "
            f"{len(taken)} samples as before ({taken.marked} were marked)"
        )
    return f"{kept} samples are as they were before" if kept else None


@contextlib.contextmanager
def bound(job: Job, driver: str) -> Iterator[None]:
    """Bind a driver to the device of a job, and leave it as it was.

    Source: Documentation/ABI/testing/sysfs-bus-pci in the kernel
    (``driver_override``, ``drivers_probe``, ``unbind``).

    :raises Unreadable: if another driver of the host has the device, or the
        kernel does not bind this one, or does not give it back
    """
    before = pci.driver(job.root, job.device.address)
    if before == driver:
        yield
        return
    if before is not None and not pci.is_vfio(before):
        raise unreadable(
            f"{job.device.path}/driver",
            f"{before} has it, which is neither {driver} nor vfio",
        )
    override = job.root.peek(f"{job.device.path}/driver_override").strip()
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
    job.write("/sys/bus/pci/drivers_probe", address)
    now = pci.driver(job.root, address)
    if now != driver:
        raise unreadable(
            f"{place}/driver",
            f"{driver} does not take it; load the module {driver}",
        )
