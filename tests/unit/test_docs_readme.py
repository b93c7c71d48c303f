# SPDX-License-Identifier: Apache-2.0
"""README and the pages match the code."""

import configparser
import importlib.metadata
import importlib.util
import json
import logging
import re
from pathlib import Path

import pytest
from oslo_context.context import RequestContext

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.cmd import reporter
from nova_vhard.conf import placement, vhard
from nova_vhard.explain import messages
from nova_vhard.gates import http
from nova_vhard.policy import document, events, hardware
from nova_vhard.policy.hardware import (
    HardwareRequest,
    Holder,
    Passthrough,
)
from nova_vhard.policy.hosts import (
    NOBODY,
    host_requirements,
    merge_requirements,
)
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import BOOT, UPLOAD, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import passthrough
from tests.unit.docs import (
    IDE_E1000,
    INSTALL,
    MONITORING,
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
    request = of(IDE_E1000, UPLOAD, hardware.NOBODY)
    assert sentences.answered(shipped("baseline"), request) in words(README)


def test_readme_shows_the_fault_of_the_policy_for_passthrough(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(blocks(PASSTHROUGH, "yaml")[0])
    policy = document.load(str(path))
    alias = Passthrough("aliases", "gpu", "flavor")
    port = Passthrough("ports", "vf", "port")
    asked = (HardwareRequest(passthrough=(alias, port)), Subject(BOOT), TODAY)
    assert evaluate(policy, *asked).violations == ()
    demand = merge_requirements(
        host_requirements(policy, *asked), Mode.ENFORCE
    )
    message = messages.fault_message([demand.failed(NOBODY)])
    assert f"No valid host was found. {message}" in words(README)
    for check in demand.checks:
        assert f"``{check}``" in words(README)


def test_paste_filters_are_there():
    text = INSTALL.read_text(encoding="utf-8")
    named = re.findall(r"paste\.filter_factory = ([\w.]+):(\w+)", text)
    assert {module.rpartition(".")[2] for module, _ in named} == {
        "glance_api",
        "nova_api",
    }
    for module, function in named:
        # not imported: this test needs neither Nova nor Glance
        source = Path(importlib.util.find_spec(module).origin).read_text()
        assert f"\ndef {function}(" in source


def section(page, name, option):
    """Return a section of the block of a page that has an option."""
    (block,) = [each for each in blocks(page, "ini") if option in each]
    parser = configparser.ConfigParser()
    parser.read_string(block)
    return dict(parser[name])


def test_every_option_is_given_with_its_default():
    assert section(INSTALL, "vhard", "posture_ttl") == {
        option.name: str(option.default) for option in vhard.OPTS
    }
    login = section(REPORTER, "placement", "[placement]")
    assert login.keys() <= {each.dest for each in placement.list_opts()}


@ALL_PAGES
def test_commands_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    result = importlib.metadata.entry_points(group="openstack.vhard.v1")
    for thing, verb in re.findall(r"openstack vhard (\w+) (\w[\w-]*)", text):
        assert f"vhard_{thing}_{verb}" in result.names
    for verb in re.findall(r"[`$#] ?nova-vhard-reporter ([a-z]+)", text):
        assert verb in reporter._parser().format_help()


def test_the_table_of_hosts_has_columns_that_exist():
    text = PASSTHROUGH.read_text(encoding="utf-8")
    block = text[text.index("-c Host") :]
    asked = re.findall(r"-c (\w+)", block)
    head = re.search(r"^ *\| (Host .*) \|$", block, re.MULTILINE)[1]
    assert re.split(r"\s+\|\s+", head.strip()) == asked
    assert set(asked) <= {"Host", "Status", *CHECKS}


@ALL_PAGES
def test_every_policy_that_is_shown_can_be_loaded(page, tmp_path):
    path = tmp_path / "policy.yaml"
    # Errors on purpose, a file of tests, cleaning rules, the attestor's files;
    # tests of their own read them.
    others = ("virtoi", "cases:", "\ndevices:", "# compute1\n", "agents:")
    for block in blocks(page, "yaml"):
        if any(word in block for word in others):
            continue
        text = block.replace("/etc/nova-vhard/policy.yaml", "baseline")
        if "version:" not in text:
            text = f'version: "1"\nextends: baseline\n{text}'
        path.write_text(text)
        document.load(str(path))


DRIVES = '[{"device_type": "floppy", "disk_bus": "fdc"}]'
IDE = {"hw_disk_bus": "ide"}
IMAGE = "1c7f6f4a-5f0e-4b52-8a3c-0e9d2f6b7a81"


def test_event_is_what_the_code_writes(caplog):
    # given
    (shown,) = [json.loads(each) for each in blocks(MONITORING, "json")]
    who = shown["subject"]
    subject = Subject(
        shown["operation"],
        who["project"],
        who["domain"],
        frozenset(who["roles"]),
    )
    verdict = judged("baseline", IDE)
    # when
    RequestContext(request_id=shown["request"], overwrite=True)
    with caplog.at_level(logging.INFO, logger=events.LOG.name):
        events.write(shown["gate"], subject, verdict, 61e-6)
    # then
    written = json.loads(caplog.messages[-1])
    assert written == shown | {"policy": verdict.policy}


@pytest.mark.parametrize(
    ("operation", "holder", "write"),
    [
        (BOOT, Holder(IMAGE, "p1"), sentences.answered),
        # an upload has no id yet
        (UPLOAD, hardware.NOBODY, sentences.fixed),
    ],
)
def test_users_read_a_whole_refusal(operation, holder, write):
    text = write(shipped("baseline"), of(IDE, operation, holder))
    assert text in words(REFUSED)


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        ("baseline", ({"hw_vif_model": "VirtualE1000"},)),
        ("baseline", ({"hw_disk_bus": "scsi"},)),
        ("baseline", ({"hw_machine_type": "pc"}, "iso")),
        ("baseline", ({"vmware_adaptertype": "lsiLogic"},)),
        ("baseline", ({"block_device_mapping": DRIVES},)),
        ("strict", ({"os_distro": "ubuntu"},)),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value[0]),
)
def test_users_read_what_the_code_says(policy, asked):
    violations = judged(policy, *asked).violations
    text = words(REFUSED)
    shown = [each for each in violations if messages.describe([each]) in text]
    wanted = {"strict": 1, "baseline": len(violations)}[policy]
    if DRIVES in asked[0].values():
        wanted = 1  # of the two, the one about the bus
    assert len(shown) == wanted


def test_users_read_the_short_form_and_the_other_answers():
    alias = passthrough.of_flavor({"pci_passthrough:alias": "gpu:1"})
    asked = (HardwareRequest(passthrough=tuple(alias)), Subject(BOOT), TODAY)
    (refusal,) = judged(
        "baseline", {}, None, {"hw:sound_model": "ich6"}
    ).refusals
    for text in (
        messages.fault_message(judged("baseline", IDE_E1000).refusals),
        messages.fault_message(evaluate(shipped("baseline"), *asked).refusals),
        http.NO_POLICY_TEXT,
        http.OVERRIDE_TEXT,
        f"{refusal.cause.setting}={refusal.cause.value}",
    ):
        assert text in words(REFUSED)
