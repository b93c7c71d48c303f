# SPDX-License-Identifier: Apache-2.0
"""Devices that are for one guest only, and the cleaner of their host.

Nova's own code on fake libvirt PCI devices, with the real Placement. The
cleaner's host has the same devices at the same addresses; a guest may leave
something behind in the file ``firmware`` of a device's folder.
"""

import json
import pathlib
from typing import Any

from nova.tests.fixtures import libvirt as fake_libvirt

from nova_vhard.cleaner import journal
from nova_vhard.cleaner.service import Cleaner
from nova_vhard.conf import cleaner as cleaner_conf
from nova_vhard.host.pci import pci
from nova_vhard.placement.client import Placement
from tests.functional.nova.passthrough import base
from tests.trees import build, pci_host
from tests.unit.helpers import configured

#: The first of Nova's fake devices.
ADDRESS = "0000:81:00.0"
CLASS = f"CUSTOM_PCI_{fake_libvirt.PCI_VEND_ID}_{fake_libvirt.PCI_PROD_ID}"

POLICY = "passthrough: {allow: {aliases: '*'}, require: [one_time_use]}\n"

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


def device(used_once: bool = True, **more: Any) -> dict[str, Any]:
    """Return an entry of ``[pci] device_spec``."""
    tag = {"one_time_use": "true"} if used_once else {}
    return {**base.DEVICE, **tag, **more}


class Once(base.Devices):
    """Hosts whose devices Nova offers to one guest only.

    :cvar SPEC: ``[pci] device_spec``
    """

    HOSTS: tuple[str, ...] = (base.PROVEN,)
    POLICY = POLICY
    SPEC: tuple[dict[str, Any], ...] = (device(),)
    PCI = 1
    TRACKED = True
    # What a guest has used stays reserved.
    NEW_HOSTS = True

    def start_hosts(self) -> None:
        """Start a compute with the devices of this case."""
        spec = [json.dumps(each) for each in self.SPEC]
        self.flags(device_spec=spec, group="pci")
        super().start_hosts()


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
        conf = configured(
            cleaner_conf,
            "vhard_cleaner",
            root=str(self.tree),
            state_path=str(folder),
            run_dir=str(folder),
            rules_file=str(rules_file),
            provider_name=base.PROVEN,
        )
        self.cleaner = Cleaner(conf.vhard_cleaner, Placement(self.reporter))

    def reserved(self) -> int:
        """Return how many of the device no guest can get."""
        uuid = self._get_provider_uuid_by_name(f"{base.PROVEN}_{ADDRESS}")
        return int(self._get_provider_inventory(uuid)[CLASS]["reserved"])

    @property
    def firmware(self) -> pathlib.Path:
        """The part of the device that a guest can change."""
        place = pathlib.Path(f"{self.tree}{pci.path(ADDRESS)}", "firmware")
        return place.resolve()

    def record(self) -> journal.Record:
        """Return what the journal says of the device."""
        return self.cleaner.journal.read(ADDRESS)
