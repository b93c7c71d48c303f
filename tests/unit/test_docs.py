# SPDX-License-Identifier: Apache-2.0
"""The documentation, samples, units and alerts match the code."""

import argparse
import configparser
import contextlib
import datetime
import importlib.metadata
import inspect
import io
import json
import os
import re
import runpy
import shlex
import shutil
import string
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import promql_parser as promql
import pytest
import yaml
from oslo_config import cfg, generator
from oslo_context.context import RequestContext

from nova_vhard import conf
from nova_vhard.attestor import mapping, metrics
from nova_vhard.attestor.sources.list_file import ListFile
from nova_vhard.catalogue import (
    checks,
    domain_devices,
    domain_xml,
    profiles,
    traits,
)
from nova_vhard.catalogue.devices import KINDS, OF_FILE
from nova_vhard.catalogue.passthrough import PORTS
from nova_vhard.cmd import (
    attestor,
    cleaner,
    exporter,
    guard,
    reporter,
    status,
)
from nova_vhard.common import paste_file, xml
from nova_vhard.common.problems import PolicyError
from nova_vhard.explain import messages
from nova_vhard.exporter.metrics import (
    GATES,
    MODES,
    OUTCOMES,
    RULES,
    SERVICES,
    Metrics,
)
from nova_vhard.exporter.payloads import Decision, Runs
from nova_vhard.gates import http
from nova_vhard.guard.metrics import Metrics as GuardMetrics
from nova_vhard.host import check, host, report, root
from nova_vhard.osc.decision import counts, summary
from nova_vhard.osc.policy import case_file, published, show, trial
from nova_vhard.policy import (
    document,
    events,
    hardware,
    hosts,
    model,
    schema,
    subject,
    verdict,
)
from nova_vhard.reporter.publishers import base, prometheus
from nova_vhard.request import described, flavor_traits, image, passthrough
from nova_vhard.status import gates
from tests import ran
from tests.trees import build, capture
from tests.unit import commands, docs
from tests.unit.docs import (
    COMMANDS,
    ETC,
    MONITORING,
    PAGES,
    PASSTHROUGH,
    README,
    REFERENCE,
    REFUSED,
    REPORTER,
    ROOT,
    SOURCE,
    TODAY,
    blocks,
    extension,
    judged,
    schema_keys,
    text_of,
    words,
)
from tests.unit.explain import sentences
from tests.unit.explain.requests import of
from tests.unit.helpers import configured, shipped, write

ALL_PAGES = pytest.mark.parametrize("page", PAGES, ids=docs.name_of)
BASELINE = shipped("baseline")
EXTENSION = docs.extension()
IMAGE = hardware.Holder("1c7f6f4a-5f0e-4b52-8a3c-0e9d2f6b7a81", "p1")
IDE = {"hw_disk_bus": "ide"}
INSTALLED = {each.name: each for each in report.load()}
BEGIN, _, END = hosts.UNKNOWN.partition("{checks}")


def literals(*names):
    return [f"``{name}``" for each in names for name in each]


#: A boot request, the host checks that it requires, and the explanations for
#: hosts without them.
ASKED = (
    hardware.HardwareRequest(
        passthrough=tuple(
            passthrough.of_flavor({"pci_passthrough:alias": "gpu:1"})
        )
    ),
    subject.Subject(subject.BOOT),
    TODAY,
)
DEMAND = hosts.merge_requirements(
    hosts.host_requirements(BASELINE, *ASKED), model.Mode.ENFORCE
)
EXPLANATIONS = [
    messages.fault_message([DEMAND.failed(each)])
    for each in (
        *(hosts.NOBODY, hosts.NO_CANDIDATE, hosts.ITS_HOST, hosts.UNKNOWN),
    )
]

CORPUS = json.loads(text_of(ROOT / "tests" / "data" / "image-properties.json"))
#: Preset to the number of public images and of other images that pass.
PASSED = {
    name: tuple(
        sum(
            not judged(name, each["properties"], each["disk_format"]).refusals
            for each in CORPUS
            if ("osism" in each["origin"]) is public
        )
        for public in (True, False)
    )
    for name in document.SHIPPED
}
DRIVES = '[{"device_type": "floppy", "disk_bus": "fdc"}]'

