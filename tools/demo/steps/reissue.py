# SPDX-License-Identifier: Apache-2.0
"""A device between two guests: used, dirty, cleaned, issued again."""

import json

from demo import flavors, machines, policies, telling
from demo.steps import passthrough


@telling.step(
    "passthrough.require gets one_time_use; a server of c1.tiny, whose alias "
    "crypto is for a card that Nova gives to one guest only"
)
def used(stage):
    """Give the card to a guest, which rewrites its firmware."""
    stage.policy(policies.with_clean_devices())
    stage.cleaner.plug()
    stage.cleaner.rules(flash=False)
    server = passthrough.boot(stage, "crypto-1", flavors.CRYPTO)
    stage.servers["crypto"] = server
    said = stage.landed(server, machines.PROVEN)
    _round(stage)
    stage.cleaner.rewrite()
    return stage.passed(said, "allow", "nova-api", "scheduler")


@telling.step("A server of g1.tiny: Nova never holds back a used GPU here")
def never_cleaned(stage):
    """Refuse devices that are not held back for cleaning."""
    said = telling.fault(passthrough.boot(stage, "gpu-7"))
    return stage.refused(
        "scheduler", said, passthrough.REQUIRE, "gpu", "one_time_use"
    )


@telling.step("crypto-1 is deleted; the next server of c1.tiny")
def dirty(stage):
    """Have Nova give a used card to nobody."""
    compute = stage.alice.compute()
    compute.delete_server(stage.servers["crypto"])
    compute.wait_for_delete(stage.servers["crypto"])
    return _nobody(stage, "crypto-2")


@telling.step(
    "The cleaner of compute1 reads the card's firmware (its rules have no "
    "more); then another server of c1.tiny"
)
def not_clean(stage):
    """Keep what is not clean, and tell the operator why."""
    _round(stage)
    row = _row(stage)
    telling.expect(f"{row}", "reserved", "COMMAND")
    told = _nobody(stage, "crypto-3")
    said = f"openstack vhard device list: {row['Status']}, {row['Why']}"
    return telling.Told("cleaner", f"{said}; {told.said}")


@telling.step("The rules flash the card first; the cleaner runs again")
def cleaned(stage):
    """Clean the card, prove it, and release it."""
    stage.cleaner.rules(flash=True)
    answer = _round(stage)
    row = _row(stage)
    if row["Status"] == "reserved":
        raise telling.NotAsTold(f"{row}: {telling.one_line(answer.text)}")
    return telling.Told("cleaner", telling.one_line(answer.text))


@telling.step("Once more a server of c1.tiny")
def issued_again(stage):
    """Give the clean card to the next guest."""
    server = passthrough.boot(stage, "crypto-4", flavors.CRYPTO)
    said = stage.landed(server, machines.PROVEN)
    return stage.passed(said, "allow", "nova-api", "scheduler")


def _round(stage):
    answer = stage.cleaner.once()
    if not answer.success:
        raise telling.NotAsTold(telling.one_line(answer.text))
    return answer


def _nobody(stage, name):
    said = telling.fault(passthrough.boot(stage, name, flavors.CRYPTO))
    # Placement gives no reasons. Whatever else there is would be one.
    if said != "No valid host was found.":
        raise telling.NotAsTold(f"another refusal: {said}")
    return telling.Told("Placement", said)


def _row(stage):
    """Give the card's row of ``openstack vhard device list``."""
    answer = stage.admin.command("vhard", "device", "list", "-f", "json")
    if not answer.success:
        raise telling.NotAsTold(telling.one_line(answer.text))
    rows = {row["Address"]: row for row in json.loads(answer.text)}
    if machines.CRYPTO_ADDRESS not in rows:
        raise telling.NotAsTold(f"the card is not in {rows}")
    return rows[machines.CRYPTO_ADDRESS]
