# SPDX-License-Identifier: Apache-2.0
"""Captured machines, beside the cases in cases/captures.yaml."""

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot
from tests.trees import CAPTURES, capture
from tests.unit.host import test_cases

#: These are states of guests, which have no host of their own.
GUESTS = {"apparmor-domains", "selinux-domains-permissive"}
HOSTS = {
    each.values[1]["host"][1]
    for each in test_cases.ALL
    if each.values[0] == "captures"
}


def test_every_capture_is_expected_to_say_something():
    names = {path.name.removesuffix(".tar.gz") for path in CAPTURES.iterdir()}
    assert names == HOSTS | GUESTS


@pytest.mark.parametrize("name", sorted(HOSTS))
def test_each_answer_has_a_next_step_of_its_own(tmp_path, name):
    """A step is there to do, and not another answer's."""
    host = Host(HostRoot(capture(name, tmp_path)))
    results = [check.run(host) for check in report.load()]
    steps = {Status.FAIL: set(), Status.UNKNOWN: set()}
    for result in results:
        if result.status in steps:
            steps[result.status].add(result.remediation)
        else:
            assert not result.remediation
    assert None not in steps[Status.FAIL] | steps[Status.UNKNOWN]
    if not name.endswith("-none"):
        assert steps[Status.FAIL].isdisjoint(steps[Status.UNKNOWN])