#: Page, or a part of a page, and texts that it contains.
TEXTS = {
    "a refusal in README": (
        README,
        [
            sentences.answered(
                BASELINE, of(docs.IDE_E1000, subject.UPLOAD, hardware.NOBODY)
            )
        ],
    ),
    "whole refusals": (
        REFUSED,
        [
            sentences.answered(BASELINE, of(IDE, subject.BOOT, IMAGE)),
            # an upload has no id yet
            sentences.fixed(
                BASELINE, of(IDE, subject.UPLOAD, hardware.NOBODY)
            ),
        ],
    ),
    "short refusals, other answers": (
        REFUSED,
        [
            messages.fault_message(
                judged("baseline", docs.IDE_E1000).refusals
            ),
            messages.fault_message(
                verdict.evaluate(BASELINE, *ASKED).refusals
            ),
            *(http.NO_POLICY_TEXT, http.OVERRIDE_TEXT),
            *(
                f"{each.cause.choice.setting}={each.cause.value}"
                for each in judged(
                    "baseline", {}, None, {"hw:sound_model": "ich6"}
                ).refusals
            ),
        ],
    ),
    **{
        f"refusal of {asked[0]}": (
            REFUSED,
            [
                messages.describe([each])
                for each in judged("baseline", *asked).violations
            ],
        )
        for asked in (
            ({"hw_vif_model": "VirtualE1000"},),
            ({"hw_disk_bus": "scsi"},),
            ({"hw_machine_type": "pc"}, "iso"),
            ({"vmware_adaptertype": "lsiLogic"},),
        )
    },
    # The requests have further violations, which the page does not show.
    **{
        f"refusal of {kind} by {policy}": (
            REFUSED,
            [
                messages.describe([each])
                for each in judged(policy, properties).violations
                if each.cause.what == kind
            ],
        )
        for policy, kind, properties in (
            ("baseline", "floppy_bus", {"block_device_mapping": DRIVES}),
            ("strict", "disk_bus", {"os_distro": "ubuntu"}),
        )
    },
    "presets and images": (
        REFERENCE,
        [
            f"``{name}`` {public} pass {others} pass"
            for name, (public, others) in PASSED.items()
        ],
    ),
    "the filter's name in DevStack": (
        ROOT / "devstack" / "plugin.sh",
        [f" NOVA_VHARD_FILTER={gates.FILTER} "],
    ),
    "the filter's name": (
        ROOT / "nova_vhard" / "gates" / "scheduler.py",
        [f" class {gates.FILTER}("],
    ),
    "no host for a device": (PASSTHROUGH, EXPLANATIONS),
    "no host, for users": (REFUSED, EXPLANATIONS),
    "answers of the gates": (
        docs.SECURITY,
        [
            *(http.NO_POLICY_TEXT, http.LOOKUP_TEXT),
            f"*{hosts.NOBODY.partition(' {')[0]} …*",
            f"*{hosts.NO_CANDIDATE.partition(' {')[0]} …*",
            f"*{BEGIN}… {END.partition(';')[0].strip()}*",
        ],
    ),
    "no policy": (
        SOURCE / "admin" / "break-glass.rst",
        [http.NO_POLICY_TEXT.partition(" at the")[0]],
    ),
    "keys and rules": (
        REFERENCE,
        literals(
            {path[-1] for path in schema_keys(schema.SCHEMA)} - KINDS.keys(),
            [verdict.PASSTHROUGH_ALLOW, hosts.PASSTHROUGH_REQUIRE],
            [hosts.FLAVOR_REQUIRE, hosts.HOSTS_REQUIRE, *PORTS],
        ),
    ),
    "keys of a test": (
        COMMANDS,
        [
            *literals(
                {
                    path[-1]
                    for path in schema_keys(case_file.SCHEMA)
                    # Nova defines the other keys of a block device
                    if "block_devices" not in path[:-1]
                }
                - {"cases"},
                *(described.LOOKED_AT, counts.BY, ("device_type", "disk_bus")),
            ),
            f"{counts.GROUPS:,} groups",
        ],
    ),
    "profiles": (
        EXTENSION.profiles(),
        literals(
            profiles.PROFILES,
            *(each.checks for each in profiles.PROFILES.values()),
        ),
    ),
    "traits of a host": (
        REPORTER,
        literals([traits.of_check("iommu"), f"{traits.REPORTED}<YYYYMMDDHH>"]),
    ),
    "kinds that a domain has": (
        EXTENSION.places(),
        [f"* - ``{kind}``" for kind in domain_xml.PLACES],
    ),
    "kinds that no domain has": (
        EXTENSION.untold(),
        literals(domain_xml.UNTOLD),
    ),
    "what the guard reads of a domain": (
        text_of(SOURCE / "admin" / "guard.rst").partition(".. _domain-xml:\n")[
            2
        ],
        [
            ".. include:: ../_generated/domain.inc",
            ".. include:: ../_generated/untold.inc",
            f"{xml.MAX_SIZE // 2**20} MiB",
            f"{xml.MAX_ELEMENTS:,}",
            f"deeper than {xml.MAX_DEPTH}",
            *literals(
                {
                    name.partition("[")[0]
                    for place in domain_devices.HOST_DEVICES
                    for name in (*place.names, *place.flavor)
                }
                - {"aliases", "device_profiles", "mdev"}
            ),
        ],
    ),
}


@pytest.mark.parametrize(("page", "texts"), TEXTS.values(), ids=TEXTS)
def test_a_page_says_what_the_code_says(page, texts):
    text = words(page)
    assert texts and [each for each in texts if each not in text] == []


def loaded(path, text):
    """Parse a policy."""
    return document.load(write(path, text))


def test_readme_shows_the_fault_of_the_policy_for_passthrough(tmp_path):
    policy = loaded(tmp_path / "policy.yaml", blocks(PASSTHROUGH, "yaml")[0])
    asked = (
        hardware.HardwareRequest(
            passthrough=(
                hardware.Passthrough("aliases", "gpu", "flavor"),
                hardware.Passthrough("ports", "vf", "port"),
            )
        ),
        *ASKED[1:],
    )
    assert verdict.evaluate(policy, *asked).violations == ()
    demand = hosts.merge_requirements(
        hosts.host_requirements(policy, *asked), model.Mode.ENFORCE
    )
    message = messages.fault_message([demand.failed(hosts.NOBODY)])
    assert f"No valid host was found. {message}" in words(README)


def test_reference_shows_the_errors_of_a_policy(tmp_path):
    (broken,) = [
        each for each in blocks(REFERENCE, "yaml") if "virtoi" in each
    ]
    with pytest.raises(PolicyError) as error:
        loaded(tmp_path / "policy.yaml", broken)
    assert " ".join(
        str(each).removeprefix(f"{tmp_path}/") for each in error.value.problems
    ) in words(REFERENCE)


def test_the_event_is_what_the_code_writes(caplog):
    (shown,) = [json.loads(each) for each in blocks(MONITORING, "json")]
    result = judged("baseline", IDE)
    RequestContext(request_id=shown["request"], overwrite=True)
    with caplog.at_level("INFO", logger=events.LOG.name):
        events.write(
            shown["gate"],
            subject.Subject(
                shown["operation"],
                **shown["subject"]
                | {"roles": frozenset(shown["subject"]["roles"])},
            ),
            result,
            61e-6,
        )
    assert json.loads(caplog.messages[-1]) == shown | {"policy": result.policy}


