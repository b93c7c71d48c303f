# SPDX-License-Identifier: Apache-2.0
"""A TPM 2.0 and its boot event log, and what the pre-step leaves of them."""

import json

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot
from nova_vhard.node.reporter import facts_qemu
from tests.trees import build

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
(CHECK,) = [one for one in report.load() if one.name == "tpm_measured_boot"]

MAJOR = "/sys/class/tpm/tpm0/tpm_version_major"
LOG = "/sys/kernel/security/tpm0/binary_bios_measurements"
LEFT = "/run/nova-vhard/kernel.json"
CLASS = {"/sys/class/net": None}
BARE = {"/sys/kernel/security/lsm": "capability", MAJOR: "2\n"}
GOOD = {**BARE, LOG: "\0\0\0\0\x03\0\0\0Spec ID Event03"}
SECOND = {
    MAJOR.replace("tpm0", "tpm1"): "2\n",
    LOG.replace("tpm0", "tpm1"): "\0\0\0\0\x03",
}


def errors(path, name="EACCES"):
    return {"/ERRORS.json": json.dumps([[path, name]])}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (GOOD, PASS),
        (CLASS, FAIL),
        ({"/sys/class/tpm": None}, FAIL),
        ({**GOOD, MAJOR: "1\n"}, FAIL),
        ({**GOOD, LOG: ""}, FAIL),
        (BARE, FAIL),
        # One good TPM is enough, whatever the other is.
        ({**GOOD, MAJOR: "1\n", **SECOND}, PASS),
        ({**GOOD, **SECOND, **errors(LOG)}, PASS),
        # Read by root alone.
        ({**GOOD, **errors(LOG)}, UNKNOWN),
        ({**GOOD, **errors(LOG), LEFT: '{"tpm_event_logs": []}'}, FAIL),
        ({**GOOD, **errors(LOG), LEFT: '{"tpm_event_logs": ["tpm0"]}'}, PASS),
        ({**GOOD, **errors(LOG), LEFT: '{"tpm_event_logs": "tpm0"}'}, UNKNOWN),
        ({**GOOD, **errors(LOG), LEFT: "{}"}, UNKNOWN),
        # securityfs is not mounted; an old kernel.
        ({MAJOR: "2\n"}, UNKNOWN),
        ({"/sys/class/tpm/tpm0/device/caps": "TCG version: 1.2"}, UNKNOWN),
        ({}, UNKNOWN),
        ({**GOOD, **errors("/sys/class/tpm")}, UNKNOWN),
    ],
)
def test_tpm(tmp_path, content, status):
    result = CHECK.run(Host(HostRoot(build(tmp_path, content))))
    assert result.status is status
    assert "check failed" not in result.reason


def test_the_pre_step_leaves_what_the_check_reads(tmp_path):
    mode = {"/sys/module/apparmor/parameters/mode": "enforce\n"}
    root = HostRoot(build(tmp_path / "root", {**GOOD, **mode}))
    text = facts_qemu.kernel(root)
    assert json.loads(text) == {
        "apparmor_mode": "enforce",
        "tpm_event_logs": ["tpm0"],
    }
    content = {**GOOD, **errors(LOG), LEFT: text}
    user = HostRoot(build(tmp_path / "user", content))
    assert CHECK.run(Host(user)).status is PASS


def test_the_pre_step_where_nothing_can_be_read(tmp_path):
    text = facts_qemu.kernel(HostRoot(build(tmp_path, {})))
    assert json.loads(text) == {"tpm_event_logs": []}
