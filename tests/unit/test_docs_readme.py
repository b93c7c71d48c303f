# SPDX-License-Identifier: Apache-2.0
"""What README and pages show is what the code says, takes and does."""

import ast
import configparser
import importlib.metadata
import importlib.util
import re
from pathlib import Path

import pytest

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.cmd import reporter
from nova_vhard.conf import placement, vhard
from nova_vhard.explain import messages
from nova_vhard.policy import document, hardware
from nova_vhard.policy.hardware import HardwareRequest, Passthrough
from nova_vhard.policy.hosts import (
    NOBODY,
    host_requirements,
    merge_requirements,
)
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import BOOT, UPLOAD, Subject
from nova_vhard.policy.verdict import evaluate
from tests.unit.docs import (
    IDE_E1000,
    INSTALL,
    PAGES,
    PASSTHROUGH,
    README,
    REFUSED,
    REPORTER,
    TODAY,
    blocks,
    judged,
    name_of,
    words,
)
from tests.unit.explain import sentences
from tests.unit.explain.requests import of
from tests.unit.helpers import shipped

ALL_PAGES = pytest.mark.parametrize("page", PAGES, ids=name_of)


def test_readme_shows_a_real_refusal():
    refusals = judged("baseline", IDE_E1000).refusals
    request = of(IDE_E1000, UPLOAD, hardware.NOBODY)
    text = sentences.answered(shipped("baseline"), request)
    assert text in words(README)
    assert messages.fault_message(refusals) in words(REFUSED)


def test_readme_shows_the_fault_of_the_policy_for_passthrough(tmp_path):
    # given
    path = tmp_path / "policy.yaml"
    path.write_text(blocks(PASSTHROUGH, "yaml")[0])
    policy = document.load(str(path))
    asked = HardwareRequest(
        passthrough=(
            Passthrough("aliases", "gpu", "flavor"),
            Passthrough("ports", "vf", "port"),
        )
    )
    # when
    verdict = evaluate(policy, asked, Subject(BOOT), TODAY)
    demand = merge_requirements(
        host_requirements(policy, asked, Subject(BOOT), TODAY), Mode.ENFORCE
    )
    # then
    assert verdict.violations == ()
    message = messages.fault_message([demand.failed(NOBODY)])
    assert f"No valid host was found. {message}" in words(README)
    for check in demand.checks:
        assert f"``{check}``" in words(README)


def test_paste_filters_are_there():
    named = re.findall(
        r"paste\.filter_factory = ([\w.]+):(\w+)",
        INSTALL.read_text(encoding="utf-8"),
    )
    assert {module.rpartition(".")[2] for module, _ in named} == {
        "glance_api",
        "nova_api",
    }
    for module, function in named:
        # not imported: this test needs neither Nova nor Glance
        spec = importlib.util.find_spec(module)
        body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
        assert function in {getattr(each, "name", None) for each in body}


def test_every_option_is_given_with_its_default():
    (block,) = [
        block for block in blocks(INSTALL, "ini") if "posture_ttl" in block
    ]
    parser = configparser.ConfigParser()
    parser.read_string(block)
    assert dict(parser["vhard"]) == {
        option.name: str(option.default) for option in vhard.OPTS
    }


def test_the_login_that_is_shown_has_options_that_exist():
    (block,) = [
        each for each in blocks(REPORTER, "ini") if "[placement]" in each
    ]
    parser = configparser.ConfigParser()
    parser.read_string(block)
    assert "timeout" in parser["placement"]
    assert set(parser["placement"]) <= {
        option.dest for option in placement.list_opts()
    }


@ALL_PAGES
def test_commands_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    result = importlib.metadata.entry_points(group="openstack.vhard.v1")
    for thing, verb in re.findall(r"openstack vhard (\w+) (\w[\w-]*)", text):
        assert f"vhard_{thing}_{verb}" in result.names
    subcommands = re.findall(r"[`$#] ?nova-vhard-reporter ([a-z]+)", text)
    for each in subcommands:
        # argparse ends with 0 after the help of a command that it knows
        with pytest.raises(SystemExit) as ended:
            reporter._parser().parse_args([each, "--help"])
        assert ended.value.code == 0


def test_the_table_of_hosts_has_columns_that_exist():
    block = next(
        each for each in blocks(PASSTHROUGH, "console") if "-c Host" in each
    )
    columns = {"Host", "Status", *CHECKS}
    asked = re.findall(r"-c (\w+)", block)
    head = re.search(r"^\| (Host .*) \|$", block, re.MULTILINE)[1]
    assert re.split(r"\s+\|\s+", head.strip()) == asked
    assert set(asked) <= columns


@ALL_PAGES
def test_every_policy_that_is_shown_can_be_loaded(page, tmp_path):
    path = tmp_path / "policy.yaml"
    for block in blocks(page, "yaml"):
        if "virtoi" in block or "cases:" in block:
            continue  # the one with errors, on purpose; a file of tests
        if "\ndevices:" in block:
            continue  # cleaning rules: tests/unit/cleaner/test_docs.py
        if "# compute1\n" in block or "agents:" in block:
            continue  # the attestor's: tests/unit/test_docs_samples.py
        text = block.replace("/etc/nova-vhard/policy.yaml", "baseline")
        if "version:" not in text:
            text = f'version: "1"\nextends: baseline\n{text}'
        path.write_text(text)
        document.load(str(path))