def test_the_page_shows_a_real_result(tmp_path):
    (shown,) = [json.loads(each) for each in blocks(REPORTER, "json")]
    result = INSTALLED[shown["check"]].run(
        host.Host(root.HostRoot(capture("vtd-on", tmp_path)))
    )
    assert 0 < shown.pop("seconds") < 1
    expected = {"id": checks.OURS[result.check], **asdict(result)}
    assert json.dumps(shown) == json.dumps(expected)


def test_the_table_of_hosts_has_columns_that_exist():
    block = text_of(PASSTHROUGH).partition("-c Host")[2]
    asked = ["Host", *re.findall(r"-c (\w+)", block)]
    head = re.search(r"^ *\| (Host .*) \|$", block, re.MULTILINE)[1]
    assert re.split(r"\s+\|\s+", head.strip()) == asked
    assert set(asked) <= {"Host", "Status", *checks.CHECKS}


def test_pages_include_all_that_the_extension_writes(tmp_path):
    EXTENSION.write(tmp_path)
    assert sorted(
        re.findall(
            rf"include:: \.\./{EXTENSION.FOLDER}/(\S+)",
            "".join(text_of(page) for page in PAGES),
        )
    ) == sorted(os.listdir(tmp_path / EXTENSION.FOLDER))


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            *re.findall(
                r"^``(nova_vhard\.[\w.]+)``",
                text_of(MONITORING).partition("Logger  ")[2],
                re.MULTILINE,
            )
        }
        - {events.LOG.name}
    ),
)
def test_a_logger_that_is_named_exists(name):
    file = ROOT / f"{name.replace('.', '/')}.py"
    assert "LOG = get_logger(__name__)" in text_of(file)


@pytest.mark.parametrize(
    ("page", "section", "options"),
    [
        (REPORTER, "vhard_reporter", conf.reporter.OPTS),
        (docs.INSTALL, "vhard", conf.vhard.OPTS),
    ],
)
def test_options_that_are_named_exist(page, section, options):
    named = {*re.findall(rf"\[{section}\]\s+(\w+)", text_of(page))}
    assert named and named <= {each.dest for each in options}


PLAN = flavor_traits.plan_traits(
    SimpleNamespace(
        name="gpu", extra_specs={"pci_passthrough:alias": "gpu:1"}
    ),
    replace(BASELINE.passthrough, allow={"aliases": model.Values(("gpu",))}),
)


@pytest.mark.parametrize(
    ("page", "pattern", "names"),
    [
        (MONITORING, r"^([A-Z][\w -]+)\n   \S", [*status.CHECKS]),
        (
            SOURCE / "cli" / "nova-vhard-status.rst",
            r"``--([\w-]+) [A-Z]+``",
            [each.name for each in conf.status.OPTS],
        ),
        (
            ROOT / "devstack" / "README.rst",
            r"^``(NOVA_VHARD_\w+)``",
            # devstack sets the paths of the checkout and of the commands.
            re.findall(
                r"^(NOVA_VHARD_(?!DIR|BIN_DIR)\w+)=",
                text_of(ROOT / "devstack" / "settings"),
                re.MULTILINE,
            ),
        ),
        (
            text_of(REPORTER).partition(".. _check-exit-status:")[2],
            r"^(\d+)  +\S",
            ["0", "255", *(str(code) for _, code in report._EXIT)],
        ),
        (
            "".join(
                block
                for block in blocks(docs.INSTALL, "ini")
                if "posture_ttl" in block
            ),
            r"^(\w+ =.*)$",
            [
                f"{option.name} = {option.default}".rstrip()
                for option in conf.vhard.OPTS
            ],
        ),
        (PASSTHROUGH, r"^   (trait:\w+)=required$", PLAN.lacks),
        (
            docs.INSTALL,
            r"paste\.filter_factory = (\S+)",
            [each.factory for each in paste_file.SERVICES.values()],
        ),
    ],
    ids=[
        "checks",
        "options",
        "devstack",
        "exit status",
        "defaults",
        "traits",
        "paste",
    ],
)
def test_a_page_has_all_names_and_no_other(page, pattern, names):
    assert set(re.findall(pattern, text_of(page), re.MULTILINE)) == set(names)


@pytest.mark.parametrize("name", checks.OURS)
def test_the_page_says_what_a_check_reads(name):
    text = EXTENSION.checklist().partition(f".. _check-{name}:\n")[2]
    section = text.partition(".. _check-")[0]
    assert "\nRead\n" in section and "\nNot believed\n" in section
    source = inspect.getsource(sys.modules[type(INSTALLED[name]).__module__])
    # If a folder has many files, the page may list folder and file separately.
    for folder, file in re.findall(
        r"\"(/(?:proc|sys)[^\" ]*)/([^\" /]*)\"", source
    ):
        assert f"``{folder}/{file}``" in section or (
            f"``{folder}``" in section and f"``{file}``" in section
        )


@pytest.mark.parametrize(
    ("value", "status"), [("1", "PASS"), ("0", "FAIL"), ("2", "UNKNOWN")]
)
def test_the_example_of_a_check_works(tmp_path, value, status):
    (text,) = [
        each for each in blocks(docs.CONTRIBUTOR, "python") if "Check)" in each
    ]
    names = dict(vars(check))
    exec(compile(text, "the page", "exec"), names)
    path = "/proc/sys/kernel/kexec_load_disabled"
    tree = root.HostRoot(build(tmp_path, {path: f"{value}\n"}))
    result = names["NoKexec"]().run(host.Host(tree))
    assert (result.status, result.evidence) == (status, (f"{path}: {value}",))


@ALL_PAGES
def test_what_a_page_names_exists(page):
    text = text_of(page)
    result = importlib.metadata.entry_points(group="openstack.vhard.v1")
    for thing, verb in re.findall(r"openstack vhard (\w+) (\w[\w-]*)", text):
        assert f"vhard_{thing}_{verb}" in result.names
    for verb in re.findall(r"[`$#] ?nova-vhard-reporter ([a-z]+)", text):
        assert verb in reporter._parser().format_help()


