# SPDX-License-Identifier: Apache-2.0
"""A device between two guests: used, dirty, cleaned, issued again."""

import time

from cloud import machines
from story.steps.devices import REQUIRE, boot, lands_on_proven
from story.telling import (
    NotAsTold,
    Outcome,
    by_placement,
    fault,
    rows,
    step,
)

_CLEAN = """\
passthrough:
  allow: {aliases: [gpu, crypto]}
  require: [iommu, interrupt_remapping, one_time_use]
"""
_CRYPTO = machines.CRYPTO_FLAVOR


@step(
    "passthrough.require gets one_time_use; a server of c1.tiny, whose alias "
    "crypto is for a card that Nova gives to one guest only"
)
def used(stage):
    stage.enforce(_CLEAN)
    stage.cleaner.plug()
    stage.cleaner.rules(flash=False)
    server = stage.servers["crypto"] = boot(stage, "crypto-1", _CRYPTO)
    text = stage.landed(server, machines.PROVEN)
    stage.cleaner.once()
    stage.cleaner.rewrite()
    return stage.passed(text, "allow", "nova-api", "scheduler")


@step("A server of g1.tiny: Nova never holds back a used GPU here")
def never_cleaned(stage):
    text = fault(boot(stage, "gpu-7"))
    return stage.refused("scheduler", text, REQUIRE, "gpu", "one_time_use")


@step("crypto-1 is deleted; the next server of c1.tiny")
def dirty(stage):
    stage.member.remove(stage.servers["crypto"])
    return by_placement(boot(stage, "crypto-2", _CRYPTO))


@step(
    "The cleaner of compute1 reads the card's firmware (its rules have no "
    "more); then another server of c1.tiny"
)
def not_clean(stage):
    # A deleted server is gone before its allocation in Placement is.
    deadline = time.monotonic() + 60
    while _row(stage)["Status"] == "in use":
        if time.monotonic() > deadline:
            raise NotAsTold("the card of the deleted server is still in use")
        time.sleep(0.5)
    stage.cleaner.once()
    row = _row(stage)
    if (row["Status"], "COMMAND" in row["Why"]) != ("reserved", True):
        raise NotAsTold(
            "the card should be reserved because of the step command; device "
            f"list says: {row['Status']}, {row['Why']}"
        )
    refused = by_placement(boot(stage, "crypto-3", _CRYPTO))
    text = f"openstack vhard device list: {row['Status']}, {row['Why']}"
    return Outcome("cleaner", f"{text}; {refused.text}")


@step("The rules flash the card first; the cleaner runs again")
def cleaned(stage):
    stage.cleaner.rules(flash=True)
    text = stage.cleaner.once()
    row = _row(stage)
    if row["Status"] == "reserved":
        raise NotAsTold(f"{row}: {text}")
    return Outcome("cleaner", text)


@step("Once more a server of c1.tiny")
def issued_again(stage):
    return lands_on_proven(stage, "crypto-4", _CRYPTO)


def _row(stage):
    table = rows(stage.admin, "device", "list")
    by_address = {row["Address"]: row for row in table}
    if machines.CRYPTO_ADDRESS not in by_address:
        raise NotAsTold(f"the card is not in {by_address}")
    return by_address[machines.CRYPTO_ADDRESS]
