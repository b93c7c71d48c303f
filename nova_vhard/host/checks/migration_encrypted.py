# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-41: the memory of a guest that moves is encrypted on its way."""

from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    passed,
    unknown,
)
from nova_vhard.host.host import Host
from nova_vhard.host.mac import mac
from nova_vhard.host.nova import nova_facts
from nova_vhard.host.qemu import qemu_conf

# Of libvirt's transports, those that encrypt what goes through the daemon.
_ENCRYPTED = ("tls", "ssh")


class MigrationEncrypted(Check):
    """Guests leave this host by TLS, or not at all.

    =========  ===========================================================
    PASS       Nova asks for QEMU's own TLS; or tunnels migrations through
               libvirt's daemons, by tls or ssh; or libvirt refuses any
               migration without TLS
    FAIL       the memory of a guest leaves the host in the clear
    UNKNOWN    Nova's settings or libvirt's cannot be read
    =========  ===========================================================

    It is about the host that a guest leaves. Sources: the options of Nova's
    group libvirt, and migrate_tls_force in libvirt's src/qemu/qemu.conf.in.
    """

    name = "migration_encrypted"
    id = "Check-Virt-41"
    title = "Live migrations are encrypted"
    guide = (
        "Beyond the guide: anyone who can read the migration network can "
        "read all memory of a guest, including its keys"
    )
    meaning = (
        "According to the settings of Nova and libvirt, this host encrypts "
        "the memory of a guest during a live migration, or the migration "
        "fails. Certificates are not checked: only a migration shows "
        "whether they work."
    )
    remediation = (
        "Set live_migration_with_native_tls = true in [libvirt] of nova.conf, "
        "with certificates for QEMU on each host (default_tls_x509_cert_dir "
        "of qemu.conf), and migrate_tls_force = 1 in qemu.conf."
    )

    def answer(self, host: Host) -> Answer:
        """Judge Nova's settings, and then libvirt's."""
        facts = nova_facts.read(host)
        channels = facts.channels
        host.root.note(
            *(
                f"{facts.path}: {name} = {value}"
                for name, value in (
                    ("live_migration_with_native_tls", channels.native_tls),
                    ("live_migration_tunnelled", channels.tunnelled),
                    ("migration scheme", channels.transport),
                )
            )
        )
        # LibvirtDriver._handle_native_tls() adds VIR_MIGRATE_TLS to each
        # migration. Nova does not start with this and tunnelling together.
        if channels.native_tls:
            return passed("Nova uses QEMU's native TLS for each migration")
        # Without tunnelling the scheme protects libvirt's own messages only:
        # QEMU sends the memory on a connection of its own.
        if channels.tunnelled and channels.transport in _ENCRYPTED:
            return passed(
                "Nova tunnels migrations through libvirt's encrypted "
                "connection"
            )
        return mac.settle(
            map(_forced, qemu_conf.read(host, qemu_conf.MIGRATING))
        )


def _forced(read: qemu_conf.Read) -> Answer:
    """Judge whether a daemon refuses what Nova asks for."""
    # FAIL before stale: neither the old nor the new file is known to refuse
    # it.
    if not read.confinement.migrate_tls_force:
        return failed("live migrations are not encrypted")
    if read.stale:
        return unknown(
            "qemu.conf was changed since libvirt's daemon started",
            mac.NOT_READ,
        )
    return passed("libvirt refuses migrations without TLS")
