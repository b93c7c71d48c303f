# SPDX-License-Identifier: Apache-2.0
"""Tests of the documentation about cleaning steps."""

import re
import subprocess

import os_traits

from nova_vhard.cleaner import nvme
from nova_vhard.cleaner.rules import installed_steps, load
from nova_vhard.cleaner.step import Job, Outcome, Step
from nova_vhard.cleaner.steps import function_reset
from nova_vhard.cleaner.steps.command import environment
from tests.unit.cleaner import trees
from tests.unit.docs import CONTRIBUTOR, SOURCE, blocks, words

PAGE = SOURCE / "admin" / "cleaning.rst"
STEPS = installed_steps()
VARIABLES = set(re.findall(r"``(VHARD_\w+)``", PAGE.read_text()))


def test_the_table_has_every_step_with_its_priority():
    text = PAGE.read_text()
    for name, step in STEPS.items():
        assert f"   * - ``{name}``\n     - {step.priority}\n" in text
        chapter = text.partition(f"\nSettings of {name}\n")[2]
        for setting in step.schema["properties"]:
            assert f"\n``{setting}``\n" in chapter


def test_every_way_to_reset_and_to_erase():
    named = set(re.findall(r"``(\w+)``", words(PAGE)))
    assert named >= set(function_reset.METHODS)
    # The os-traits release of Nova 31 does not have these traits.
    known = os_traits.get_traits("HW_NVME")
    for name, method in nvme.METHODS.items():
        row = re.search(
            rf"   \* - ``{name}``\n((?:     .*\n)+)", PAGE.read_text()
        )
        bit = f"{method.field.upper()} bit {method.bit.bit_length() - 1}"
        assert bit in row[1] and method.trait in row[1]
        assert method.trait in ("", *known) or not known


def test_every_variable(tmp_path):
    assert set(environment(trees.job(trees.tree(tmp_path)))) == VARIABLES


def test_the_example_of_rules(tmp_path):
    (text,) = blocks(PAGE, "yaml")
    (tmp_path / "cleaning.yaml").write_text(text)
    (entry,) = load(str(tmp_path / "cleaning.yaml")).entries
    assert len(entry.steps) == 2


def test_the_programs_can_be_read_by_a_shell():
    programs = blocks(PAGE, "sh")
    assert len(programs) == 3
    for program in programs:
        subprocess.run(["sh", "-n"], input=program.encode(), check=True)
        assert set() < set(re.findall(r"VHARD_\w+", program)) <= VARIABLES


def test_the_example_of_a_step(tmp_path):
    (text,) = [
        each for each in blocks(CONTRIBUTOR, "python") if "(Step)" in each
    ]
    place = {"Job": Job, "Outcome": Outcome, "Step": Step}
    exec(text, place)
    root = trees.tree(tmp_path)
    for state, clean in (("D0", True), ("D3hot", False)):
        (trees.folder(root) / "power_state").write_text(f"{state}\n")
        assert place["PowerState"]().run(trees.job(root)).clean == clean