#: Text in blocks that are not policies to the parser. Intended errors,
#: cleaning rules and the attestor's files have their own tests.
READERS = {
    **dict.fromkeys(("virtoi", "\ndevices:", "agents:"), str),
    "cases:": case_file.read,
    "# compute1\n": mapping.load,
}


@ALL_PAGES
def test_every_policy_that_is_shown_can_be_loaded(page, tmp_path):
    for block in blocks(page, "yaml"):
        text = block.replace("/etc/nova-vhard/policy.yaml", "baseline")
        readers = [READERS[word] for word in READERS if word in block]
        if not readers and "version:" not in text:
            text = f'version: "1"\nextends: baseline\n{text}'
        read = [*readers, document.load][0]
        assert read(write(tmp_path / "policy.yaml", text))


# The policy reference has every key, kind, rule and error.


OPTIONAL = {
    *OF_FILE,
    *("firmware_type", "secure_boot", "tpm_secret_security"),
    *("mem_encryption", "mem_encryption_model"),
}
GOOD = {
    "hw_firmware_type": "uefi",
    "os_secure_boot": "required",
    "hw_mem_encryption": "true",
    "hw_mem_encryption_model": "amd-sev-snp",
    "img_signature": "c2lnbmVk",
    "img_signature_certificate_uuid": "00000000-0000-0000-0000-000000000001",
    "img_signature_hash_method": "SHA-256",
    "img_signature_key_type": "RSA-PSS",
}


@pytest.fixture(scope="module")
def strictest(tmp_path_factory):
    """Return strict with the optional rules that the page shows."""
    text = Path(document.shipped("strict")).read_text(encoding="utf-8")
    rules = text.partition("\n#guest_devices:\n")[2]
    taken = "\n".join(line.removeprefix("#") for line in rules.splitlines())
    path = tmp_path_factory.mktemp("strictest") / "policy.yaml"
    path.write_text(
        f'version: "1"\nextends: strict\nguest_devices:\n{taken}\n'
    )
    return document.load(str(path))


@pytest.mark.parametrize(
    ("properties", "refused"),
    [
        (GOOD, set()),
        ({**GOOD, "hw_firmware_type": "bios"}, {"firmware_type"}),
        ({**GOOD, "os_secure_boot": "optional"}, {"secure_boot"}),
        ({**GOOD, "hw_mem_encryption": "false"}, {"mem_encryption"}),
        (
            {**GOOD, "hw_mem_encryption_model": "amd-sev"},
            {"mem_encryption_model"},
        ),
        (
            {**GOOD, "img_signature_hash_method": "SHA-224"},
            {"image_signature_hash"},
        ),
        (
            {**GOOD, "img_signature_key_type": "DSA"},
            {"image_signature_key_type"},
        ),
        ({**GOOD, "img_signature": ""}, {"image_signature"}),
        ({}, {*OF_FILE, "firmware_type", "secure_boot", "mem_encryption"}),
    ],
)
def test_the_optional_rules_of_strict(strictest, properties, refused):
    assert {
        item.cause.what
        for item in verdict.evaluate(
            strictest,
            image.read(properties),
            subject.Subject(subject.UPLOAD),
            TODAY,
        ).refusals
    } & OPTIONAL == refused


def test_no_optional_rule_of_strict_holds_on_its_own(strictest):
    strict = shipped("strict").guest_devices
    assert [
        kind
        for kind in sorted(OPTIONAL)
        if strictest.guest_devices[kind] == strict.get(kind)
    ] == []


# The commands on the pages exist, and do what the pages say.

QUICK_START = SOURCE / "quick-start.rst"
BREAK_GLASS = SOURCE / "admin" / "break-glass.rst"
MAN_PAGES = {path.stem: path for path in (SOURCE / "cli").glob("nova-*.rst")}
#: Options that oslo.config adds to every program.
OSLO = {"--config-dir", "--config-file", "--shell_completion"}


@pytest.mark.parametrize(
    "command",
    [
        each
        for page in (
            *(README, QUICK_START, BREAK_GLASS, MONITORING, COMMANDS),
            SOURCE / "admin" / "roll-out.rst",
            SOURCE / "admin" / "exporter.rst",
        )
        for each in commands.shown(page)
    ],
)
def test_a_command_that_is_shown_exists_and_takes_its_arguments(command):
    commands.check(command)


RAN = (*ran.ON_THE_DEMO, *ran.ELSEWHERE, *ran.BY_CI)
#: Commands within a sentence of README or quick start; their arguments may be
#: missing.
INLINE = {*commands.inline(README), *commands.inline(QUICK_START)}
DOCUMENTED = INLINE | {
    command
    for page in (README, QUICK_START)
    for command in (*commands.shown(page), *commands.literal(page))
}


@pytest.mark.parametrize("command", sorted(DOCUMENTED))
def test_a_command_that_is_documented_is_run(command):
    if command.startswith("tox -e "):
        tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
        assert f"[testenv:{command.removeprefix('tox -e ')}]" in tox
    elif command in INLINE:
        assert any(f"{each} ".startswith(f"{command} ") for each in RAN)
    else:
        assert command in RAN


#: Our installed programs, and their functions.
SCRIPTS = {
    each.name: each
    for each in importlib.metadata.entry_points(group="console_scripts")
    if each.value.startswith("nova_vhard.")
}


