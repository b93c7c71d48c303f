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
        "libvirt has SELinux or AppArmor as its security driver, the "
        "kernel enforces it, for the domain or the profile of guests too, "
        "and qemu.conf "
        "confines a guest of which nothing is said. Whether a guest of "
        "which something else is said is refused "
        "(security_require_confined) is in the evidence."
    )
    remediation = (
        "Enable SELinux or AppArmor in the kernel and set it to enforce "
        "(setenforce 1 and SELINUX=enforcing; apparmor=1); semanage "
        "permissive -d svirt_t; aa-enforce "
        "/etc/apparmor.d/libvirt/TEMPLATE.qemu. In qemu.conf take "
        "security_driver out, set security_default_confined = 1 and "
        "security_require_confined = 1, and start libvirtd or virtqemud "
        "again."
    )

    def answer(self, host: Host) -> Answer:
        """Judge libvirt, the kernel and qemu.conf."""
        return mac.confinement(host)
