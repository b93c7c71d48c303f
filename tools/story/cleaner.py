# SPDX-License-Identifier: Apache-2.0
"""The cleaner of compute1, and the card that it cleans.

The card is one of fake libvirt's; the cleaner finds it at the same address of
the tree that stands for the host. What a guest can change of it is the file
``firmware`` in its folder.
"""

from cloud import commands, config, machines
from story import telling

_CARD = machines.CRYPTO
_FILE = """\
[DEFAULT]
log_file = {log}
[vhard_cleaner]
root = {root}
provider_name = {host}
rules_file = {home}/cleaning.yaml
state_path = {home}
run_dir = {home}
[placement]
{auth}
"""
_RULES = f"""\
version: "1"
devices:
- name: {_CARD.alias}
  match: {{vendor: "{_CARD.vendor_id}", products: ["{_CARD.product_id}"]}}
  steps:
"""
_STEP = """\
  - step: command
    settings: {{program: /bin/sh, arguments: ["-c", '{}']}}
"""
_FIRMWARE = '"$VHARD_DEVICE_PATH/firmware"'
_FLASH = _STEP.format(f"echo good > {_FIRMWARE}")
_READ = _STEP.format(f"cat {_FIRMWARE}; grep -qx good {_FIRMWARE}")


class Cleaner:
    """nova-vhard-cleaner of the one host with a card of this kind."""

    def __init__(self, facts):
        self._facts = facts
        self._home = facts.place.home("cleaner")
        self._root = facts.place.home("hosts") / machines.PROVEN.name
        self._card = (
            self._root / "sys/bus/pci/devices" / machines.CRYPTO_ADDRESS
        )

    def plug(self):
        """Add the card to the host's tree, in its factory state."""
        group = self._root / "sys/kernel/iommu_groups/83"
        files = {
            self._card / "vendor": f"0x{_CARD.vendor_id}\n",
            self._card / "device": f"0x{_CARD.product_id}\n",
            self._card / "class": "0x0b4000\n",
            self._card / "firmware": "good\n",
            group / "type": "DMA-FQ\n",
            self._root / "CMD/virsh-list": "",
            self._root / "proc/2/comm": "kthreadd\n",
        }
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        # The captured processes are there without what they had open.
        for process in (self._root / "proc").glob("[0-9]*"):
            (process / "fd").mkdir(exist_ok=True)
        (group / "devices").mkdir()
        (group / "devices" / machines.CRYPTO_ADDRESS).symlink_to(self._card)
        number = "../../../../kernel/iommu_groups/83"
        (self._card / "iommu_group").symlink_to(number)

    def rewrite(self):
        """Do what a guest with the card may do."""
        (self._card / "firmware").write_text("a guest was here\n")

    def rules(self, flash):
        """Write rules that read the firmware, after a flash if requested."""
        self._home.mkdir(exist_ok=True)
        text = _RULES + (_FLASH if flash else "") + _READ
        (self._home / "cleaning.yaml").write_text(text)

    def once(self):
        file = self._home / "cleaner.conf"
        text = _FILE.format(
            log=self._facts.place.logs / "cleaner.log",
            root=self._root,
            host=machines.PROVEN.name,
            home=self._home,
            auth=config.auth(self._facts),
        )
        file.write_text(text)
        answer = commands.run(
            "nova-vhard-cleaner",
            f"--config-file={file}",
            "once",
            environment=commands.environment(),
        )
        return telling.line(telling.output(answer))
