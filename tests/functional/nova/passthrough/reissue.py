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

from nova.tests.fixtures import libvirt as fake_libvirt
from oslo_config import cfg

from nova_vhard.cleaner import journal
from nova_vhard.cleaner.service import Cleaner
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
RULES = """\
version: "1"
devices:
  - name: cards
    match: {classes: ["03"]}
    steps:
      - step: command
        settings:
          program: /bin/sh
          arguments:
            - -c
            - echo good > "$VHARD_DEVICE_PATH/firmware"
      - step: command
        settings:
          program: /bin/sh
          arguments:
            - -c
            - >-
              read -r found < "$VHARD_DEVICE_PATH/firmware"; echo "$found";
              test "$found" = good
"""


def device(name: str, used_once: bool = True, **more: Any) -> dict[str, Any]:
    """Return an entry of ``[pci] device_spec``."""
    result = {
        "vendor_id": fake_libvirt.PCI_VEND_ID,
        "product_id": PRODUCTS[name],
    }
    return result | ({"one_time_use": "true"} if used_once else {}) | more


def alias(name: str) -> str:
    named = {"name": name, "device_type": ALIASES[name]}
    return json.dumps(device(name, False) | named)


class Once(base.Devices):
    """Hosts whose devices Nova offers to one guest only.

    :cvar SPEC: ``[pci] device_spec``
    :cvar HAS: devices of each host by their kind
    """

    HOSTS: tuple[str, ...] = (base.PROVEN,)
    POLICY = POLICY
    SPEC: tuple[dict[str, Any], ...] = (device(WHOLE),)
    HAS = {"num_pci": 1, "num_pfs": 0, "num_vfs": 0}
    TRACKED = True

    # What a guest has used stays reserved.
    NEW_HOSTS = True

    def start_compute(self, hostname: str, **more: Any) -> Any:
        """Start a compute with the devices of this case."""
        self.flags(
            device_spec=[json.dumps(each) for each in self.SPEC],
            alias=[alias(name) for name in ALIASES],
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
        return int(self._get_provider_inventory(uuid)[CLASS]["reserved"])


class Cleaned(Once):
    """The same, with a cleaner on the host."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = self.folder / "host"
        place = f"/sys/devices/pci0000:00/{ADDRESS}"
        content = pci_host({"7": [ADDRESS]}) | {
            f"{place}/vendor": f"0x{fake_libvirt.PCI_VEND_ID}\n",
            f"{place}/device": f"0x{fake_libvirt.PCI_PROD_ID}\n",
            f"{place}/class": "0x030000\n",
            f"{place}/firmware": "good\n",
            "/var/lib/nova/compute_id": f"{self.provider(base.PROVEN)}\n",
            "/proc/2/comm": "kthreadd\n",
            "/proc/2/fd": None,
            "/CMD/virsh-list": "",
        }
        build(self.tree, content)
        folder = self.folder / "cleaner"
        rules_file = self.folder / "cleaning.yaml"
        rules_file.write_text(RULES)
        conf = cfg.ConfigOpts()
        conf([], project="test")
        cleaner_conf.register(conf)
        for name, value in {
            "root": str(self.tree),
            "state_path": str(folder),
            "run_dir": str(folder),
            "rules_file": str(rules_file),
            "provider_name": base.PROVEN,
        }.items():
            conf.set_override(name, value, "vhard_cleaner")
        self.cleaner = Cleaner(conf.vhard_cleaner, Placement(self.reporter))

    @property
    def firmware(self) -> pathlib.Path:
        """The part of the device that a guest can change."""
        place = os.path.realpath(f"{self.tree}{pci.path(ADDRESS)}")
        return pathlib.Path(place, "firmware")

    def record(self) -> journal.Record:
        """Return what the journal says of the device."""
        return self.cleaner.journal.read(ADDRESS)
