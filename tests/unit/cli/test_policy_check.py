# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard policy check``: what is not in cases/policy_check.yaml."""

import pytest

from nova_vhard.osc.policy.show import CheckPolicy
from nova_vhard.policy import document, watch
from tests.unit.cli.desk import rows, run
from tests.unit.helpers import TODAY, write

MACHINE, POINTER = "assume.machine_type.x86_64", "assume.pointer_model"
#: Places of the notes about each policy that ships.
NOTES = {
    "baseline": [MACHINE],
    "scs": [MACHINE, POINTER],
    "strict": [MACHINE, POINTER, "guest_devices.firmware_type.allow"],
}


@pytest.mark.parametrize("name", NOTES)
def test_shipped_policies_are_good(name):
    done = run(CheckPolicy, name, "--fail-on-warn", "-f", "json")
    digest = document.load(document.shipped(name)).digest
    assert done.status == 0
    assert done.err.startswith(f"0 errors, 0 warnings; policy {digest} of ")
    assert {each["Severity"] for each in done.json} == {"note"}
    assert sorted(each["Path"] for each in done.json) == NOTES[name]


def test_the_services_log_the_same_warning(tmp_path, caplog, monkeypatch):
    for module in ("osc.policy.show", "policy.watch"):
        monkeypatch.setattr(f"nova_vhard.{module}.today", lambda: TODAY)
    text = """\
        version: "1"
        exemptions:
          - id: a
            reason: r
            projects: [0123456789abcdef0123456789abcdef]
            rules: {guest_devices.disk_bus: [ide]}
            until: 2026-06-14
        """
    path = write(tmp_path / "policy.yaml", text)
    watch.PolicyFile(path).current()
    (row,) = rows(CheckPolicy, path)
    assert row["Message"] in caplog.messages
