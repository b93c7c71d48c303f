# SPDX-License-Identifier: Apache-2.0
"""The playbook of ``openstack vhard host fix``, read by ansible-core.

tests/host/test_remedies.py runs it.
"""

import re

import pytest

from nova_vhard.catalogue.checks import CHECKS
from tests import playbook


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    result = tmp_path_factory.mktemp("fix") / "fix.yml"
    playbook.write(result)
    return result


def test_ansible_reads_it(path):
    status, shown = playbook.run(path, "--syntax-check")
    assert status == 0, shown
    tags = ("--tags", ",".join(CHECKS))
    status, listed = playbook.run(path, "--list-tasks", *tags)
    assert status == 0, listed
    for name, number in CHECKS.items():
        assert f"{name} ({number}) - " in listed


def test_nothing_runs_by_itself(path):
    status, shown = playbook.run(path)
    assert status == 0, shown
    assert re.search(r"ok=1 +changed=0 ", shown)
    assert "TASK [Gathering Facts]" in shown
    assert shown.count("TASK [") == 1
