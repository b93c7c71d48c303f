# SPDX-License-Identifier: Apache-2.0
"""Tenants and operators read in the pages what the gates really say."""

import json
import logging

import pytest
from oslo_context.context import RequestContext

from nova_vhard.explain import messages
from nova_vhard.gates import http
from nova_vhard.policy import document, events
from nova_vhard.policy.hardware import (
    NOBODY,
    HardwareRequest,
    Holder,
    Passthrough,
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

BASELINE = shipped("baseline")
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


def test_users_read_a_whole_refusal_with_their_images_id():
    request = of(IDE, BOOT, Holder(IMAGE, "p1"))
    assert sentences.answered(BASELINE, request) in words(REFUSED)


def test_users_read_how_to_upload_what_does_not_exist_yet():
    request = of(IDE, UPLOAD, NOBODY)
    text = sentences.fixed(BASELINE, request)
    assert f"{messages.TO_FIX}{text}" in words(REFUSED)


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
    text = words(REFUSED)
    assert (
        messages.fault_message(judged("baseline", IDE_E1000).refusals) in text
    )
    assert http.NO_POLICY_TEXT in text
    assert http.OVERRIDE_TEXT in text
    spec = {"hw:sound_model": "ich6"}
    (refusal,) = judged("baseline", {}, None, spec).refusals
    assert f"{refusal.cause.setting}={refusal.cause.value}" in text


def test_users_read_that_a_device_of_the_host_is_not_offered():
    asked = passthrough.of_flavor({"pci_passthrough:alias": "gpu:1"})
    assert asked == [
        Passthrough(
            "aliases", "gpu", "flavor extra spec pci_passthrough:alias"
        )
    ]
    baseline = document.load(document.shipped("baseline"))
    request = HardwareRequest(passthrough=tuple(asked))
    verdict = evaluate(baseline, request, Subject(BOOT), TODAY)
    assert messages.fault_message(verdict.refusals) in words(REFUSED)
