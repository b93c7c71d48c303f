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
def nova_at_rest() -> Iterator[None]:
    """Configure Nova as far as its libvirt driver looks, with libosinfo."""
    objects.register_all()
    CONF([], project="nova", default_config_files=[])
    database = osinfo._OsInfoDatabase
    with (
        mock.patch.object(osinfo, "libosinfo", fakelibosinfo),
        mock.patch.object(database, "_instance", database()),
    ):
        yield
    CONF.reset()


@contextmanager
def on(host: Assume) -> Iterator[None]:
    """Let Nova run on a host with these settings."""
    machines = [f"{arch}={each}" for arch, each in host.machine_type.items()]
    settings = {
        "virt_type": host.virt_type,
        "hw_machine_type": machines,
        "use_virtio_for_bridges": host.use_virtio_for_bridges,
    }
    for name, value in settings.items():
        CONF.set_override(name, value, "libvirt")
    more = ("force_config_drive", "pointer_model")
    for name in more:
        CONF.set_override(name, getattr(host, name))
    architecture = mock.Mock(return_value=host.architecture)
    with mock.patch.object(fields.Architecture, "from_host", architecture):
        yield
    for name in settings:
        CONF.clear_override(name, "libvirt")
    for name in more:
        CONF.clear_override(name)


def driver_on(host: Assume) -> Any:
    """Return a libvirt driver whose host can run every machine."""
    made = object.__new__(driver.LibvirtDriver)
    cpu = SimpleNamespace(cpu=SimpleNamespace(arch=host.architecture))
    made._host = mock.Mock(
        supports_uefi=True,
        supports_secure_boot=True,
        supports_mem_encryption=True,
    )
    made._host.get_capabilities.return_value.host = cpu
    return made


def let_rescue(driver: Any, guest: Any) -> None:
    """Let a driver rescue without libvirt, as far as the guest's XML.

    :param guest: what to call in place of ``_get_guest_xml``
    """
    driver._get_existing_domain_xml = lambda *_, **__: ""
    driver._get_all_assigned_mediated_devices = lambda *_: {}
    driver._get_existing_guest_config = lambda *_: None
    driver._create_image = lambda *_, **__: None
    driver._get_guest_xml = guest
