# SPDX-License-Identifier: Apache-2.0
"""Settings that the reporter expects of a host."""

import pytest
from oslo_config import cfg

from nova_vhard.conf import reporter
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
    kinds, pointer_model, cpu_mode
):
    rules = policy(
        guest_devices={kind: {"allow": []} for kind in kinds},
        assume={"pointer_model": "ps2mouse", "cpu_mode": "host-passthrough"},
    )
    conf = cfg.ConfigOpts()
    conf([], project="test")
    reporter.register(conf)
    expected = hosts.of_conf(conf, policy=rules).expected
    assert expected.pointer_model == pointer_model
    assert expected.cpu_mode == cpu_mode
