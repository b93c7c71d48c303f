# SPDX-License-Identifier: Apache-2.0
"""A cloud's report for tests: made by the real functions, of a big fleet."""

import datetime
import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.osc.report import data
from nova_vhard.osc.report.data import Part, Report
from nova_vhard.osc.server import servers
from nova_vhard.placement.fleet import (
    FRESH,
    SILENT,
    STALE,
    HostPosture,
)
from nova_vhard.policy import document
from nova_vhard.request import image as image_reader

NOW = datetime.datetime(2026, 11, 25, 9, 30, tzinfo=datetime.UTC)

SCRIPT = "<script>document.title = 'taken over'</script>"
#: U+202E turns what follows it around; U+2066 begins an isolate.
RTL = "\u202egpj.exe\u2066 photo"
#: Letters that are written from right to left, and may be.
HEBREW = "\u05e9\u05e8\u05ea \u05d0"
NAMES = (
    SCRIPT,
    RTL,
    HEBREW,
    '" onmouseover="alert(1)',
    "</style><img src=http://example.invalid/x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "a-name-without-any-place-to-break-it-" + "x" * 40,
    "debian-13",
)

POLICY = """\
version: "1"
extends: baseline
exemptions:
  - id: legacy-routers
    reason: the vendor's image has no virtio driver before release 9
    projects: [6f70656e737461636b2070726f6a6563]
    rules:
      guest_devices.disk_bus: [ide]
      guest_devices.vif_model: [e1000]
    until: 2026-12-01
  - id: old-installer
    reason: this image of theirs was to be replaced in spring
    projects: [8c1f3d5a7b9e4f60a1b2c3d4e5f60718]
    images: [5f3e8b6c-6a55-4b0e-9d0d-3f8a55b0a0c1]
    rules: {guest_devices.cdrom_bus: [ide]}
    until: 2026-05-31
  - id: smartnic-pilot
    reason: tries cards that are not offered to everybody yet
    projects: [0d1e2f3a4b5c6d7e8f90a1b2c3d4e5f6]
    flavors: [pilot.smartnic]
    rules: {passthrough.allow: [remote_managed]}
    until: 2027-06-30
"""

_PROJECT = "6f70656e737461636b2070726f6a656{}"
_OLD = ({"hw_vif_model": "e1000"}, {"hw_disk_bus": "ide"})

#: Devices between two guests, as the cleaner tells of them.
DEVICES = (
    (
        "compute-0007.cloud.example",
        "0000:3b:00.0",
        "CUSTOM_PCI_10DE_1DB4",
        "NVME_ERASE: the step nvme_erase did not find it clean",
    ),
    (
        "compute-0012.cloud.example",
        "0000:5e:00.0",
        "CUSTOM_PCI_144D_A824",
        "no cleaner has reported on it",
    ),
)


ORIGIN = {"cloud": "prod", "keystone": "http://k/v3", "region": "eu-1"}
ORIGIN["author"] = "alice"


def host_report(folder: Path, **changes: Any) -> str:
    """Write what a host says of itself to a file; return its path."""
    content = {
        "host": "good",
        "version": "1.0.0",
        "policy": "abc",
        "time": "2026-11-25T09:12:13+00:00",
        "results": [
            {
                "check": "iommu",
                "status": "PASS",
                "reason": "12 groups",
                "evidence": ["/sys/kernel/iommu_groups: 12", SCRIPT],
            }
        ],
    }
    path = folder / "good.json"
    path.write_text(json.dumps(content | changes), encoding="utf-8")
    return str(path)


def report(
    directory: Path,
    hosts: int,
    violations: int,
    names: tuple[str, ...] = NAMES,
) -> Report:
    """Return a report with a number of hosts and of violations.

    :param directory: for the policy file
    :param names: what images, servers and flavors are called, in turn
    """
    path = directory / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    policy = document.load(str(path))
    today = NOW.date()
    third = violations // 3
    listed = [_image(number, names) for number in range(third)]

    def get(url: str) -> tuple[None, dict[str, Any]]:
        return None, {"images": listed if "os_hidden=false" in url else []}

    glance = SimpleNamespace(http_client=SimpleNamespace(get=get))
    flavors = [_flavor(number, names) for number in range(third // 2)]
    compute = SimpleNamespace(flavors=lambda **wanted: flavors)
    images = tuple(data.image_rows(glance, policy, today))
    flavor_rows = tuple(data.flavor_rows(compute, policy, today))
    left = violations - len(images) - len(flavor_rows)
    auditor = servers.Auditor(policy, today)
    # Some belong to a project that is exempt.
    every = (
        row
        for number in itertools.count()
        for row in auditor.rows(_server(number, names))
    )
    return Report(
        made=NOW,
        policy=policy,
        max_age=2,
        hosts=tuple(_host(number) for number in range(hosts)),
        fleet=Part(),
        images=Part(images),
        servers=Part(
            tuple(itertools.islice(every, left)),
            notes=(f"{left} servers looked at, {left} violate",),
        ),
        flavors=Part(flavor_rows),
        devices=Part(DEVICES),
        origin=ORIGIN,
    )


def _host(number: int) -> HostPosture:
    lacking = {"qemu_minimal"} if number % 5 else {"iommu", "qemu_minimal"}
    if not number % 7:
        lacking |= {"kernel_aslr", "interrupt_remapping"}
    status = {3: STALE, 11: SILENT}.get(number % 40, FRESH)
    passed = frozenset(CHECKS) - lacking if status != SILENT else frozenset()
    others = dict.fromkeys(lacking, "FAIL")
    others["kernel_aslr"] = "UNKNOWN"
    others["interrupt_remapping"] = "NOT_APPLICABLE"
    name = f"compute{number:04}.example.org"
    return HostPosture(name, status, passed, others=others)


def _image(number: int, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id": f"5f3e8b6c-6a55-4b0e-9d0d-{number:012}",
        "name": names[number % len(names)],
        "owner": _PROJECT.format(number % 10),
        "visibility": "private",
        "status": "active",
        **_OLD[number % 2],
        **({"hw_scsi_model": "virtio-scsi"} if number % 2 else {}),
    }


def _server(number: int, names: tuple[str, ...]) -> servers.Server:
    request = image_reader.read(_OLD[number % 2])
    return servers.Server(
        id=f"9a1c0d2e-1b2c-4d3e-8f40-{number:012}",
        name=names[number % len(names)],
        project=_PROJECT.format(number % 10),
        host=f"compute{number:04}.example.org",
        image=f"5f3e8b6c-6a55-4b0e-9d0d-{number:012}",
        had=request,
        now=request,
    )


def _flavor(number: int, names: tuple[str, ...]) -> SimpleNamespace:
    return SimpleNamespace(
        id=f"f{number}",
        name=names[number % len(names)],
        extra_specs={"pci_passthrough:alias": f"gpu-{number}:1"},
    )
