# SPDX-License-Identifier: Apache-2.0
"""An operator's own program cleans the device, or proves that it is clean."""

from nova_vhard.cleaner import program
from nova_vhard.cleaner.step import (
    Job,
    Outcome,
    Step,
)
from nova_vhard.common.text import clean
from nova_vhard.host.pci import pci

# Lines of a program's output, and characters of each, that are evidence.
_LINES = 20
_WIDTH = 200


class Command(Step):
    """Run a program; its exit status 0 says that the device is clean.

    It gets its arguments as they are in the rules, and these variables, and
    no other: VHARD_DEVICE_ADDRESS, _VENDOR, _PRODUCT, _CLASS, _PATH (folder
    in sysfs), _DRIVER (empty for none), _TIME_LIMIT (seconds).
    """

    name = "command"
    priority = 70
    schema = {
        "type": "object",
        "required": ["program"],
        "properties": {
            "program": program.path_schema("a program"),
            "arguments": {"type": "array", "items": {"type": "string"}},
        },
        "additionalProperties": False,
    }

    def run(self, job: Job) -> Outcome:
        """Look whether only root can change the program, and run it."""
        path = str(job.settings["program"])
        try:
            real = program.check(path)
            words = (real, *job.settings.get("arguments", ()))
            ended = program.run(words, environment(job), job.time_limit)
        except program.Refused as error:
            return Outcome(False, f"{path} was not run: {error}")
        lines = ended.output.decode("utf-8", "replace").splitlines()
        evidence = [clean(" ".join(words), _WIDTH), ended.outcome]
        evidence += [clean(line, _WIDTH) for line in lines[-_LINES:]]
        return Outcome(
            ended.status == 0, f"{path}: {ended.outcome}", tuple(evidence)
        )


def environment(job: Job) -> dict[str, str]:
    """Return the variables that a program gets.

    :raises Unreadable: if one of them cannot be read
    """
    device, root = job.device, job.root
    return {
        "VHARD_DEVICE_ADDRESS": device.address,
        "VHARD_DEVICE_VENDOR": device.vendor,
        "VHARD_DEVICE_PRODUCT": device.product,
        "VHARD_DEVICE_CLASS": pci.device_class(root, device.address)[2:],
        "VHARD_DEVICE_PATH": root.root.rstrip("/") + device.path,
        "VHARD_DEVICE_DRIVER": pci.driver(root, device.address) or "",
        "VHARD_DEVICE_TIME_LIMIT": f"{job.time_limit:g}",
    }
