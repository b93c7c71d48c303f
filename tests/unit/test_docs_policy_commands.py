# SPDX-License-Identifier: Apache-2.0
"""The page about the commands for a policy is what they do."""

import re
import shlex

from nova_vhard.osc.decision import counts, summary
from nova_vhard.osc.policy import (
    case_file,
    published,
    show,
    trial,
)
from nova_vhard.osc.policy.case_file import SCHEMA
from nova_vhard.request.described import LOOKED_AT
from tests.unit.docs import COMMANDS, blocks, schema_keys, words

KINDS = {
    "policy check": show.CheckPolicy,
    "policy schema": published.PrintSchema,
    "policy show": show.ShowPolicy,
    "policy test": trial.RunPolicyTests,
    "policy explain": trial.ExplainPolicy,
    "decision summary": summary.SummarizeDecisions,
}


PARSERS = {name: KINDS[name](None, None).get_parser("test") for name in KINDS}


def test_every_command_that_is_shown_takes_its_arguments():
    text = "".join(blocks(COMMANDS, "console")).replace("\\\n", " ")
    names = set()
    for line in re.findall(r"^\$ openstack vhard (.*)$", text, re.MULTILINE):
        parts = shlex.split(line)
        PARSERS[" ".join(parts[:2])].parse_args(parts[2:])
        names.add(" ".join(parts[:2]))
    assert names == set(KINDS)


def test_options_that_are_named_exist_and_all_of_ours_are():
    known = {
        option
        for parser in PARSERS.values()
        for option in parser._option_string_actions
    }
    ours = {
        option
        for parser in PARSERS.values()
        for group in parser._action_groups[:2]
        for action in group._group_actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }
    assert set(re.findall(r"(?<![-\w])--[a-z][a-z-]*", COMMANDS)) <= known
    assert {each for each in ours if each not in COMMANDS} == set()


def test_every_key_of_a_test_is_explained():
    # Other keys of a block device are Nova's, and do not count.
    devices = SCHEMA["properties"]["cases"]["items"]["properties"]
    others = {path[-1] for path in schema_keys(devices["block_devices"])}
    others = others - {"device_type", "disk_bus"} | {"cases"}
    keys = {path[-1] for path in schema_keys(SCHEMA)} - others
    named = {*keys, *LOOKED_AT, *counts.BY}
    assert {each for each in named if f"``{each}``" not in COMMANDS} == set()
    assert f"{counts.GROUPS:,} groups" in words(COMMANDS)


def test_the_file_of_tests_that_is_shown_can_be_read(tmp_path):
    (block,) = [case for case in blocks(COMMANDS, "yaml") if "cases:" in case]
    path = tmp_path / "tests.yaml"
    path.write_text(block, encoding="utf-8")
    result = case_file.read(str(path))
    assert result.policy == str(tmp_path / "policy.yaml")
    (case,) = result.tests
    assert case.case.subject.image == "5f3e8b6c-6a55-4b0e-9d0d-3f8a55b0a0c1"
