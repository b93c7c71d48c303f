# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-23: the guide's booleans are off, or wanted."""

from nova_vhard.catalogue.booleans import BOOLEANS, Boolean
from nova_vhard.host.check import (
    Answer,
    Check,
    Status,
    failed,
    not_applicable,
    passed,
    unknown,
)
from nova_vhard.host.host import Host
from nova_vhard.host.mac import mac, selinux
from nova_vhard.host.root import Unreadable


class SelinuxBooleans(Check):
    """The booleans that open something of the host to every guest.

    ==============  ======================================================
    PASS            each that this policy has is off, or wanted on
    FAIL            one is on, and not wanted
    UNKNOWN         one cannot be read, or this policy has none of them
    NOT_APPLICABLE  the kernel does not run SELinux
    ==============  ======================================================
    """

    name = "selinux_booleans"
    id = "Check-Virt-23"
    title = "The guide's SELinux booleans are off, or on by choice"
    guide = "Booleans"
    meaning = (
        "None of the guide's eight SELinux booleans, each of which opens "
        "something on the host to every guest, is on, unless the operator "
        "has listed it."
    )
    remediation = (
        "Run setsebool -P NAME off, or, if this host needs it, add it to "
        "[vhard_reporter] selinux_booleans."
    )

    def answer(self, host: Host) -> Answer:
        """Judge what each is now; what is pending is named."""
        if not _present(host):
            return not_applicable("SELinux is not enabled")
        result = [mac.attempt(_judge, host, boolean) for boolean in BOOLEANS]
        host.root.note(
            *(
                "in selinux_booleans, but not one of the guide's booleans: "
                f"{item}"
                for item in sorted(
                    host.expected.booleans.difference(
                        *((each.guide, *each.names) for each in BOOLEANS)
                    )
                )
            )
        )
        # Policies differ: one has no boolean for a thing that another has.
        answers = [
            item for item in result if item.status is not Status.NOT_APPLICABLE
        ]
        # A policy with none of them is not known to be closed.
        if not answers:
            return unknown(
                "the SELinux policy of this host has none of the guide's "
                "booleans"
            )
        return mac.settle_all(
            answers,
            "on, but not listed in selinux_booleans: ",
            "all booleans of this host's SELinux policy are off or listed",
        )


def _present(host: Host) -> bool:
    """Return whether the kernel runs SELinux.

    :raises Unreadable: if that cannot be told
    """
    try:
        host.root.names(selinux.BOOLEANS)
    except Unreadable as error:
        if not error.missing:
            raise
        # Missing files prove nothing: selinuxfs may not be mounted here.
        result = mac.active(host.root)
        if mac.SELINUX in result:
            raise
        listed = " ".join(result) or f"neither {' nor '.join(mac.MODELS)}"
        host.root.note(str(error), f"active in the kernel: {listed}")
        return False
    return True


def _judge(host: Host, boolean: Boolean) -> Answer:
    """Judge one; NOT_APPLICABLE where this policy does not have it."""
    # The guide's name and the names in current policies: virt_use_common is
    # virt_use_comm there.
    for name in boolean.names:
        state = selinux.boolean(host.root, name)
        if state is not None:
            now, pending = state
            wanted = bool({name, boolean.guide} & host.expected.booleans)
            facts = [f"opens {boolean.opens}", f"default {boolean.default}"]
            facts += ["wanted on"] if wanted else []
            if pending != now:
                facts.append(f"pending: {'on' if pending else 'off'}")
            host.root.note(
                f"{selinux.BOOLEANS}/{name}: {int(now)} {int(pending)} "
                f"({'; '.join(facts)})"
            )
            # What is pending has no effect before it is committed.
            if now and not wanted:
                return failed(name)
            return passed("")
    host.root.note(f"{selinux.BOOLEANS}: no {' or '.join(boolean.names)}")
    return not_applicable("")