def options_of(main, *command):
    """Return every option of a program and of its commands."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main([*command, "--help"])
    # Before Python 3.13, the value is after the short name, too.
    options = set(
        re.findall(
            r"^  (?:-\w.*?, )?(--[\w-]+)", text.getvalue(), re.MULTILINE
        )
    )
    for names in re.findall(r"^  \{([\w,-]+)\}", text.getvalue(), re.M):
        if not command:
            options.update(
                *(options_of(main, name) for name in names.split(","))
            )
    return options


@pytest.mark.parametrize("name", sorted(SCRIPTS.keys() | MAN_PAGES.keys()))
def test_a_man_page_has_every_option(name):
    options = options_of(SCRIPTS[name].load())
    assert "--help" in options
    text = MAN_PAGES[name].read_text(encoding="utf-8")
    listed = re.findall(
        r"^``.*``$", text.partition("\nOptions\n=======\n")[2], re.MULTILINE
    )
    named = set(re.findall(r"``(--[\w-]+)", "\n".join(listed)))
    assert named - OSLO == options - OSLO
    synopsis = text.partition("\nDescription\n")[0]
    assert {each for each in named if each not in synopsis} <= {
        *("--help", "--version")
    }


def test_every_man_page_is_built():
    conf = runpy.run_path(str(SOURCE / "conf.py"))
    assert {page: name for page, name, *_ in conf["man_pages"]} == {
        f"cli/{name}": name for name in SCRIPTS
    }
    index = words(SOURCE / "cli" / "index.rst")
    assert [name for name in SCRIPTS if name not in index] == []


def test_what_is_run_is_documented_and_run_where_it_is_said():
    assert set(RAN) <= DOCUMENTED and len(RAN) == len(set(RAN))
    for command, script in ran.BY_CI.items():
        assert command in text_of(ROOT / script)
    for test in ran.ELSEWHERE.values():
        file, _, name = test.partition("::")
        assert re.search(rf"^(def|class) {name}\b", text_of(ROOT / file), re.M)


@pytest.mark.parametrize(
    "text",
    [
        'version: "1"\nextends: baseline\n',
        'version: "1"\nextends: baseline',
        'version: "1"\nenabled: true\nextends: baseline\n',
        'version: "1"\nextends: baseline\nenabled: true',
    ],
)
def test_breaking_the_glass_lets_everything_pass(tmp_path, text):
    path = tmp_path / "policy.new"
    path.write_text(text)
    (shown,) = [
        each
        for each in commands.shown(BREAK_GLASS)
        if "enabled: false" in each
    ]
    *command, last = shlex.split(shown)
    assert last == "/etc/nova-vhard/policy.new"
    subprocess.run([*command, str(path)], check=True)
    assert not document.load(str(path)).enabled


PARSERS = {
    name: kind(None, None).get_parser("test")
    for name, kind in {
        "policy check": show.CheckPolicy,
        "policy schema": published.PrintSchema,
        "policy show": show.ShowPolicy,
        "policy test": trial.RunPolicyTests,
        "policy explain": trial.ExplainPolicy,
        "decision summary": summary.SummarizeDecisions,
    }.items()
}


def test_options_that_are_named_exist_and_all_of_ours_are():
    assert {
        " ".join(command.split()[2:4]) for command in commands.shown(COMMANDS)
    } == set(PARSERS)
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
        if option.startswith("--") and action.help != argparse.SUPPRESS
    }
    named = {*re.findall(r"(?<![-\w])--[a-z][a-z-]*", COMMANDS)}
    assert ours - {"--help"} <= named <= known


# The code accepts the samples and units in etc/.

PROGRAMS = {
    "attestor": attestor,
    "cleaner": cleaner,
    "exporter": exporter,
    "guard": guard,
    "reporter": reporter,
}
POLICY = (ETC / "policy.yaml").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"(?:^#\S.*\n(?:^#  .*\n)*)", POLICY, re.MULTILINE)

#: Files of the generator, and the line where our options begin; keystoneauth's
#: options before it vary with its version.
GENERATORS = {
    "config-generator.conf": "",
    "config-generator-exporter.conf": "",
    "config-generator-guard.conf": "",
    "config-generator-attestor.conf": "\n[vhard_attestor]\n",
    "config-generator-cleaner.conf": "\n[vhard_cleaner]\n",
    "config-generator-reporter.conf": "\n[vhard_reporter]\n",
}

UNPRIVILEGED = {
    "DynamicUser": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "NoNewPrivileges": "yes",
}
#: Unit to settings; None if the unit must not have the setting. The cleaner
#: runs as root because only root can reset devices and see which processes
#: have them open. The guard runs as root because only root's libvirt
#: connection can remove a guest's device.
UNITS = {
    "attestor": {**UNPRIVILEGED, "Type": "notify"},
    "exporter": {
        **UNPRIVILEGED,
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
        "InaccessiblePaths": None,
        "PrivateNetwork": None,
        "SupplementaryGroups": None,
        "TemporaryFileSystem": None,
    },
    "sweep": UNPRIVILEGED,
    "reporter": {
        **UNPRIVILEGED,
        "Type": "notify",
        # Twice the limit of a publisher.
        "WatchdogSec": "3min",
        # systemd would end the whole service when a check is out of memory.
        "OOMPolicy": "continue",
        "ExecReload": "/bin/kill -HUP $MAINPID",
        # Root owns the pre-step's folder: systemd would remove a folder of the
        # service when it stops.
        "RuntimeDirectory": None,
        "ReadOnlyPaths": "-/run/nova-vhard",
        # Paths that checks read.
        "InaccessiblePaths": None,
        "ProcSubset": None,
        "ProtectProc": None,
    },
    "cleaner": {
        "ProtectSystem": "strict",
        "NoNewPrivileges": "yes",
        "DynamicUser": None,
        "PrivateDevices": None,
        "PrivateUsers": None,
        "ProcSubset": None,
        "ProtectClock": None,
        "ProtectKernelTunables": None,
        "ProtectProc": None,
        "User": None,
    },
    "guard": {
        "CapabilityBoundingSet": "CAP_DAC_READ_SEARCH",
        "PrivateNetwork": "yes",
        "RestrictAddressFamilies": "AF_UNIX",
        # The folder of the socket must remain when the service stops.
        "RuntimeDirectoryPreserve": "yes",
    },
}


def unit_text(name):
    return (ETC / f"nova-vhard-{name}.service").read_text(encoding="utf-8")


def unit(name):
    """Return section [Service] of a unit."""
    # A list in a unit may span several lines.
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string(unit_text(name))
    return parser["Service"]


def handed(text):
    """Return the credentials of a unit: path in the service to source."""
    return {
        f"/run/credentials/x/{name}": path
        for name, path in re.findall(
            "^LoadCredential=(.*):(.*)$", text, re.MULTILINE
        )
    }


def command(service):
    """Return the options of a unit's command, parsed by the program."""
    text = service["ExecStart"]
    name, _, value = service.get("Environment", "").partition("=")
    text = text.replace(f"${{{name}}}", value)
    text = text.replace("${CREDENTIALS_DIRECTORY}", "/run/credentials/x")
    assert "$" not in text
    program, *arguments = shlex.split(text)
    folder, _, name = program.rpartition("/bin/nova-vhard-")
    assert f"python3 -m venv {folder} " in words(REPORTER)
    program = PROGRAMS[name]
    return program._parser().parse_args(
        arguments
    ), program._PROGRAM.default_files


