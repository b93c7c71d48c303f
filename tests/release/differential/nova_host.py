# SPDX-License-Identifier: Apache-2.0
"""Nova's code at rest: its configuration, and a host for its driver."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import nova.conf
from nova import objects
from nova.objects import fields
from nova.tests.unit.virt import fakelibosinfo
from nova.virt import osinfo
from nova.virt.libvirt import driver

from nova_vhard.policy.model import Assume

CONF = nova.conf.CONF


@contextmanager
def libosinfo() -> Iterator[None]:
    """Let Nova find the libosinfo of its own tests."""
    database = osinfo._OsInfoDatabase
    with (
        mock.patch.object(osinfo, "libosinfo", fakelibosinfo),
        mock.patch.object(database, "_instance", database()),
    ):
        yield


@contextmanager
def nova_at_rest() -> Iterator[None]:
    """Configure Nova as far as its libvirt driver looks, with libosinfo."""
    objects.register_all()
    CONF([], project="nova", default_config_files=[])
    with libosinfo():
        yield
    CONF.reset()


@contextmanager
def on(host: Assume) -> Iterator[None]:
    """Let Nova run on a host with these settings."""
    settings = {
        ("virt_type", "libvirt"): host.virt_type,
        ("hw_machine_type", "libvirt"): [
            f"{arch}={each}" for arch, each in host.machine_type.items()
        ],
        ("use_virtio_for_bridges", "libvirt"): host.use_virtio_for_bridges,
        ("force_config_drive", None): host.force_config_drive,
        ("pointer_model", None): host.pointer_model,
    }
    for (name, group), value in settings.items():
        CONF.set_override(name, value, group)
    architecture = mock.Mock(return_value=host.architecture)
    with mock.patch.object(fields.Architecture, "from_host", architecture):
        yield
    for name, group in settings:
        CONF.clear_override(name, group)


def driver_on(host: Assume) -> Any:
    """Return a libvirt driver whose host can run every machine."""
    made = object.__new__(driver.LibvirtDriver)
    made._host = mock.Mock(
        supports_uefi=True,
        supports_secure_boot=True,
        supports_mem_encryption=True,
    )
    made._host.get_capabilities.return_value.host = SimpleNamespace(
        cpu=SimpleNamespace(arch=host.architecture)
    )
    return made
