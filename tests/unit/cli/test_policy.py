# SPDX-License-Identifier: Apache-2.0
"""Commands of openstack vhard policy: cases not in cases/policy_*.yaml."""

import datetime
import json
import re
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
import yaml

from nova_vhard.conf.vhard import POLICY_FILE
from nova_vhard.osc import policies
from nova_vhard.osc.policy import (
    case_file,
    case_options,
    published,
    show,
    trial,
)
from nova_vhard.policy import document, hardware, subject, watch
from nova_vhard.request.described import LOOKED_AT
from tests.unit import docs, helpers, test_docs
from tests.unit.cli.desk import COMMANDS, rows, run
from tests.unit.explain import requests, sentences


def test_the_services_log_the_same_warning(tmp_path, caplog, monkeypatch):
    for module in ("osc.policy.show", "policy.watch"):
        monkeypatch.setattr(
            f"nova_vhard.{module}.today", lambda: helpers.TODAY
        )
    text = """\
        version: "1"
        exemptions:
          - id: a
            reason: r
            projects: [0123456789abcdef0123456789abcdef]
            rules: {guest_devices.disk_bus: [ide]}
            until: 2026-06-14
        """
    path = helpers.write(tmp_path / "policy.yaml", text)
    watch.PolicyFile(path).current()
    (row,) = rows(show.CheckPolicy, path)
    assert row["Message"] in caplog.messages


IMAGE = "1c7f6f4a-5f0e-4b52-8a3c-0e9d2f6b7a81"


def test_it_is_what_a_gate_says_of_the_very_image():
    properties = [
        f"--property={'='.join(each)}" for each in docs.IDE_E1000.items()
    ]
    words = ("--policy", "baseline", *properties, f"--image={IMAGE}")
    answer = run(trial.ExplainPolicy, *words, "-f", "json").json
    request = requests.of(
        docs.IDE_E1000, subject.BOOT, hardware.Holder(IMAGE, "p1")
    )
    text = sentences.answered(helpers.shipped("baseline"), request)
    assert answer["explanation"] == text
    assert answer["fix"]["text"] in text
    assert answer["fix"]["changes"] == [
        {"place": "image", "id": IMAGE, "property": name, "value": "virtio"}
        for name in ("hw_disk_bus", "hw_vif_model")
    ]


def test_name_of_a_block_device_that_nobody_typed_stays():
    text = "block_device_mapping_v2[7].disk_bus"
    assert case_options.devices(text, [{"disk_bus": "ide"}]) == text
    assert case_options.devices(text, None) == text


SAMPLE = docs.ETC / "policy-tests.yaml"


def test_the_sample_has_every_operation_and_key():
    text = docs.text_of(SAMPLE)
    cases = yaml.safe_load(text)["cases"]
    assert {each["operation"] for each in cases} == set(LOOKED_AT)
    # The keys of the requester are in an example that is commented out.
    named = {key for each in cases for key in each}
    unnamed = case_file.CASE["properties"].keys() - named
    assert {key for key in unnamed if f"#    {key}:" not in text} == {"domain"}
    # At least one operation reads every key of a case.
    who = {"name", "operation", "project", "domain", "roles", "expect"}
    assert case_file.CASE["properties"].keys() == who | frozenset().union(
        *LOOKED_AT.values()
    )


def test_the_samples_examples_are_cases(tmp_path):
    head, _, examples = docs.text_of(SAMPLE).partition(
        "# If your policy has an exemption:"
    )
    lines = [each for each in examples.splitlines() if each.startswith("#  ")]
    more = "\n".join(line[1:] for line in lines)
    path = helpers.write(tmp_path / "tests.yaml", f"{head}\n{more}\n")
    result = rows(trial.RunPolicyTests, path, "--policy", "baseline")
    assert len(lines) > 10
    assert [each["Result"] for each in result[-2:]] == ["differs", "differs"]


#: ``policy test`` uses the policy that each file names.
DEFAULTS = {"vhard_policy_test": None}


