# SPDX-License-Identifier: Apache-2.0
"""Hosts, requests and our filter as nova-scheduler has them.

Hosts and requests are Nova's own objects.  Each host is a HostState that was
updated from a ComputeNode object, as HostManager does it: a two-socket libvirt
host without NUMA accounting, with two pools of SR-IOV network functions.
"""

import datetime
import json
import tempfile
import types
import uuid
from pathlib import Path
from typing import Any

import nova.conf
from nova import context, objects
from nova.objects import pci_device_pool
from nova.scheduler import host_manager
from oslo_log import log

from nova_vhard.catalogue import traits
from nova_vhard.conf import vhard as vhard_conf
from nova_vhard.placement.client import Placement
from nova_vhard.placement.posture import Posture
from tests.functional.nova.stored import Stored

objects.register_all()
CONF = nova.conf.CONF

SIZES = (1000, 10000)
PROJECT = "6f70656e737461636b20342065766572"

_FEATURES = [
    "3dnowprefetch", "abm", "adx", "aes", "apic", "arat", "avx", "avx2",
    "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl", "avx512vnni",
    "bmi1", "bmi2", "clflush", "clflushopt", "clwb", "cmov", "cx16", "cx8",
    "de", "erms", "f16c", "fma", "fpu", "fsgsbase", "fxsr", "hle", "invpcid",
    "lahf_lm", "lm", "mca", "mce", "mmx", "movbe", "mpx", "msr", "mtrr", "nx",
    "pae", "pat", "pcid", "pclmuldq", "pdpe1gb", "pge", "pni", "popcnt", "pse",
    "pse36", "rdrand", "rdseed", "rdtscp", "rtm", "sep", "smap", "smep",
    "spec-ctrl", "ssbd", "sse", "sse2", "sse4.1", "sse4.2", "ssse3", "syscall",
    "tsc", "tsc-deadline", "vme", "x2apic", "xgetbv1", "xsave", "xsavec",
    "xsaveopt",
]  # fmt: skip
_CPU = {
    "arch": "x86_64",
    "model": "Cascadelake-Server",
    "vendor": "Intel",
    "topology": {"cells": 2, "sockets": 1, "cores": 24, "threads": 2},
    "features": _FEATURES,
    "maxphysaddr": {"mode": "passthrough", "bits": 46},
}
_GUESTS = (("x86_64", "kvm", "hvm"), ("i686", "kvm", "hvm"))
_NETWORKS = ("physnet0", "physnet1")


def hosts(number: int) -> list[host_manager.HostState]:
    """Return that many hosts, as the scheduler knows them."""
    result = []
    for record in nodes(number):
        name = record.host
        state = host_manager.HostState(name, name, str(uuid.UUID(int=1)))
        state.update(
            compute=record,
            service={"host": name, "disabled": False, "updated_at": None},
            aggregates=[],
            inst_dict={},
        )
        state.allocation_candidates = [
            {
                "allocations": {state.uuid: {"resources": {"VCPU": 2}}},
                "mappings": {"": [state.uuid]},
            }
        ]
        result.append(state)
    return result


def nodes(number: int) -> list[objects.ComputeNode]:
    """Return the records of that many hosts, as in the database of a cell."""
    return [node(f"compute{index:05}", index) for index in range(number)]


def node(name: str, index: int) -> objects.ComputeNode:
    """Return the record of a host."""
    return objects.ComputeNode(
        id=index,
        uuid=str(uuid.UUID(int=index + 2)),
        host=name,
        hypervisor_hostname=name,
        hypervisor_type="QEMU",
        hypervisor_version=8002002,
        host_ip="127.0.0.1",
        vcpus=96,
        vcpus_used=index % 90,
        memory_mb=786432,
        memory_mb_used=262144,
        free_ram_mb=524288,
        local_gb=4000,
        local_gb_used=1200,
        free_disk_gb=2800,
        disk_available_least=2700,
        running_vms=index % 40,
        cpu_info=json.dumps(_CPU),
        supported_hv_specs=[
            objects.HVSpec.from_list(list(guest)) for guest in _GUESTS
        ],
        pci_device_pools=pci_device_pool.PciDevicePoolList(
            objects=[
                objects.PciDevicePool(
                    vendor_id="15b3",
                    product_id="1018",
                    numa_node=number,
                    count=16,
                    tags={"dev_type": "type-VF", "physical_network": network},
                )
                for number, network in enumerate(_NETWORKS)
            ]
        ),
        numa_topology=None,
        metrics="[]",
        stats={"num_instances": str(index % 40), "io_workload": "0"},
        cpu_allocation_ratio=4.0,
        ram_allocation_ratio=1.0,
        disk_allocation_ratio=1.0,
        updated_at=datetime.datetime.now(datetime.UTC),
    )


