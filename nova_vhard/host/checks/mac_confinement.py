# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-20: libvirt confines guests, and the kernel enforces it."""

from nova_vhard.host.check import Answer, Check
from nova_vhard.host.host import Host
from nova_vhard.host.mac import mac


class MacConfinement(Check):
    """libvirt's security driver is SELinux or AppArmor, and it is enforced.

    =========  ===========================================================
    PASS       libvirt has such a driver, the kernel enforces it, neither
               SELinux's domain nor AppArmor's template for guests lets
               everything pass, and qemu.conf confines by default
    FAIL       one of these is not so
    UNKNOWN    no answer of libvirt, or something cannot be read
    =========  ===========================================================
    """

    name = "mac_confinement"
    id = "Check-Virt-20"
    title = "libvirt confines guests"
    guide = "Mandatory access controls"
    meaning = (
        "libvirt uses SELinux or AppArmor as its security driver, the "
        "kernel enforces it, also for the domain or profile of guests, and "
        "qemu.conf confines guests by default. The evidence shows whether "
        "libvirt refuses guests that are defined as unconfined "
        "(security_require_confined)."
    )
    remediation = (
        "Enable SELinux or AppArmor in the kernel and set it to enforce "
        "(setenforce 1 and SELINUX=enforcing; apparmor=1); semanage "
        "permissive -d svirt_t; aa-enforce "
        "/etc/apparmor.d/libvirt/TEMPLATE.qemu. In qemu.conf, remove "
        "security_driver and set security_default_confined = 1 and "
        "security_require_confined = 1. Restart libvirtd or virtqemud."
    )

    def answer(self, host: Host) -> Answer:
        """Judge libvirt, the kernel and qemu.conf."""
        return mac.confinement(host)