@pytest.mark.parametrize(
    ("variable", "expected"), [("", POLICY_FILE), ("strict", "strict")]
)
def test_the_option_is_the_same_everywhere(variable, expected, monkeypatch):
    """A variable names the policy of a cloud; "" names none."""
    monkeypatch.setenv(policies.ENVIRONMENT, variable)
    count = 0
    for entry in COMMANDS:
        parser = entry.load()(
            SimpleNamespace(client_manager=None), None
        ).get_parser(entry.name)
        text = " ".join(parser.format_help().split())
        if "--policy" in text:
            count += 1
            assert "a file, or baseline or scs or strict, which ship" in text
            assert parser.get_default("policy") == DEFAULTS.get(
                entry.name, expected
            ), entry.name
    assert count >= 9


def test_cloud_of_the_tools_exports_the_variable():
    assert f"\nexport {policies.ENVIRONMENT}={{policy}}\n" in (
        docs.ROOT / "tools" / "cloud" / "templates" / "rc"
    ).read_text("utf-8")


#: Schema to a sample, and the file name of the schema in its folder.
SAMPLES = {
    "policy": (test_docs.POLICY, "policy.schema.json"),
    "tests": (SAMPLE.read_text("utf-8"), "policy-tests.schema.json"),
    "cleaning": (
        docs.text_of(docs.ETC / "cleaning.yaml.sample"),
        "cleaning.schema.json",
    ),
}


@pytest.mark.parametrize("kind", published.SCHEMAS)
def test_file_is_what_is_printed(kind):
    sample, name = SAMPLES[kind]
    done = run(published.PrintSchema, kind)
    assert (done.status, done.out) == (0, docs.text_of(docs.ETC / name))
    jsonschema.Draft202012Validator.check_schema(json.loads(done.out))
    assert kind != "policy" or run(published.PrintSchema).out == done.out
    assert f"yaml-language-server: $schema={name}\n" in sample


STEP = """
version: "1"
devices:
- name: a
  match: {{vendor: 144d}}
  steps: [{{step: function_reset, settings: {{methods: [{}]}}}}]
"""


@pytest.mark.parametrize(
    ("kind", "text", "places"),
    [
        *((kind, sample, []) for kind, (sample, _) in SAMPLES.items()),
        *(
            ("policy", docs.text_of(Path(document.shipped(name))), [])
            for name in document.SHIPPED
        ),
        *(
            ("policy", re.sub("^#", "", each, flags=re.M), [])
            for each in test_docs.EXAMPLES
        ),
        # the schema accepts a number where our parser reads text
        ("policy", "version: 1", []),
        ("policy", "hosts: {max_report_age: 2}", []),
        ("policy", "mode: enforc", ["$.mode"]),
        ("policy", "mods: enforce", ["$"]),
        (
            "policy",
            "guest_devices: {disk_buss: {allow: []}}",
            ["$.guest_devices"],
        ),
        (
            "policy",
            "passthrough: {allow: {aliases: '?'}}",
            ["$.passthrough.allow.aliases"],
        ),
        (
            "policy",
            "hosts: {max_report_age: '25'}",
            ["$.hosts.max_report_age"],
        ),
        ("policy", "enabled: maybe", ["$.enabled"]),
        # the settings must match the step
        ("cleaning", STEP.format("flr"), []),
        (
            "cleaning",
            STEP.format("hope"),
            ["$.devices[0].steps[0].settings.methods[0]"],
        ),
    ],
)
def test_a_document(kind, text, places):
    validator = jsonschema.Draft202012Validator(published.SCHEMAS[kind]())
    # parsed by another YAML parser; dates are text, as in JSON
    base = {} if kind == "tests" else {"version": "1"}
    content = base | yaml.safe_load(text)
    plain = json.loads(json.dumps(content, default=datetime.date.isoformat))
    assert [
        error.json_path for error in validator.iter_errors(plain)
    ] == places
