# SPDX-License-Identifier: Apache-2.0
"""The policy file edited while the cloud runs."""

import json

from story.steps.uploads import VIF_MODEL
from story.telling import GATES, NotAsTold, Outcome, refusal, shown, step

_E1000 = "guest_devices: {vif_model: {allow: [virtio, e1000]}}\n"


@step("The policy is edited to mode: warn, and an ide image is uploaded")
def warn(stage):
    stage.enforce(mode="warn")
    try:
        stage.member.upload("warned", hw_disk_bus="ide")
    finally:
        stage.enforce()
    for event in stage.decisions():
        if event["outcome"] == "warn":
            gate = GATES[event["gate"]]
            return Outcome(f"{gate}: warn", f"event: {json.dumps(event)}")
    raise NotAsTold("no decision event says warn")


@step(
    "The policy is edited: e1000 refused, then allowed, then refused again, "
    "and no process was started again"
)
def edited(stage):
    before = stage.cloud.daemons.ids()
    _refused_e1000(stage)
    stage.enforce(_E1000)
    try:
        image = stage.member.upload("router-e1000", hw_vif_model="e1000")
        stage.passed(f"image {image.name}", "allow", "glance-api")
    finally:
        stage.enforce()
    again = _refused_e1000(stage)
    if stage.cloud.daemons.ids() != before:
        raise NotAsTold("a process has ended")
    text = f"allowed: image {image.name} is {image.status}; refused again: "
    return Outcome(again.gate, text + again.text)


@step(
    "A server of the clean image; then nova-vhard-status upgrade check on the "
    "files of this cloud"
)
def status(stage):
    image = stage.images["clean"].id
    text = shown(stage.member.boot("last", image_id=image))
    if wrong := stage.cloud.check():
        raise NotAsTold(f"not refused, says nova-vhard-status: {wrong}")
    return Outcome("-", f"{text}; every check is a success")


def _refused_e1000(stage):
    text = refusal(stage.member.upload, "router-e1000", hw_vif_model="e1000")
    return stage.refused("glance-api", text, VIF_MODEL)
