# SPDX-License-Identifier: Apache-2.0
"""The kernel resets the device, in a way that is named and verified."""

from nova_vhard.cleaner.step import (
    Job,
    Outcome,
    Step,
)
from nova_vhard.host.iommu.iommu import DEVICES
from nova_vhard.host.pci import pci
from nova_vhard.host.pci.pci import SHARED_RESETS
from nova_vhard.host.root import HostRoot, Unreadable, unreadable

#: What each way is worth, the names being the kernel's (drivers/pci/pci.c).
METHODS = {
    "device_specific": "the kernel's own recipe for this device",
    "acpi": "the firmware's recipe for this slot",
    "flr": "function level reset, by the specification of all the function",
    "af_flr": "function level reset of a conventional PCI function",
    "pm": "weaker: power state D3hot and back, the device may keep state",
    "bus": "weaker in what it names: all behind the bridge is reset",
    "cxl_bus": "weaker in what it names: all behind the bridge is reset",
}

_BUS_MASTER = 0x4
# Bytes of the space of a PCI and of a PCI Express device.
_SIZES = (256, 4096)


class FunctionReset(Step):
    """Clear the state that a guest left in the registers of a device.

    The kernel tries a device's reset methods in order until one works, and
    does not report which. So the step enables one method only.
    """

    name = "function_reset"
    priority = 90
    schema = {
        "type": "object",
        "properties": {
            "methods": {
                "type": "array",
                "items": {"enum": list(METHODS)},
                "minItems": 1,
            },
        },
        "additionalProperties": False,
    }

    def run(self, job: Job) -> Outcome:
        """Reset, and look whether the device is as it has to be."""
        try:
            offered = pci.reset_methods(job.root, job.device.address)
        except Unreadable as error:
            # Told apart from a device that is gone.
            if not (error.missing and job.root.exists(job.device.path)):
                raise
            offered = []
        known = f"reset_method: {' '.join(offered) or 'none'}"
        wanted = job.settings.get("methods", offered)
        method = next((item for item in wanted if item in offered), None)
        if method is None:
            said = "the kernel knows no way to reset this device"
            if offered:
                said = f"the kernel cannot reset it by {' or '.join(wanted)}"
            return Outcome(False, said, (known,))
        meaning = METHODS.get(method, "of unknown worth")
        evidence = [known, f"{method}: {meaning}"]
        if method in SHARED_RESETS:
            shared = [
                name
                for name in job.root.names(DEVICES)
                if name != job.device.address
                and name.startswith(f"{job.device.bus}:")
            ]
            evidence.append(
                f"on its bus besides: {' '.join(shared) or 'nothing'}"
            )
        before = _command(_config(job.root, job.device.address))
        # The kernel is left the choice that it had.
        choice = f"{job.device.path}/reset_method"
        narrow = offered != [method]
        if narrow:
            job.write(choice, method)
        try:
            job.write(f"{job.device.path}/reset", "1")
        finally:
            if narrow:
                job.write(choice, " ".join(offered))
        wrong = _verify(job, offered, before, evidence)
        if wrong:
            return Outcome(False, wrong, tuple(evidence))
        return Outcome(True, f"reset by {method}", tuple(evidence))


def _verify(
    job: Job, offered: list[str], before: int, evidence: list[str]
) -> str | None:
    """Return what is wrong after the reset, None for nothing."""
    now = pci.reset_methods(job.root, job.device.address)
    if now != offered:
        evidence.append(f"reset_method after it: {' '.join(now) or 'none'}")
        return "the ways to reset it have changed with the reset"
    data = _config(job.root, job.device.address)
    result = tuple(data[at : at + 2][::-1].hex() for at in (0, 2))
    evidence.append(f"after it: {result[0]}:{result[1]}")
    if result != (job.device.vendor, job.device.product):
        return "another device answers after the reset"
    after = _command(data)
    driver = pci.driver(job.root, job.device.address)
    evidence.append(
        f"command register: 0x{before:04x} before, 0x{after:04x} after; "
        f"driver: {driver or 'none'}"
    )
    if after & ~before:
        return "the reset has switched on what was off"
    if after & _BUS_MASTER and (driver is None or pci.is_vfio(driver)):
        return "it can still write to memory by itself (bus master)"
    return None


def _config(root: HostRoot, address: str) -> bytes:
    """Return the whole configuration space of a device.

    :raises Unreadable: if it cannot be read, or not to its end, as is so
        for everybody but root; or if the device does not answer
    """
    where = f"{pci.path(address)}/config"
    with root.open(where) as file:
        try:
            data = file.read(max(_SIZES) + 1)
        except OSError as error:
            raise Unreadable(where, error) from error
    if len(data) not in _SIZES:
        raise unreadable(
            where, f"{len(data)} bytes, where all are 256 or 4096"
        )
    size = root.stat(where).st_size
    if size != len(data):
        raise unreadable(where, f"{len(data)} of {size} bytes")
    if data[:2] == b"\xff\xff":
        raise unreadable(where, "the device does not answer")
    return data


def _command(data: bytes) -> int:
    """Return the command register."""
    return int.from_bytes(data[4:6], "little")
