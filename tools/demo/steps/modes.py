# SPDX-License-Identifier: Apache-2.0
"""The policy file edited while the cloud runs."""

import json

from demo import policies, telling


@telling.step(
    "The policy is edited to mode: warn, and an ide image is uploaded"
)
def warn(stage):
    """Let it pass, with an event that tells the operator."""
    stage.policy(policies.warned())
    try:
        stage.alice.upload("warned", hw_disk_bus="ide")
        event = _event(stage)
    finally:
        stage.policy(policies.enforced())
    if event is None:
        raise telling.NotAsTold("no decision event says warn")
    gate = telling.GATES[event["gate"]]
    return telling.Told(f"{gate}: warn", f"event: {json.dumps(event)}")


@telling.step(
    "The policy is edited: e1000 refused, then allowed, then refused again, "
    "and no process was started again"
)
def edited(stage):
    """Obey the file as it is now."""
    before = stage.cloud.process_ids()
    _refused_e1000(stage)
    stage.policy(policies.with_e1000())
    try:
        image = stage.alice.upload("router-e1000", hw_vif_model="e1000")
        stage.passed(f"image {image.name}", "allow", "glance-api")
    finally:
        stage.policy(policies.enforced())
    told = _refused_e1000(stage)
    if stage.cloud.process_ids() != before or None in before:
        raise telling.NotAsTold("a process has ended")
    said = f"allowed: image {image.name} is {image.status}; refused again: "
    return telling.Told(told.gate, said + told.said)


def _event(stage):
    for event in stage.decisions():
        if event["outcome"] == "warn":
            return event
    return None


def _refused_e1000(stage):
    said = telling.refusal(
        stage.alice.upload, "router-e1000", hw_vif_model="e1000"
    )
    return stage.refused("glance-api", said, "guest_devices.vif_model")
