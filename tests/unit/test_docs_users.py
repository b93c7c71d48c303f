# SPDX-License-Identifier: Apache-2.0
"""Tenants and operators read in the pages what the gates really say."""

import json
import logging

import pytest
from oslo_context.context import RequestContext

from nova_vhard.explain import messages
from nova_vhard.gates import http
from nova_vhard.policy import events
from nova_vhard.policy.hardware import (
    NOBODY,
    HardwareRequest,
    Holder,
)
from nova_vhard.policy.subject import BOOT, UPLOAD, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import passthrough
from tests.unit.docs import (
    IDE_E1000,
    MONITORING,
    REFUSED,
    TODAY,
    blocks,
    judged,
    words,
)
from tests.unit.explain import sentences
from tests.unit.explain.requests import of
from tests.unit.helpers import shipped

DRIVES = '[{"device_type": "floppy", "disk_bus": "fdc"}]'
IDE = {"hw_disk_bus": "ide"}
IMAGE = "1c7f6f4a-5f0e-4b52-8a3c-0e9d2f6b7a81"


def test_event_is_what_the_code_writes(caplog):
    # given
    (shown,) = [json.loads(each) for each in blocks(MONITORING, "json")]
    who = shown["subject"]
    subject = Subject(
        shown["operation"],
        who["project"],
        who["domain"],
        frozenset(who["roles"]),
    )
    verdict = judged("baseline", IDE)
    # when
    RequestContext(request_id=shown["request"], overwrite=True)
    with caplog.at_level(logging.INFO, logger=events.LOG.name):
        events.write(shown["gate"], subject, verdict, 61e-6)
    # then
    written = json.loads(caplog.messages[-1])
    assert written == shown | {"policy": verdict.policy}


@pytest.mark.parametrize(
    ("operation", "holder", "write"),
    [
        (BOOT, Holder(IMAGE, "p1"), sentences.answered),
        # an upload has no id yet
        (UPLOAD, NOBODY, sentences.fixed),
    ],
)
def test_users_read_a_whole_refusal(operation, holder, write):
    text = write(shipped("baseline"), of(IDE, operation, holder))
    assert text in words(REFUSED)


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        ("baseline", ({"hw_vif_model": "VirtualE1000"},)),
        ("baseline", ({"hw_disk_bus": "scsi"},)),
        ("baseline", ({"hw_machine_type": "pc"}, "iso")),
        ("baseline", ({"vmware_adaptertype": "lsiLogic"},)),
        ("baseline", ({"block_device_mapping": DRIVES},)),
        ("strict", ({"os_distro": "ubuntu"},)),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value[0]),
)
def test_users_read_what_the_code_says(policy, asked):
    violations = judged(policy, *asked).violations
    text = words(REFUSED)
    shown = [each for each in violations if messages.describe([each]) in text]
    wanted = {"strict": 1, "baseline": len(violations)}[policy]
    if DRIVES in asked[0].values():
        wanted = 1  # of the two, the one about the bus
    assert len(shown) == wanted


def test_users_read_the_short_form_and_the_other_answers():
    alias = passthrough.of_flavor({"pci_passthrough:alias": "gpu:1"})
    asked = (HardwareRequest(passthrough=tuple(alias)), Subject(BOOT), TODAY)
    (refusal,) = judged(
        "baseline", {}, None, {"hw:sound_model": "ich6"}
    ).refusals
    for text in (
        messages.fault_message(judged("baseline", IDE_E1000).refusals),
        messages.fault_message(evaluate(shipped("baseline"), *asked).refusals),
        http.NO_POLICY_TEXT,
        http.OVERRIDE_TEXT,
        f"{refusal.cause.setting}={refusal.cause.value}",
    ):
        assert text in words(REFUSED)
