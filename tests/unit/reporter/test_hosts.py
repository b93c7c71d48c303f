# SPDX-License-Identifier: Apache-2.0
"""Settings that the reporter expects of a host."""

import pytest

from nova_vhard.reporter import hosts
from tests.unit.helpers import policy


@pytest.mark.parametrize(
    ("kinds", "pointer_model", "cpu_mode"),
    [
        (["disk_bus"], None, None),
        (["pointer_model"], "ps2mouse", None),
        (["usb_model", "disk_bus"], "ps2mouse", None),
        (["input_bus"], "ps2mouse", None),
        (["pmu"], None, "host-passthrough"),
    ],
)
def test_what_a_policy_without_a_rule_does_not_ask(
    conf, kinds, pointer_model, cpu_mode
):
    rules = policy(
        guest_devices={kind: {"allow": []} for kind in kinds},
        assume={"pointer_model": "ps2mouse", "cpu_mode": "host-passthrough"},
    )
    expected = hosts.of_conf(conf, policy=rules).expected
    found = expected.pointer_model, expected.cpu_mode
    assert found == (pointer_model, cpu_mode)
