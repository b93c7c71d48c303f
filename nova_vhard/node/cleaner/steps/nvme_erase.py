# SPDX-License-Identifier: Apache-2.0
"""An NVMe drive erases its data, and samples show that it has."""

from nova_vhard.node.cleaner import borrowed, nvme
from nova_vhard.node.cleaner.answers import Tool
from nova_vhard.node.cleaner.program import path_schema
from nova_vhard.node.cleaner.samples import Samples
from nova_vhard.node.cleaner.step import Job, Outcome, Step

_DRIVER = "nvme"
_NVME = "/usr/sbin/nvme"
_WEAR_LIMIT = "90"
# Of all namespaces together; each has two at least.
_SAMPLES, _MOST = 256, 128

#: What is tried without a setting: nothing that costs a drive write.
DEFAULT = [name for name in nvme.METHODS if name != "sanitize_overwrite"]


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
        program = str(job.settings.get("program", _NVME))
        tool = Tool(program, job.time_limit)
        names = list(job.settings.get("methods", DEFAULT))
        evidence: list[str] = []
        with borrowed.bound(job, _DRIVER):
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
    limit = int(job.settings.get("wear_limit", _WEAR_LIMIT))
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
