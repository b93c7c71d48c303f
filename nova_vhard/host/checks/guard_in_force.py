# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-44: what libvirt starts is judged on the host, and refused."""

import datetime

from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    not_applicable,
    passed,
    unknown,
)
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import guard_proof

# A proof of later than now is a clock that was set back.
_AHEAD = datetime.timedelta(minutes=5)


class GuardInForce(Check):
    """nova-vhard-guard has shown that libvirt asks it, and refuses.

    ==============  ======================================================
    PASS            its last probe was answered by the guard itself, and
                    ``on_host.mode`` and a rule's own mode are ``enforce``
    FAIL            libvirt did not ask it, or nothing would be refused
    UNKNOWN         it has left no proof, or an old one: it may be down
    NOT_APPLICABLE  neither its hook nor a proof is there
    ==============  ======================================================

    A probe is a domain whose disk does not exist: see
    ``nova_vhard.guard.probe``.
    """

    name = "guard_in_force"
    id = "Check-Virt-44"
    title = "The guard checks what libvirt starts"
    guide = (
        "Beyond the guide: Nova's scheduler is not asked about a start or "
        "hard reboot, and the server can have changed since it was checked"
    )
    meaning = (
        "A recent probe showed that libvirt asks nova-vhard-guard before "
        "it starts a guest, and the policy makes the guard refuse guests "
        "that violate a rule."
    )
    remediation = (
        "Run nova-vhard-guard status and nova-vhard-guard probe as root. "
        "If libvirt does not ask the guard, run nova-vhard-guard install. "
        "If the mode is audit or warn, set it to enforce in the policy "
        "when the roll-out is complete."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the guard's last proof."""
        root = host.root
        place = f"{guard_proof.FOLDER}/{guard_proof.FILE}"
        hook = root.exists(guard_proof.HOOK)
        root.note(f"{guard_proof.HOOK}: {'installed' if hook else 'none'}")
        # Both: where the hook was removed and the guard still runs, the host
        # has a guard, and its next probe says that the hook is missing.
        if not hook and not root.exists(place):
            root.note(f"{place}: none")
            return not_applicable("this host has no guard")
        proof = guard_proof.read(root)
        root.note(
            f"{place}: {proof.time:%Y-%m-%d %H:%M:%S} UTC: {proof.reason}; "
            f"mode {proof.mode}"
        )
        # A guard that was killed cannot withdraw its proof: only its age
        # tells.
        age = datetime.datetime.now(datetime.UTC) - proof.time
        if not -_AHEAD <= age <= proof.valid:
            return unknown(
                "the guard has no recent probe; it may not be running"
            )
        if not proof.guarded:
            return failed("libvirt starts guests without asking the guard")
        # With audit or warn it answers libvirt, and lets every guest start.
        if proof.mode != "enforce":
            return failed(f"the guard refuses nothing: mode {proof.mode}")
        return passed("libvirt asks the guard, and the guard refuses")
