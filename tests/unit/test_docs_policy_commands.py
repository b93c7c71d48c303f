# SPDX-License-Identifier: Apache-2.0
"""The page about the commands for a policy is what they do."""

import re
import shlex

import pytest

from nova_vhard.osc.decision import counts, summary
from nova_vhard.osc.policy import (
    case_file,
    published,
    show,
    trial,
)
from nova_vhard.osc.policy.case_file import SCHEMA
from nova_vhard.request.described import LOOKED_AT
from tests.unit.docs import COMMANDS, ETC, blocks, words

KINDS = {
    "policy check": show.CheckPolicy,
    "policy schema": published.PrintSchema,
    "policy show": show.ShowPolicy,
    "policy test": trial.RunPolicyTests,
    "policy explain": trial.ExplainPolicy,
    "decision summary": summary.SummarizeDecisions,
}


def shown():
    """Yield the commands of the page: name and arguments."""
    for block in blocks(COMMANDS, "console"):
        for line in block.replace("\\\n", " ").strip().splitlines():
            parts = shlex.split(line.removeprefix("$ openstack vhard "))
            yield " ".join(parts[:2]), parts[2:]


def test_every_command_that_is_shown_takes_its_arguments():
    names = set()
    for name, arguments in shown():
        parser = KINDS[name](None, None).get_parser("test")
        parser.parse_args(arguments)
        names.add(name)
    assert names == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_options_that_are_named_exist_and_all_of_ours_are(name):
    text = COMMANDS
    parsers = {
        each: KINDS[each](None, None).get_parser("test") for each in KINDS
    }
    known = {
        option
        for each in parsers.values()
        for option in each._option_string_actions
    }
    assert set(re.findall(r"(?<![-\w])--[a-z][a-z-]*", text)) <= known
    ours = {
        option
        for group in parsers[name]._action_groups[:2]
        for action in group._group_actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }
    assert {each for each in ours if each not in text} == set()


def keys(part):
    for name, value in part.get("properties", {}).items():
        yield name
        yield from keys(value)
    if "items" in part:
        yield from keys(part["items"])


def test_every_key_of_a_test_is_explained():
    # Other keys of a block device are Nova's, and do not count.
    devices = SCHEMA["properties"]["cases"]["items"]["properties"]
    others = set(keys(devices["block_devices"])) - {"device_type", "disk_bus"}
    text = words(COMMANDS)
    unsaid = {each for each in keys(SCHEMA) if f"``{each}``" not in text}
    assert unsaid - {"cases"} <= others
    for operation in LOOKED_AT:
        assert f"``{operation}``" in text


def test_the_file_of_tests_that_is_shown_can_be_read(tmp_path):
    (block,) = [case for case in blocks(COMMANDS, "yaml") if "cases:" in case]
    path = tmp_path / "tests.yaml"
    path.write_text(block, encoding="utf-8")
    result = case_file.read(str(path))
    assert result.policy == str(tmp_path / "policy.yaml")
    (case,) = result.tests
    assert case.case.subject.image == "5f3e8b6c-6a55-4b0e-9d0d-3f8a55b0a0c1"
    assert (ETC / "policy-tests.yaml").is_file()


def test_limits_that_are_named_are_the_codes():
    assert f"{counts.GROUPS:,} groups" in words(COMMANDS)
    assert "ends within 14 days" in words(COMMANDS)
    for name in counts.BY:
        assert f"``{name}``" in words(COMMANDS)
