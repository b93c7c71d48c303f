# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-20: libvirt confines guests, and the kernel enforces it."""

from nova_vhard.host import mac
from nova_vhard.host.check import Answer, Check
from nova_vhard.host.host import Host


class MacConfinement(Check):
    """libvirt's security driver is SELinux or AppArmor, and it is enforced.

    =========  ===========================================================
    PASS       libvirt has such a driver, the kernel enforces it, no domain
               for guests is permissive, and qemu.conf confines by default
    FAIL       one of these is not so
    UNKNOWN    no answer of libvirt, or something cannot be read
    =========  ===========================================================
    """

    name = "mac_confinement"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Judge libvirt, the kernel and qemu.conf."""
        return mac.confinement(host, evidence)