def spec(properties: dict[str, str]) -> Any:
    """Return the RequestSpec of a boot.

    :param properties: image properties
    """
    admin = context.RequestContext("user", PROJECT, roles=["reader", "member"])
    return objects.RequestSpec(
        admin,
        instance_uuid=str(uuid.uuid4()),
        project_id=PROJECT,
        user_id="user",
        num_instances=1,
        image=objects.ImageMeta.from_dict(
            {
                "id": str(uuid.uuid4()),
                "name": "an image",
                "disk_format": "qcow2",
                "properties": properties,
            }
        ),
        flavor=objects.Flavor(
            id=1,
            flavorid="7",
            name="m2.large",
            vcpus=4,
            memory_mb=8192,
            root_gb=40,
            ephemeral_gb=0,
            swap=0,
            extra_specs={
                "capabilities:hypervisor_type": "QEMU",
                "hw:cpu_policy": "shared",
                "hw_rng:allowed": "True",
            },
        ),
        pci_requests=objects.InstancePCIRequests(requests=[]),
        numa_topology=None,
        scheduler_hints={},
        requested_destination=None,
        force_hosts=None,
        force_nodes=None,
        ignore_hosts=None,
        requested_resources=[],
    )


_HEADER = 'version: "1"\nextends: baseline\nexemptions:\n'
_EXEMPTION = """\
  - id: legacy-{number}
    reason: vendor image has no virtio driver
    projects: ["{project}"]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: 2099-12-31
"""


def write_logs_to(path: Path) -> None:
    """Log as a service does by default: INFO and above, to a file."""
    log.register_options(CONF)
    CONF([], project="nova", default_config_files=[])
    CONF.set_override("log_file", str(path))
    log.setup(CONF, "nova")


def policy_text(exemptions: int) -> str:
    """Return a policy in which the last exemption is our project's."""
    projects = [f"{number:032x}" for number in range(exemptions - 1)]
    return _HEADER + "".join(
        _EXEMPTION.format(number=number, project=project)
        for number, project in enumerate([*projects, PROJECT])
    )


PROVEN = 'version: "1"\nextends: baseline\nhosts: {require: [iommu]}\n'


def answered(body: Any) -> Any:
    """Return an answer as Placement gives it."""
    # Of a body no string is one that a HostState has.
    text = json.dumps(body)
    return types.SimpleNamespace(
        status_code=200, text=text, json=lambda: json.loads(text)
    )


class Fleet:
    """Answers as Placement does for hosts that have all proven their IOMMU.

    :param providers: the hosts' providers in Placement
    """

    def __init__(self, providers: list[dict[str, Any]]) -> None:
        self._providers = answered({"resource_providers": providers})

    def get(self, url: str, version: str) -> Any:
        """Answer our gate."""
        if not url.startswith("/traits"):
            return self._providers
        now = datetime.datetime.now(datetime.UTC)
        return answered({"traits": proven(now)})


def proven(now: datetime.datetime) -> list[str]:
    """Return the traits of a host that has just proven its IOMMU."""
    return [traits.of_check("iommu"), *traits.fresh(now, 2)]


def posture(hosts: list[Any]) -> Posture:
    """Return the posture of hosts that have proven what PROVEN requires."""
    fleet = Fleet([{"uuid": x.uuid, "name": x.nodename} for x in hosts])
    return Posture(lambda: Placement(fleet), 600, 600)


def configure(root: Path, text: str) -> None:
    """Put the next filter of this process under a policy of its own.

    :param root: a directory that stays
    """
    directory = tempfile.mkdtemp(dir=root)
    policy = Path(directory, "policy.yaml")
    policy.write_text(text)
    vhard_conf.register(CONF)
    CONF.set_override("policy_file", str(policy), "vhard")
    CONF.set_override("state_path", f"{directory}/state", "vhard")


def gate(root: Path, text: str) -> Any:
    """Return a new VirtHardeningFilter under a policy of its own."""
    from nova_vhard.gates.scheduler import VirtHardeningFilter

    configure(root, text)
    # What Nova's databases take is in the figures of whole boots.
    Stored(setattr)
    return VirtHardeningFilter()