@pytest.mark.parametrize("name", GENERATORS)
def test_a_sample_is_what_the_generator_writes(name):
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--config-file", str(ETC / name)], default_config_files=[])
    written = io.StringIO()
    generator.generate(conf, written)
    sample = (ROOT / conf.output_file).read_text(encoding="utf-8")
    begin, expected = GENERATORS[name], written.getvalue()
    assert sample[sample.index(begin) :] == expected[expected.index(begin) :]


def test_every_unit_is_in_the_table():
    assert {path.name for path in ETC.glob("*.service")} == {
        f"nova-vhard-{name}.service" for name in UNITS
    }


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_has_its_settings_and_no_privilege_more(name):
    service = unit(name)
    assert {each: service.get(each) for each in UNITS[name]} == UNITS[name]


@pytest.mark.parametrize("name", UNITS)
def test_a_units_command_is_one_that_its_program_knows(name):
    options, default = command(unit(name))
    files = handed(unit_text(name))
    for path in [each for each in files if not each.endswith(".conf")]:
        # An option must name each file that is not a configuration file.
        del files[path]
        assert f"=%d/{path.rpartition('/')[2]}\n" in unit_text(name)
    # The guard reads its file as root.
    files = files or {path: path for path in default}
    assert options.config_file == list(files)
    assert list(files.values()) == list(default[: len(files)])
    if name != "exporter":
        assert options.command == ("sweep" if name == "sweep" else "run")


@pytest.mark.parametrize(
    ("name", "conf", "key"),
    [
        ("reporter", conf.reporter, None),
        ("cleaner", conf.cleaner, "RuntimeDirectory"),
        ("guard", conf.guard, "RuntimeDirectory"),
    ],
)
def test_a_units_folders_are_the_options(name, conf, key):
    service = unit(name)
    defaults = {each.dest: each.default for each in conf.OPTS}
    assert defaults["state_path"] == f"/var/lib/{service['StateDirectory']}"
    run = service[key] if key else service["ReadOnlyPaths"].rpartition("/")[2]
    assert defaults["run_dir"] == f"/run/{run}"
    # A publisher may take at most half of the watchdog's time.
    assert defaults.get("publish_timeout", 0) <= 3 * 60 / 2


(RUN_DIR,) = (
    each.default for each in conf.guard.OPTS if each.dest == "run_dir"
)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        # The units of a host that is not enrolled start: if the file is
        # missing, they get an empty group [placement].
        *(
            (f"{name}.service", rf"{key}=placement\.conf:{value}")
            for name in ("reporter", "cleaner")
            for key, value in (
                ("SetCredential", r"\[placement\]"),
                ("LoadCredential", "/"),
            )
        ),
        ("reporter.service", r"ExecStartPre=.*/reporter\.conf facts$"),
        # First the allowed system calls, then the denied ones.
        (
            "cleaner.service",
            "SystemCallFilter=@system-service\n(?:(?!SystemCallFilter).*\n)*"
            "SystemCallFilter=~@privileged @resources$",
        ),
        ("guard.socket", f"ListenStream={RUN_DIR}/guard.sock$"),
        ("guard.socket", "Before=.*libvirtd.socket.* virtqemud.socket"),
    ],
)
def test_what_a_unit_says(name, pattern):
    assert re.search(
        f"^{pattern}",
        (ETC / f"nova-vhard-{name}").read_text(encoding="utf-8"),
        re.MULTILINE,
    )


def test_what_single_commands_do():
    sweep, _ = command(unit("sweep"))
    assert sweep.max_report_age >= BASELINE.hosts.max_report_age
    assert not command(unit("reporter"))[0].once


def test_the_attestors_unit_fits_its_options():
    text = unit_text("attestor")
    named = re.findall(
        r"^Environment=OS_VHARD_ATTESTOR__(\w+)=%d/(.+)$", text, re.MULTILINE
    )
    assert {name.lower() for name, _ in named} <= {
        each.dest for each in conf.attestor.OPTS
    }
    assert {f"/run/credentials/x/{path}" for _, path in named} == {
        path for path in handed(text) if not path.endswith(".conf")
    }
    mapping.load(str(ETC / "attested-hosts.yaml"))


