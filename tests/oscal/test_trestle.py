# SPDX-License-Identifier: Apache-2.0
"""Assessment results, read back by compliance-trestle in its own place."""

import os
import subprocess
from dataclasses import replace

import pytest

from nova_vhard.osc.report import oscal
from nova_vhard.placement.fleet import FRESH, SILENT, HostPosture
from tests import report_pages

READ = """
import pathlib, sys
from trestle.oscal.assessment_results import AssessmentResults
found = AssessmentResults.oscal_read(pathlib.Path(sys.argv[1]))
(result,) = found.results
print(len(result.observations), len(result.findings))
print(len(result.local_definitions.inventory_items))
"""
GOOD = HostPosture("good", FRESH, frozenset({"iommu", "smt"}))
LOST = HostPosture("lost", SILENT, frozenset())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return report_pages.report(tmp_path_factory.mktemp("report"), 0, 0)


@pytest.mark.parametrize("hosts", [(GOOD,), (GOOD, LOST)])
def test_trestle_reads_what_is_written(tmp_path, made, hosts):
    text = oscal.render(replace(made, hosts=hosts))
    path = tmp_path / "results.json"
    path.write_text(text)
    command = [os.environ["NOVA_VHARD_TRESTLE"], "-c", READ, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr[-2000:]
    counts = [int(word) for word in done.stdout.split()]
    assert counts[0] == text.count('"methods"')
    assert counts[1] == text.count('"target-id"')
    assert counts[2] == len(hosts)


def test_trestle_refuses_what_is_none(tmp_path, made):
    text = oscal.render(replace(made, hosts=(GOOD,)))
    path = tmp_path / "results.json"
    path.write_text(text.replace('"methods"', '"method"'))
    command = [os.environ["NOVA_VHARD_TRESTLE"], "-c", READ, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode
