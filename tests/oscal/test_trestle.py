# SPDX-License-Identifier: Apache-2.0
"""Assessment results, read back by compliance-trestle in its own place."""

import os
import subprocess
from dataclasses import replace

import pytest

from nova_vhard.catalogue.controls import CATALOGS, CONTROLS
from nova_vhard.osc.report import component, data, oscal
from nova_vhard.placement.fleet import FRESH, SILENT, HostPosture
from tests import report_pages

COMPONENT = """
import pathlib, sys
from trestle.oscal.component import ComponentDefinition
found = ComponentDefinition.oscal_read(pathlib.Path(sys.argv[1]))
(component,) = found.components
for part in component.control_implementations:
    print(len(part.implemented_requirements))
"""
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


def numbers(script, path, text):
    """Return the numbers that a script of trestle's prints of a text."""
    path.write_text(text)
    command = [os.environ["NOVA_VHARD_TRESTLE"], "-c", script, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_trestle_reads_the_component_definition(tmp_path, made):
    path = tmp_path / "component.json"
    assert numbers(COMPONENT, path, component.render(made)) == [
        len({x for one in CONTROLS.values() for x in getattr(one, name)})
        for name in CATALOGS
    ]


def test_trestle_reads_evidence(tmp_path, made):
    rows = data.evidence_rows([report_pages.host_report(tmp_path)])
    hosts = (replace(GOOD, reported=report_pages.NOW),)
    evidence = data.Part(tuple(rows))
    text = oscal.render(replace(made, hosts=hosts, evidence=evidence))
    assert "12 groups" in text
    assert numbers(READ, tmp_path / "results.json", text)[2] == 1


@pytest.mark.parametrize("hosts", [(GOOD,), (GOOD, LOST)])
def test_trestle_reads_what_is_written(tmp_path, made, hosts):
    text = oscal.render(replace(made, hosts=hosts))
    path = tmp_path / "results.json"
    counts = [text.count('"methods"'), text.count('"target-id"')]
    assert numbers(READ, path, text) == [*counts, len(hosts)]
    with pytest.raises(subprocess.CalledProcessError):
        numbers(READ, path, text.replace('"methods"', '"method"'))
