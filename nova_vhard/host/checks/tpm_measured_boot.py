# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-30: a TPM 2.0 and a log of what was measured at boot."""

from nova_vhard.host.check import Answer, Check, Status, failed, passed
from nova_vhard.host.host import Host
from nova_vhard.host.mac import mac
from nova_vhard.host.sanitized import few
from nova_vhard.host.tpm import tpm

_NO_TPM = (
    "Enable the TPM 2.0 in the firmware (on x86 often called PTT or fTPM). "
    "A machine without a TPM cannot be attested."
)
_NO_LOG = "Boot with UEFI, and enable measured boot in the firmware."


class TpmMeasuredBoot(Check):
    """A TPM 2.0 is present, and the firmware left a boot event log for it.

    The replayed events match the TPM's registers. This does not attest the
    host: neither is compared with the expected boot components.

    =========  ===========================================================
    PASS       one TPM has both, and PCRs 0 to 7 match the replayed log
    FAIL       no TPM, only TPMs of another version, no event log, one
               without events, or one that does not lead to the PCRs
    UNKNOWN    the TPM or the log cannot be read, or the log not replayed
    =========  ===========================================================
    """

    name = "tpm_measured_boot"
    id = "Check-Virt-30"
    title = "A TPM 2.0 is present, and its boot event log matches its PCRs"
    guide = (
        "Integrity life-cycle, secure bootstrapping: required for "
        "attestation of the boot"
    )
    meaning = (
        "The host can be attested: it has a TPM 2.0, the firmware logged "
        "its measurements, and the log matches PCRs 0 to 7. This is not an "
        "attestation: the measurements are not compared with the expected "
        "boot components."
    )
    remediation = (
        "Enable the TPM 2.0 in the firmware, and boot with UEFI. If the "
        "log does not match the PCRs, reboot; if it still does not match, "
        "take the host out of service."
    )

    def answer(self, host: Host) -> Answer:
        """Judge each TPM; one that has both is enough."""
        names = tpm.names(host.root)
        host.root.note(f"{tpm.CLASS}: {' '.join(names) or '(empty)'}")
        if not names:
            return failed("there is no TPM", _NO_TPM)
        answers = [mac.attempt(_judge, host, name) for name in names]
        # The best answer counts: a verifier needs one TPM, and a second one
        # may be a TPM 1.2.
        order = (Status.PASS, Status.UNKNOWN, Status.FAIL)
        return min(answers, key=lambda answer: order.index(answer.status))


def _judge(host: Host, name: str) -> Answer:
    path = f"{tpm.CLASS}/{name}/tpm_version_major"
    version = host.root.read(path)
    if version != "2":
        return failed(f"{name} is not a TPM 2.0", _NO_TPM)
    replay = tpm.replayed(host, name)
    if replay is None:
        return failed(f"the firmware left no event log for {name}", _NO_LOG)
    # A log without events matches registers of zeros: a firmware that measures
    # nothing would pass.
    if tpm.is_empty(replay):
        return failed(f"the firmware measured nothing into {name}", _NO_LOG)
    # An attacker who changes the log cannot change the registers to match: a
    # PCR can only be extended.
    wrong = tpm.differing(host.root, name, replay)
    if wrong:
        return failed(
            f"the event log of {name} does not match {few(wrong)}",
            "Reboot the host. If the log still does not match, take the "
            "host out of service and examine the log with tpm2_eventlog: "
            "it does not contain what was measured.",
        )
    return passed(
        f"{name} is a TPM 2.0, and its boot event log matches its PCRs"
    )
