# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-30: a TPM 2.0 and a log of what was measured at boot."""

from nova_vhard.host import mac, tpm
from nova_vhard.host.check import Answer, Check, Status
from nova_vhard.host.host import Host

_VERSION = "2"


class TpmMeasuredBoot(Check):
    """A TPM 2.0 is there, and the firmware left a boot event log for it.

    That is presence, not attestation: nobody has compared the log with the
    TPM, or either with what should have booted.

    =========  ===========================================================
    PASS       both are there, for one TPM
    FAIL       no TPM, only TPMs of another version, or no event log
    UNKNOWN    one of them cannot be read
    =========  ===========================================================
    """

    name = "tpm_measured_boot"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Judge each TPM; one that has both is enough."""
        names = tpm.names(host.root)
        evidence.append(f"{tpm.CLASS}: {' '.join(names) or '(empty)'}")
        if not names:
            return Status.FAIL, "there is no TPM"
        answers = [mac.attempt(_judge, host, one, evidence) for one in names]
        for wanted in (Status.PASS, Status.UNKNOWN):
            for answer in answers:
                if answer[0] is wanted:
                    return answer
        return answers[0]


def _judge(host: Host, name: str, evidence: list[str]) -> Answer:
    path = f"{tpm.CLASS}/{name}/tpm_version_major"
    version = host.root.read(path)
    evidence.append(f"{path}: {version}")
    if version != _VERSION:
        return Status.FAIL, f"{name} is no TPM 2.0"
    if not tpm.logged(host, name, evidence):
        return Status.FAIL, f"the firmware left no event log for {name}"
    return Status.PASS, f"{name} is a TPM 2.0 with a boot event log"
