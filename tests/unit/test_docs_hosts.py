# SPDX-License-Identifier: Apache-2.0
"""The pages on checks, reporter, guard and passthrough."""

import inspect
import json
import re
import sys
from dataclasses import asdict, replace

import pytest

from nova_vhard.catalogue import domain_devices, domain_xml, traits
from nova_vhard.catalogue.checks import OURS
from nova_vhard.common import xml
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.explain import messages
from nova_vhard.host import check, report
from nova_vhard.host.host import Host
from nova_vhard.host.root import HostRoot
from nova_vhard.policy import document
from nova_vhard.policy.events import LOG as DECISIONS
from nova_vhard.policy.hardware import HardwareRequest, Passthrough
from nova_vhard.policy.hosts import (
    ITS_HOST,
    NO_CANDIDATE,
    NOBODY,
    UNKNOWN,
    host_requirements,
    merge_requirements,
)
from nova_vhard.policy.model import Mode, Values
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.request.flavor_traits import plan_traits
from tests.trees import build, capture
from tests.unit import docs
from tests.unit.docs import SOURCE, extension

INSTALLED = {each.name: each for each in report.load()}


@pytest.mark.parametrize("name", OURS)
def test_the_page_says_what_a_check_reads(name):
    text = docs.extension().checklist().partition(f".. _check-{name}:\n")[2]
    section = text.partition(".. _check-")[0]
    assert "\nRead\n" in section
    assert "\nNot believed\n" in section
    source = inspect.getsource(sys.modules[type(INSTALLED[name]).__module__])
    # Of a folder with many files the page may say the two parts.
    for folder, file in re.findall(
        r"\"(/(?:proc|sys)[^\" ]*)/([^\" /]*)\"", source
    ):
        assert f"``{folder}/{file}``" in section or (
            f"``{folder}``" in section and f"``{file}``" in section
        )


def test_the_page_shows_a_real_result(tmp_path):
    (shown,) = [
        json.loads(each) for each in docs.blocks(docs.REPORTER, "json")
    ]
    root = Host(HostRoot(capture("vtd-on", tmp_path)))
    result = INSTALLED[shown["check"]].run(root)
    expected = {"id": OURS[result.check], **asdict(result)}
    assert list(shown) == [*expected, "seconds"]
    assert 0 < shown.pop("seconds") < 1
    assert shown == json.loads(json.dumps(expected))


def test_the_page_has_every_exit_status_and_names_what_exists():
    text = docs.REPORTER.read_text(encoding="utf-8")
    _, _, table = text.partition(".. _check-exit-status:")
    codes = {int(each) for each in re.findall(r"^(\d+)  +\S", table, re.M)}
    assert codes == {0, 255, *(code for _, code in report._EXIT)}
    options = {each.dest for each in reporter_conf.OPTS}
    assert {*re.findall(r"\[vhard_reporter\] (\w+)", text)} <= options
    assert f"``{traits.of_check('iommu')}``" in text
    assert f"``{traits.REPORTED}<YYYYMMDDHH>``" in text


@pytest.mark.parametrize("page", [docs.PASSTHROUGH, docs.REFUSED])
@pytest.mark.parametrize("text", [NOBODY, NO_CANDIDATE, ITS_HOST, UNKNOWN])
def test_the_four_explanations_are_the_codes(page, text):
    baseline = document.load(document.shipped("baseline"))
    asked = HardwareRequest(passthrough=(Passthrough("aliases", "a", "f"),))
    result = host_requirements(baseline, asked, Subject(BOOT), docs.TODAY)
    demand = merge_requirements(result, Mode.ENFORCE)
    assert messages.fault_message([demand.failed(text)]) in docs.words(page)


def test_the_extra_specs_are_those_that_sync_writes():
    class Flavor:
        name = "gpu"
        extra_specs = {"pci_passthrough:alias": "gpu:1"}

    baseline = document.load(document.shipped("baseline"))
    allow = {"aliases": Values(("gpu",))}
    result = plan_traits(Flavor, replace(baseline.passthrough, allow=allow))
    shown = re.findall(
        r"^   (trait:\w+)=required$",
        docs.PASSTHROUGH.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert tuple(shown) == result.lacks


def test_loggers_that_are_named_exist():
    page = docs.MONITORING.read_text(encoding="utf-8")
    table = page.partition("Logger  ")[2]
    named = re.findall(r"^``(nova_vhard\.[\w.]+)``", table, re.MULTILINE)
    assert DECISIONS.name in named
    for name in set(named) - {DECISIONS.name}:
        file = docs.ROOT / f"{name.replace('.', '/')}.py"
        assert "LOG = get_logger(__name__)" in file.read_text()


@pytest.mark.parametrize(
    ("value", "status"), [("1", "PASS"), ("0", "FAIL"), ("2", "UNKNOWN")]
)
def test_the_example_of_a_check_works(tmp_path, value, status):
    (text,) = [
        each
        for each in docs.blocks(docs.CONTRIBUTOR, "python")
        if "Check)" in each
    ]
    names = dict(vars(check))
    exec(compile(text, "the page", "exec"), names)
    path = "/proc/sys/kernel/kexec_load_disabled"
    host = Host(HostRoot(build(tmp_path, {path: f"{value}\n"})))
    result = names["NoKexec"]().run(host)
    assert result.status == status
    assert result.evidence == (f"{path}: {value}",)


PAGE = SOURCE / "admin" / "guard.rst"
REST = PAGE.read_text(encoding="utf-8").partition(".. _domain-xml:\n")[2]


DEVICES = {
    name.partition("[")[0]
    for place in domain_devices.HOST_DEVICES
    for name in (*place.names, *place.flavor)
} - {"aliases", "device_profiles", "mdev"}


def test_the_page_has_every_kind_device_and_limit():
    for kind in domain_xml.PLACES:
        assert f"   * - ``{kind}``\n" in extension().places()
    for kind in domain_xml.UNTOLD:
        assert f"``{kind}``" in extension().untold()
    for text in (
        ".. include:: ../_generated/domain.inc\n",
        ".. include:: ../_generated/untold.inc\n",
        f"{xml.MAX_SIZE // 2**20} MiB",
        f"{xml.MAX_ELEMENTS:,}",
        f"deeper than {xml.MAX_DEPTH}",
        *(f"``{name}``" for name in DEVICES),
    ):
        assert text in REST
