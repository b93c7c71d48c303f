# SPDX-License-Identifier: Apache-2.0
"""The option ROM is hashed and compared with what is allowed."""

from nova_vhard.node.cleaner import rom
from nova_vhard.node.cleaner.baseline import UNREAD, Baseline
from nova_vhard.node.cleaner.step import (
    Job,
    Outcome,
    Step,
)

_SHA256 = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{64}$",
    "title": "a SHA-256 of 64 hexadecimal digits",
}


class RomDigest(Step):
    """Show that the option ROM is a known one.

    ===========================  =========================================
    the rules list digests       it is one of them, and
    the device is enrolled       it is the enrolled one
    neither                      not clean: there is nothing to compare
    the device has no ROM        clean only where the rules say ``absent``
                                 and none was enrolled
    ===========================  =========================================
    """

    name = "rom_digest"
    priority = 50
    schema = {
        "type": "object",
        "properties": {
            "sha256": {"type": "array", "items": _SHA256, "minItems": 1},
            "absent": {"type": "boolean"},
        },
        "additionalProperties": False,
    }

    def run(self, job: Job) -> Outcome:
        """Read, hash and compare."""
        result = rom.digest(job.root, job.write, job.device.address)
        evidence = [f"now: {_shown(result)}"]
        if job.good is not None:
            evidence.append(f"enrolled: {_shown(job.good.rom)}")
        listed = [item.lower() for item in job.settings.get("sha256", ())]
        if result is None:
            absent = bool(job.settings.get("absent"))
            wrong = _wrong_without(job.good, absent)
            stated = "it has no option ROM, as the rules allow"
        else:
            wrong = _wrong(result, listed, job.good)
            stated = "its option ROM is a known one"
        return Outcome(not wrong, wrong or stated, tuple(evidence))


def _shown(result: str | None) -> str:
    if result is None:
        return "no option ROM"
    return f"sha256 {result}" if result else "an option ROM that was not read"


def _wrong_without(good: Baseline | None, absent: bool) -> str | None:
    if good is not None and good.rom is not None:
        return "the option ROM that was enrolled is gone"
    if not absent:
        return "it has no option ROM, and its rule does not say absent: true"
    return None


def _wrong(
    result: str, listed: list[str], good: Baseline | None
) -> str | None:
    if good is not None and good.rom is None:
        return "it has an option ROM, and none was enrolled"
    enrolled = good.rom if good is not None else UNREAD
    if enrolled and result != enrolled:
        return "its option ROM is not the enrolled one"
    if listed and result not in listed:
        return "its option ROM is none of those that the rules list"
    if not listed and not enrolled:
        return "its option ROM can be compared with nothing"
    return None
