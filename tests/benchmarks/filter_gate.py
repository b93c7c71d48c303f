# SPDX-License-Identifier: Apache-2.0
"""Our filter as nova-scheduler has it: with a policy file, and a log file."""

import datetime
import json
import types
from pathlib import Path
from typing import Any

import nova.conf
from oslo_log import log

from nova_vhard.catalogue import traits
from nova_vhard.conf import vhard as vhard_conf
from nova_vhard.placement.client import Placement
from nova_vhard.placement.posture import Posture
from tests.benchmarks.filter_fleet import PROJECT
from tests.functional.nova.stored import Stored

CONF = nova.conf.CONF

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


class Fleet:
    """Answers as Placement does for hosts that have all proven it."""

    def __init__(self, hosts: list[Any]) -> None:
        self._providers = [
            {"uuid": each.uuid, "name": each.nodename} for each in hosts
        ]

    def get(self, url: str, version: str) -> Any:
        now = datetime.datetime.now(datetime.UTC)
        names = [traits.of_check("iommu"), *traits.fresh(now, 2)]
        body = {"traits": names, "resource_providers": self._providers}
        # Of a body no string is one that a HostState has.
        text = json.dumps(body)
        return types.SimpleNamespace(
            status_code=200, json=lambda: json.loads(text)
        )


def with_posture(item: Any, hosts: list[Any]) -> Any:
    """Return a filter whose fleet has proven what the policy requires."""
    item._hosts._posture = Posture(lambda: Placement(Fleet(hosts)), 600, 600)
    return item


def configure(directory: Path, text: str) -> None:
    """Put the next filter of this process under a policy of its own.

    :param directory: one without such files that stays
    """
    policy = directory / "policy.yaml"
    policy.write_text(text)
    vhard_conf.register(CONF)
    CONF.set_override("policy_file", str(policy), "vhard")
    CONF.set_override("state_path", str(directory / "state"), "vhard")


def gate(directory: Path, text: str) -> Any:
    """Return a new VirtHardeningFilter under a policy of its own.

    :param directory: an empty directory that stays
    """
    from nova_vhard.gates.scheduler import VirtHardeningFilter

    configure(directory, text)
    # What Nova's databases take is in the figures of whole boots.
    Stored(setattr)
    return VirtHardeningFilter()
