# SPDX-License-Identifier: Apache-2.0
"""Devices that are for one guest only, and the cleaner of their host.

Nova's own code on fake libvirt PCI devices, with the real Placement. The
cleaner's host has the same devices at the same addresses; a guest may leave
something behind in the file ``firmware`` of a device's folder.
"""

import json
import os
import pathlib
from typing import Any

import fixtures
import yaml
from nova.tests.fixtures import libvirt as fake_libvirt
from oslo_config import cfg

from nova_vhard.cleaner import journal
from nova_vhard.cleaner.decide import OperatorRequest
from nova_vhard.cleaner.service import Cleaner, Round
from nova_vhard.conf import cleaner as cleaner_conf
from nova_vhard.host.pci import pci
from nova_vhard.placement.client import Placement
from tests.functional.nova.passthrough import base
from tests.trees import build, pci_host

#: The first of Nova's fake devices.
ADDRESS = "0000:81:00.0"
CLASS = f"CUSTOM_PCI_{fake_libvirt.PCI_VEND_ID}_{fake_libvirt.PCI_PROD_ID}"
#: A whole device, one with functions, and one of these.
WHOLE, PF, VF = "gpu", "nic", "function"
ALIASES = {WHOLE: "type-PCI", PF: "type-PF", VF: "type-VF"}
PRODUCTS = {
    WHOLE: fake_libvirt.PCI_PROD_ID,
    PF: fake_libvirt.PF_PROD_ID,
    VF: fake_libvirt.VF_PROD_ID,
}

_ALLOW = "allow: {aliases: '*', ports: [vf, pf], device_profiles: '*'}"
POLICY = f"passthrough: {{{_ALLOW}, require: [one_time_use]}}\n"

#: The operator's programs: one flashes the firmware, one reads it.
REPAIR = 'echo good > "$VHARD_DEVICE_PATH/firmware"'
PROVE = 'read -r found < "$VHARD_DEVICE_PATH/firmware"; echo "$found"; '
PROVE += 'test "$found" = good'
NOTHING = "true"


def alias(name: str, **more: Any) -> str:
    ids = {
        "vendor_id": fake_libvirt.PCI_VEND_ID,
        "product_id": PRODUCTS[name],
        "device_type": ALIASES[name],
        "name": name,
    }
    return json.dumps(ids | more)


def device(name: str, used_once: bool = True, **more: Any) -> dict[str, Any]:
    """Return an entry of ``[pci] device_spec``."""
    result = {
        "vendor_id": fake_libvirt.PCI_VEND_ID,
        "product_id": PRODUCTS[name],
    }
    return result | ({"one_time_use": "true"} if used_once else {}) | more


class Once(base.Devices):
    """Hosts whose devices Nova offers to one guest only.

    :cvar SPEC: ``[pci] device_spec``
    :cvar ALIAS: what each ``[pci] alias`` has beside the ids
    :cvar HAS: devices of each host by their kind
    :cvar TRACKED: whether the scheduler asks Placement for devices
    """

    HOSTS: tuple[str, ...] = (base.PROVEN,)
    POLICY = POLICY
    SPEC: tuple[dict[str, Any], ...] = (device(WHOLE),)
    ALIAS: dict[str, str] = {}
    HAS = {"num_pci": 1, "num_pfs": 0, "num_vfs": 0}
    TRACKED = True

    # What a guest has used stays reserved.
    NEW_HOSTS = True

    def start_hosts(self) -> None:
        """Start the computes, with their devices in Placement."""
        self.flags(report_in_placement=True, group="pci")
        self.flags(pci_in_placement=self.TRACKED, group="filter_scheduler")
        # The machine that the tests run on has devices of its own.
        self.useFixture(
            fixtures.MockPatch("nova.pci.utils.is_physical_function")
        )
        super().start_hosts()
        self._run_periodics()

    def start_compute(self, hostname: str, **more: Any) -> Any:
        """Start a compute with the devices of this case."""
        self.flags(
            device_spec=[json.dumps(each) for each in self.SPEC],
            alias=[alias(name, **self.ALIAS) for name in ALIASES],
            group="pci",
        )
        more["pci_info"] = fake_libvirt.HostPCIDevicesInfo(**self.HAS)
        return super().start_compute(hostname, **more)

    def flavor_with(self, name: str = WHOLE, count: int = 1) -> str:
        """Make a flavor with devices; return its id."""
        return self.flavor({"pci_passthrough:alias": f"{name}:{count}"})

    def delete(self, server: str) -> None:
        """Delete a server, and wait until it is gone."""
        self.api.delete_server(server)
        self._wait_until_deleted({"id": server, "status": "ACTIVE"})

    def reserved(self, host: str = base.PROVEN) -> int:
        """Return how many of the first device nobody can get."""
        uuid = self._get_provider_uuid_by_name(f"{host}_{ADDRESS}")
        inventory = self._get_provider_inventory(uuid)[CLASS]
        return int(inventory["reserved"])


class Cleaned(Once):
    """The same, with a cleaner on the host."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = self.folder / "host"
        content = pci_host({"7": [ADDRESS]})
        place = f"/sys/devices/pci0000:00/{ADDRESS}"
        content[f"{place}/vendor"] = f"0x{fake_libvirt.PCI_VEND_ID}\n"
        content[f"{place}/device"] = f"0x{fake_libvirt.PCI_PROD_ID}\n"
        content[f"{place}/class"] = "0x030000\n"
        content[f"{place}/firmware"] = "good\n"
        compute = f"{self.provider(base.PROVEN)}\n"
        content["/var/lib/nova/compute_id"] = compute
        content["/proc/2/comm"] = "kthreadd\n"
        content["/proc/2/fd"] = None
        content["/CMD/virsh-list"] = ""
        build(self.tree, content)
        folder = self.folder / "cleaner"
        self.rules_file = self.folder / "cleaning.yaml"
        self.rules(REPAIR, PROVE)
        conf = cfg.ConfigOpts()
        conf([], project="test")
        cleaner_conf.register(conf)
        for name, value in {
            "root": str(self.tree),
            "state_path": str(folder),
            "run_dir": str(folder),
            "rules_file": str(self.rules_file),
            "provider_name": base.PROVEN,
        }.items():
            conf.set_override(name, value, "vhard_cleaner")
        self.cleaner = Cleaner(conf.vhard_cleaner, Placement(self.reporter))
        self.evidence = str(folder / "devices")

    @property
    def firmware(self) -> pathlib.Path:
        """The part of the device that a guest can change."""
        place = os.path.realpath(f"{self.tree}{pci.path(ADDRESS)}")
        return pathlib.Path(place, "firmware")

    def rules(self, *programs: str) -> None:
        """Write the host's rules: these lines of a shell, one after another.

        None at all: no entry names the device.
        """
        steps = [
            {
                "step": "command",
                "settings": {"program": "/bin/sh", "arguments": ["-c", each]},
            }
            for each in programs
        ]
        entry = {"name": "cards", "match": {"classes": ["03"]}}
        rules = [{**entry, "steps": steps}] if steps else []
        content = {"version": "1", "devices": rules}
        self.rules_file.write_text(yaml.safe_dump(content))

    def clean(self, **wish: Any) -> Round:
        """Let the cleaner make a round."""
        return self.cleaner.once(
            (ADDRESS,) if wish else (), OperatorRequest(**wish)
        )

    def record(self) -> journal.Record:
        """Return what the journal says of the device."""
        return self.cleaner.journal.read(ADDRESS)
