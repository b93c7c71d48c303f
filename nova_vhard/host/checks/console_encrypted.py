# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-43: consoles are local, or encrypted and authenticated."""

from nova_vhard.host import guests
from nova_vhard.host.all_guests import of_each
from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    passed,
    unknown,
)
from nova_vhard.host.guests import PROC, Guest
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.listeners import is_local
from nova_vhard.host.libvirt.running import WHOLE_TABLE
from nova_vhard.host.mac import mac
from nova_vhard.host.nova import nova_facts
from nova_vhard.host.qemu import consoles, qemu_conf
from nova_vhard.host.root import unreadable
from nova_vhard.host.sanitized import shown


class ConsoleEncrypted(Check):
    """A guest's console cannot be reached over the network without a login.

    =========  ===========================================================
    PASS       VNC and SPICE of each guest listen on loopback or a socket
               on the host, or accept only TLS and authenticate clients;
               or no guest runs, and the settings of Nova and libvirt give
               the next guest such a console
    FAIL       a console listens on the network without TLS or a login
    UNKNOWN    a guest or the settings cannot be read
    =========  ===========================================================
    """

    name = "console_encrypted"
    id = "Check-Virt-43"
    title = "Consoles are local, or encrypted and authenticated"
    guide = (
        "Beyond the guide: users type passwords on consoles, and an attacker "
        "on the network could read them"
    )
    meaning = (
        "The command line of each running QEMU shows that its VNC and "
        "SPICE servers listen only on loopback or on a local socket, or "
        "that they require TLS together with a client certificate, SASL or "
        "a password. Serial consoles are not checked."
    )
    remediation = (
        "If the console proxy runs on this host, set server_listen in "
        "[vnc] and [spice] of nova.conf to 127.0.0.1. Otherwise set "
        "vnc_tls = 1 and vnc_tls_x509_verify = 1 in qemu.conf, and "
        "auth_schemes = vencrypt, vencrypt_client_cert and "
        "vencrypt_client_key in [vnc] of the proxy's nova.conf. Then stop "
        "and start the guests in the evidence, or migrate them away."
    )

    def answer(self, host: Host) -> Answer:
        """Judge each guest's own command line."""
        answers = of_each(host, lambda _, guest: _judge(host, guest))
        if not answers:
            # A host without guests is judged by what the next one gets.
            if not (host.root.captured or guests.complete(host.root)):
                return unknown(
                    "no guest is visible, but not all processes are "
                    "visible either (PID namespace, hidepid)",
                    WHOLE_TABLE,
                )
            # Nova writes server_listen into the domain XML of each guest that
            # it starts (LibvirtDriver._guest_add_video_device()).
            facts = nova_facts.read(host)
            listen = facts.channels.consoles
            host.root.note(
                *(
                    f"{facts.path}: [{kind}] server_listen = {shown(address)}"
                    for kind, address in listen.items()
                )
            )
            wide = [
                kind
                for kind, address in listen.items()
                if not is_local(address)
            ]
            # vnc_tls of qemu.conf is about VNC alone.
            if wide == ["vnc"] and _by_tls(host):
                wide = []
            if wide:
                return failed(
                    "no guest is running; the next one will be open to the "
                    f"network: {', '.join(wide)}"
                )
            return passed(
                "no guest is running; the next one's consoles will be "
                "protected"
            )
        return mac.settle_all(
            answers,
            "open to the network: ",
            f"the consoles of all {len(answers)} guests are protected",
        )


def _judge(host: Host, guest: Guest) -> Answer:
    """Judge the consoles of a guest.

    :raises Unreadable: if its command line cannot be read
    """
    who = shown(guest.name)
    path = f"{PROC}/{guest.pid}/cmdline"
    # Not the domain XML: what QEMU was started with is what listens.
    each = list(consoles.read(host.root.peek(path).split("\0")))
    broken = any(item.gap for item in each)
    lines = [
        f"{path}: {item.kind} {shown(item.where)}, "
        f"{item.gap or 'closed'} ({who})"
        for item in each
    ] or [f"{path}: no console ({who})"]
    # A report has room for some lines only: the worst come first.
    host.root.note(*lines, first=broken)
    return failed(who) if broken else passed("")


def _by_tls(host: Host) -> bool:
    """Return whether libvirt gives VNC servers TLS and authentication.

    :raises Unreadable: if a daemon has not read what the file says
    """
    read = qemu_conf.read(host, qemu_conf.CONSOLES)
    # The next guest is started by the daemon as it runs, with the old keys.
    if any(each.stale for each in read):
        raise unreadable(
            qemu_conf.PATH,
            "was changed since libvirt's daemon started",
            mac.NOT_READ,
        )
    # Never all() of nothing: without a daemon, read() has the file itself.
    return all(
        it.vnc_tls
        and (it.vnc_tls_x509_verify or it.vnc_sasl or it.vnc_password)
        for it in (each.confinement for each in read)
    )
