# SPDX-License-Identifier: Apache-2.0
"""The playbook of ``openstack vhard host fix``, read by ansible-core.

tests/host/test_remedies.py runs it.
"""

import re

from nova_vhard.catalogue.checks import CHECKS
from tests import playbook


def test_ansible_reads_it_and_runs_no_task(tmp_path):
    path = tmp_path / "fix.yml"
    playbook.write(path)
    tags = ("--tags", ",".join(CHECKS))
    status, listed = playbook.run(path, "--list-tasks", *tags)
    assert status == 0, listed
    for name, number in CHECKS.items():
        assert f"{name} ({number}) - " in listed
    status, shown = playbook.run(path)
    assert status == 0, shown
    assert re.search(r"ok=1 +changed=0 ", shown)
    assert re.findall(r"TASK \[.*?\]", shown) == ["TASK [Gathering Facts]"]