def test_the_page_of_the_attestor_has_files_that_can_be_read(tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "file.yaml"
    path.touch(0o644)
    made = configured(conf.attestor, "vhard_attestor", verdicts_file=str(path))
    mapped, _, agents = blocks(SOURCE / "admin" / "attestation.rst", "yaml")
    assert len(mapping.load(write(path, mapped))) == 2
    path.write_text(agents)
    assert [
        (each.failed, bool(each.nonsense))
        for each in ListFile(made).verdicts().values()
    ] == [(False, False), (True, False)]


def uncommented(text):
    return re.sub(r"^#(?=\S|  )", "", text, flags=re.MULTILINE)


def given(data):
    """Yield the path of every key in plain data."""
    if isinstance(data, list):
        for each in data:
            yield from given(each)
    elif isinstance(data, dict):
        for name, value in data.items():
            yield (name,)
            yield from ((name, *rest) for rest in given(value))


def without_kinds(paths):
    """Return paths without the names of device kinds."""
    return {
        (path[0], *path[2:]) if path[0] == "guest_devices" else path
        for path in paths
    }


def test_sample_policy_has_an_example_of_every_key(tmp_path):
    text = uncommented(POLICY)
    loaded(tmp_path / "policy.yaml", text)
    assert without_kinds(schema_keys(schema.SCHEMA)) <= without_kinds(
        given(yaml.safe_load(text))
    )


def test_sample_policy_is_baseline_as_long_as_nothing_is_uncommented():
    baseline = document.load(document.shipped("baseline"))
    assert document.load(str(ETC / "policy.yaml")).digest == baseline.digest


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda text: text[1:].partition(":")[0]
)
def test_each_example_of_the_sample_policy_loads(example, tmp_path):
    loaded(
        tmp_path / "policy.yaml", POLICY.replace(example, uncommented(example))
    )


# Alert rules, the dashboard and the page name metrics that exist.

#: Labels that Prometheus adds to each series that it scrapes.
OF_THE_SCRAPE = frozenset(("instance", "job"))
#: Attributes of an expression that contain other expressions.
PARTS = ("expr", "lhs", "rhs", "vector_selector")


def labels_of(expression: promql.Expr) -> frozenset[str] | None:
    """Return the labels of the result of an expression; None for a scalar.

    All names in it must exist. The two sides of an operator must have the same
    labels, otherwise they never match.
    """
    if isinstance(expression, promql.VectorSelector):
        labels = KNOWN[expression.name]
        for each in expression.matchers.matchers:
            values = labels[each.name]
            assert values is None or {*each.value.split("|")} <= values
        return OF_THE_SCRAPE.union(labels)
    inner = [getattr(expression, name, None) for name in PARTS]
    inner += getattr(expression, "args", ())
    found = {labels_of(each) for each in inner if each is not None} - {None}
    assert len(found) <= 1
    result = found.pop() if found else None
    text = expression.prettify().strip()
    if isinstance(expression, promql.AggregateExpr) and text[:4] != "topk":
        modifier = expression.modifier
        wanted = frozenset(modifier.labels if modifier else ())
        assert wanted <= result
        return wanted
    if isinstance(expression, promql.Call) and text.startswith("histogram"):
        assert "le" in result
        return result - {"le"}
    return result


GROUPS = yaml.safe_load(
    (ETC / "prometheus-alerts.yaml").read_text(encoding="utf-8")
)["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"]]
TARGETS = [
    target
    for panel in json.loads(
        (ETC / "grafana-dashboard.json").read_text(encoding="utf-8")
    )["panels"]
    for target in panel.get("targets", ())
]

VALUES = {
    "gate": set(GATES),
    "mode": set(MODES),
    "outcome": set(OUTCOMES),
    "rule": set(RULES),
    "check": set(checks.CHECKS),
    "status": {each.value for each in check.Status},
    "service": set(SERVICES),
    "publisher": {"json", "placement", "prometheus"},
}


def families():
    """Return every metric of our programs, with a value."""
    exported = Metrics(["rabbit1:5672"])
    exported.decided(
        Decision(
            GATES[0], "enforce", "refuse", (((RULES[0], "enforce", 1)),), 0.1
        )
    )
    exported.runs("nova-api:controller1", Runs(1, "4f1c" * 4, None))
    now = datetime.datetime(2026, 6, 15, tzinfo=datetime.UTC)
    reported = report.HostReport(
        now,
        (check.Result("iommu", check.Status.PASS, "it is on", ()),),
        {"iommu": 0.1},
    )
    record = base.Record(days_ahead=14)
    record.published["placement"] = now.timestamp()
    record.errors["placement"] = 1
    guard = GuardMetrics()
    guard.guarded = True
    guard.decided("start", "allow")
    return [
        *exported.registry.collect(),
        *prometheus._Metrics(reported, record).collect(),
        *metrics._Metrics(metrics.Numbers(hosts={"c1": True})).collect(),
        *guard.collect(),
    ]


KNOWN = {
    sample.name: {name: VALUES.get(name) for name in sample.labels}
    for family in families()
    for sample in family.samples
    if not sample.name.endswith("_created")
}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each["alert"])
def test_an_alert_speaks_of_labels_that_it_has(alert):
    assert set(
        re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values()))
    ) <= labels_of(promql.parse(alert["expr"]))
    assert set(alert["annotations"]) == {"summary", "description"}
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert f"``{alert['alert']}``" in extension().alerts()


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: each["expr"])
def test_a_legend_has_labels_that_its_panel_has(target):
    # as Grafana sends it, without its variables
    expression = string.Template(target["expr"]).substitute(
        {"__rate_interval": "5m", "gate": "scheduler"}
    )
    labels = labels_of(promql.parse(expression))
    assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels


def test_every_metric_is_looked_at():
    # The dashboard covers gates and hosts; the other metrics only have alerts.
    others = ("nova_vhard_guard_", "nova_vhard_attest")
    text = " ".join(each["expr"] for each in (*ALERTS, *TARGETS))
    for name, labels in KNOWN.items():
        assert series(name) in text or name.startswith(others)
        # Prometheus would replace these.
        assert not OF_THE_SCRAPE & labels.keys(), name


def series(name):
    """Return the name of a metric without the suffixes of a histogram."""
    return re.sub("_(bucket|count|sum)$", "", name)


def test_the_pages_have_every_metric():
    assert set(
        re.findall(
            r"``(nova_vhard_\w+)``",
            " ".join(
                words(SOURCE / "admin" / f"{page}.rst")
                for page in (("attestation", "exporter", "guard", "report"))
            ),
        )
    ) == {series(name) for name in KNOWN}
    assert ".. include:: ../_generated/alerts.inc\n" in MONITORING.read_text()
    assert "{{" not in extension().alerts()


