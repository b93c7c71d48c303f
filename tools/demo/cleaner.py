# SPDX-License-Identifier: Apache-2.0
"""The cleaner of compute1, and the card that it cleans.

The card is one of fake libvirt's; the cleaner finds it at the same address of
the tree that stands for the host. What a guest can change of it is the file
``firmware`` in its folder.
"""

import json

from common import commands
from demo import config, machines

_ADDRESS = machines.CRYPTO_ADDRESS
_CARD = machines.CRYPTO
_FILE = """\
[DEFAULT]
log_file = {log}
[vhard_cleaner]
root = {root}
rules_file = {home}/cleaning.yaml
state_path = {home}
run_dir = {home}
[placement]
{auth}
"""
_FIRMWARE = '"$VHARD_DEVICE_PATH/firmware"'
_FLASH = f"echo good > {_FIRMWARE}"
_READ = f"cat {_FIRMWARE}; grep -qx good {_FIRMWARE}"


class Cleaner:
    """nova-vhard-cleaner of the one host with a card of this kind.

    :param place: common.place.Place
    :param keystone: address of the identity service
    """

    def __init__(self, place, keystone):
        self._home = place.home("cleaner")
        self._home.mkdir()
        self._root = place.home("hosts") / machines.PROVEN.name
        self._conf = self._home / "cleaner.conf"
        self._conf.write_text(
            _FILE.format(
                log=place.logs / "cleaner.log",
                root=self._root,
                home=self._home,
                auth=config.auth(keystone),
            )
        )

    def plug(self):
        """Have the card in the host's tree, as it left its factory."""
        card = self._root / "sys/bus/pci/devices" / _ADDRESS
        group = self._root / "sys/kernel/iommu_groups/83"
        files = {
            card / "vendor": f"0x{_CARD.vendor_id}",
            card / "device": f"0x{_CARD.product_id}",
            card / "class": "0x0b4000",
            card / "firmware": "good",
            group / "type": "DMA-FQ",
            self._root / "CMD/virsh-list": "",
            self._root / "proc/2/comm": "kthreadd",
        }
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n" if text else "")
        # The captured processes are there without what they had open.
        for process in (self._root / "proc").glob("[0-9]*"):
            (process / "fd").mkdir(exist_ok=True)
        (group / "devices").mkdir()
        (group / "devices" / _ADDRESS).symlink_to(card)
        (card / "iommu_group").symlink_to("../../../../kernel/iommu_groups/83")

    def rewrite(self):
        """Do what a guest with the card may do."""
        card = self._root / "sys/bus/pci/devices" / _ADDRESS
        (card / "firmware").write_text("a guest was here\n")

    def rules(self, flash):
        """Write what is done for such a card.

        :param flash: whether its firmware is written anew before it is read
        """
        programs = (_FLASH, _READ) if flash else (_READ,)
        steps = [
            {
                "step": "command",
                "settings": {"program": "/bin/sh", "arguments": ["-c", one]},
            }
            for one in programs
        ]
        match = {"vendor": _CARD.vendor_id, "products": [_CARD.product_id]}
        entry = {"name": _CARD.alias, "match": match, "steps": steps}
        text = json.dumps({"version": "1", "devices": [entry]})
        (self._home / "cleaning.yaml").write_text(text)

    def once(self):
        """Run ``nova-vhard-cleaner once``; give its Answer."""
        return commands.run(
            "nova-vhard-cleaner",
            "--config-file",
            str(self._conf),
            "once",
            environment=commands.environment(),
        )
