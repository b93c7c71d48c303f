# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard policy explain`` says what the gates say.

What it says of other requests is in cases/policy_explain.yaml.
"""

from nova_vhard.osc.policy import case_options
from nova_vhard.osc.policy.trial import ExplainPolicy
from nova_vhard.policy.hardware import Holder
from nova_vhard.policy.subject import BOOT
from tests.unit.cli.desk import run
from tests.unit.docs import IDE_E1000, README, REFUSED, words
from tests.unit.explain import sentences
from tests.unit.explain.requests import of
from tests.unit.helpers import shipped

IMAGE = "1c7f6f4a-5f0e-4b52-8a3c-0e9d2f6b7a81"


def explained(*arguments):
    properties = [f"--property={'='.join(each)}" for each in IDE_E1000.items()]
    words = ("--policy", "baseline", *properties, *arguments, "-f", "json")
    done = run(ExplainPolicy, *words)
    return done.status, done.json


def test_it_is_what_the_readme_shows():
    status, answer = explained("--operation=upload")
    assert (status, answer["verdict"]) == (1, "refuse")
    assert answer["explanation"] in words(README)
    assert answer["fault"] in words(REFUSED)
    assert answer["rules"] == [
        "guest_devices.disk_bus",
        "guest_devices.vif_model",
    ]


def test_it_is_what_a_gate_says_of_the_very_image():
    _, answer = explained(f"--image={IMAGE}")
    request = of(IDE_E1000, BOOT, Holder(IMAGE, "p1"))
    text = sentences.answered(shipped("baseline"), request)
    assert answer["explanation"] == text
    assert answer["fix"]["text"] in text
    assert answer["fix"]["changes"] == [
        {"place": "image", "id": IMAGE, "property": name, "value": "virtio"}
        for name in ("hw_disk_bus", "hw_vif_model")
    ]


def test_name_of_a_block_device_that_nobody_typed_stays():
    text = "block_device_mapping_v2[7].disk_bus"
    assert case_options.devices(text, [{"disk_bus": "ide"}]) == text
    assert case_options.devices(text, None) == text
