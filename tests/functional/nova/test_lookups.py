# SPDX-License-Identifier: Apache-2.0
"""How much is looked up for one request: each object once, within a bound."""

import uuid
from types import SimpleNamespace

import pytest
from nova import exception

from nova_vhard.gates.nova_lookup import MOST, NovaLookups
from nova_vhard.request.lookups import LookupFailed, NotFound
from nova_vhard.request.nova_api import ServerReader
from tests.functional.nova import helpers  # noqa: F401 - registers objects

WHO = SimpleNamespace(project_id="p", project_domain_id="d", roles=())


class Neutron:
    """Neutron, and what it is asked for."""

    def __init__(self, fails=None):
        self.asked = []
        self._fails = fails or {}

    def show_port(self, _context, port_id):
        self.asked.append(port_id)
        if port_id in self._fails:
            raise self._fails[port_id]
        return {"port": {"id": port_id, "binding:vnic_type": "direct"}}


class Lookups(NovaLookups):
    """Look-ups of which the flavor and the image are known."""

    def boot_flavor(self, reference):
        return None

    def boot_image(self, server):
        return None


def boot(neutron, ports):
    """Read a boot with networks of these ports."""
    find = Lookups(SimpleNamespace(ports=neutron), None)
    networks = [{"port": port} for port in ports]
    body = {"server": {"networks": networks}}
    return ServerReader(find, WHO).boot(body)


def names(count):
    return [str(uuid.UUID(int=number)) for number in range(count)]


def test_a_port_is_asked_for_once():
    neutron = Neutron()
    request = boot(neutron, names(1) * 2250)
    assert neutron.asked == names(1)
    assert request.hardware.passthrough


def test_there_is_an_end_to_what_is_asked_for():
    neutron = Neutron()
    boot(neutron, names(2250))
    assert neutron.asked == names(MOST)


@pytest.mark.parametrize(
    "error",
    [
        exception.PortNotFound(port_id="x"),
        exception.NeutronAdminCredentialConfigurationInvalid(),
        OSError("cut off"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_nothing_is_asked_for_after_the_first_that_fails(error):
    neutron = Neutron({names(3)[2]: error})
    boot(neutron, names(2250))
    assert neutron.asked == names(3)


def test_what_failed_is_not_asked_for_again():
    find = Lookups(
        SimpleNamespace(ports=Neutron({"a": OSError(), "b": OSError()})), None
    )
    for port in ("a", "a", "b"):
        with pytest.raises(LookupFailed):
            find.port(port)
    assert find._services.ports.asked == ["a"]


@pytest.mark.parametrize("name", ["http://x/y", "", None, 7, ["a"], "a/b"])
def test_an_address_is_nobodys_to_open(name):
    neutron = Neutron()
    find = Lookups(SimpleNamespace(ports=neutron), None)
    for look_up in (find.port, find.image, find.volume, find.volume_snapshot):
        with pytest.raises(NotFound):
            look_up(name)
    assert not neutron.asked