# Each alert fires during its fault, and stops after it (promtool).

#: Values of a series, one per minute: a timestamp that is stale and then
#: current.
LATE = "0x60 3660+60x30"
ALERT_REFUSED = 'decisions_total{gate="nova-api",outcome="refuse"}'
UNJUDGED = 'decisions_total{gate="nova-api",outcome="unjudged"}'
DISABLED = 'decisions_total{gate="nova-api",outcome="disabled"}'
PASSED = 'check{status="PASS",check="iommu"}'
UNKNOWN = 'check{status="UNKNOWN",check="iommu"}'

#: Alert, series, minutes in which it fires, and minutes in which it does not.
CASES = (
    ("ReporterSilent", {"report_timestamp_seconds": LATE}, [52, 60], [40, 65]),
    (
        "NotInPlacement",
        {'published_timestamp_seconds{publisher="placement"}': LATE},
        [52, 60],
        [40, 65],
    ),
    ("FewNames", {"names_days_ahead": "5x180 14x9"}, [125, 180], [60, 185]),
    ("PublishErrors", {"publish_errors_total": "0+1x9 9x60"}, [8], [1, 60]),
    ("HostLostCheck", {PASSED: "1x9 0x60 1x9"}, [25, 69], [15, 75]),
    # until the host passes the check, no matter how long that takes
    ("HostCheckFails", {UNKNOWN: "1x1600 0x9"}, [1450, 1600], [9, 1605]),
    (
        "HostCheckFails",
        {
            'check{status="FAIL",check="iommu"}': "1x800 0x900",
            UNKNOWN: "0x800 1x799 0x9",
        },
        [1450, 1595],
        [1400, 1605],
    ),
    (
        "AttestorSilent",
        {"attestor_round_timestamp_seconds": LATE},
        [10, 60],
        [3, 65],
    ),
    (
        "VerifierSilent",
        {"attestor_answer_timestamp_seconds": LATE},
        [10, 60],
        [3, 65],
    ),
    ("HostNotAttested", {'attested{host="c1"}': "0x60 1x9"}, [6, 60], [2, 65]),
    ("MarksForged", {"attestor_void_marks_total": "0x5 3x60"}, [7], [4, 60]),
    ("GuardSilent", {"guard_timestamp_seconds": LATE}, [25, 60], [10, 65]),
    ("GuardNotInForce", {"guard_in_force": "0x60 1x9"}, [20, 60], [9, 65]),
    (
        "GuardPolicyUnusable",
        {"guard_policy_usable": "0x90 1x9"},
        [6, 90],
        [2, 95],
    ),
    (
        "GuestKeepsDevice",
        {'guard_hot_plugs_total{result="kept"}': "0x5 1x90"},
        [10],
        [4, 80],
    ),
    ("RefusalsJump", {ALERT_REFUSED: "0x60 0+10x15 150x60"}, [70], [50, 110]),
    ("RefusesMost", {ALERT_REFUSED: "0+10x20 200x60"}, [15], [1, 60]),
    # longer than an hour, but not longer than the fault
    (
        "PolicyUnusable",
        {'policy_usable{service="nova-api"}': "1x5 0x90 1x9"},
        [8, 95],
        [4, 98],
    ),
    (
        "PoliciesDiffer",
        {
            'policy_info{service="nova-api",digest="a"}': "1x90",
            'policy_info{service="nova-api",digest="b"}': "1x60 stale",
        },
        [12, 60],
        [5, 65],
    ),
    ("RequestsUnjudged", {UNJUDGED: "0x5 0+1x60 60x30"}, [10, 65], [4, 75]),
    ("SwitchedOff", {DISABLED: "0x5 0+1x60 60x30"}, [10, 65], [4, 80]),
    ("BusDown", {'bus_up{bus="b"}': "0x60 1x9"}, [12, 60], [5, 65]),
    (
        "GatesSilent",
        {
            'bus_up{bus="b"}': "1x1700",
            'bus_last_message_timestamp_seconds{bus="b"}': (
                "0x1600 96060+60x90"
            ),
        },
        [1510, 1600],
        [1440, 1605],
    ),
    (
        "NotificationsDropped",
        {"notifications_dropped_total": "0x5 7x90"},
        [10],
        [4, 80],
    ),
    (
        "NotificationsUnreadable",
        {"notifications_unreadable_total": "0x5 7x90"},
        [10],
        [4, 80],
    ),
)


needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool") and "CI" not in os.environ,
    reason="promtool is not here (Debian package promtool)",
)


def promtool(action, path):
    """Check or test rules with promtool."""
    ended = subprocess.run(
        ["promtool", action, "rules", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_alert_has_a_case():
    assert {f"Vhard{alert}" for alert, *_ in CASES} == {
        rule["alert"] for rule in ALERTS
    }


@needs_promtool
def test_the_file_is_good():
    promtool("check", str(ETC / "prometheus-alerts.yaml"))


@needs_promtool
@pytest.mark.parametrize(
    ("alert", "series", "firing", "quiet"),
    CASES,
    ids=[row[0] for row in CASES],
)
def test_alert(tmp_path, alert, series, firing, quiet):
    """Test one rule at a time: promtool evaluates every rule each minute."""
    groups = [
        group | {"rules": [rule]}
        for group in GROUPS
        for rule in group["rules"]
        if rule["alert"] == f"Vhard{alert}"
    ]
    rules = write(tmp_path / "rules.yaml", yaml.safe_dump({"groups": groups}))
    content = {
        "rule_files": [rules],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f"nova_vhard_{name}", "values": values}
                    for name, values in series.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": 'count(ALERTS{alertstate="firing"})'
                        " or vector(0)",
                        "eval_time": f"{minute}m",
                        "exp_samples": [{"value": int(minute in firing)}],
                    }
                    for minute in (*firing, *quiet)
                ],
            }
        ],
    }
    promtool("test", write(tmp_path / "alerts.yaml", yaml.safe_dump(content)))
