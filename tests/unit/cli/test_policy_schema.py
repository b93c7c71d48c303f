# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard policy schema``, and its files beside the samples."""

import datetime
import json

import jsonschema
import pytest
import yaml

from nova_vhard.osc.policy import published
from nova_vhard.osc.policy.published import PrintSchema
from nova_vhard.policy import document
from tests.unit.cli.desk import run
from tests.unit.docs import ETC
from tests.unit.test_docs import EXAMPLES

SAMPLES = {
    "policy": ETC / "policy.yaml",
    "tests": ETC / "policy-tests.yaml",
    "cleaning": ETC / "cleaning.yaml.sample",
}
#: Names of the schemas, beside the samples.
FILES = {
    "policy": "policy.schema.json",
    "tests": "policy-tests.schema.json",
    "cleaning": "cleaning.schema.json",
}
BASE = {"version": "1"}


def plain(text):
    """Return YAML as a stranger's reader has it, dates as JSON has them."""
    content = yaml.safe_load(text)
    return json.loads(json.dumps(content, default=datetime.date.isoformat))


def faults(kind, content):
    validator = jsonschema.Draft202012Validator(published.SCHEMAS[kind]())
    return [error.json_path for error in validator.iter_errors(content)]


@pytest.mark.parametrize("kind", published.SCHEMAS)
def test_file_is_what_is_printed(kind):
    done = run(PrintSchema, kind)
    assert done.status == 0
    path = ETC / FILES[kind]
    assert path.read_text(encoding="utf-8") == done.out
    jsonschema.Draft202012Validator.check_schema(json.loads(done.out))


def test_it_is_a_policys_without_a_word():
    assert run(PrintSchema).out == run(PrintSchema, "policy").out


@pytest.mark.parametrize("kind", published.SCHEMAS)
def test_sample_fits_and_names_its_schema(kind):
    text = SAMPLES[kind].read_text(encoding="utf-8")
    assert f"yaml-language-server: $schema={FILES[kind]}\n" in text
    assert faults(kind, plain(text)) == []


@pytest.mark.parametrize("name", document.SHIPPED)
def test_shipped_policies_fit(name):
    with open(document.shipped(name), encoding="utf-8") as file:
        assert faults("policy", plain(file.read())) == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_sample_fit(example):
    text = "\n".join(line[1:] for line in example.splitlines())
    assert faults("policy", BASE | plain(text)) == []


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("mode: enforc", "$.mode"),
        ("mods: enforce", "$"),
        ("guest_devices: {disk_buss: {allow: []}}", "$.guest_devices"),
        ("passthrough: {allow: {aliases: '?'}}", "$.passthrough.allow"),
        ("hosts: {max_report_age: '25'}", "$.hosts.max_report_age"),
        ("enabled: maybe", "$.enabled"),
    ],
)
def test_fault_is_at_its_place(more, place):
    (result,) = faults("policy", BASE | plain(more))
    assert result.startswith(place)


@pytest.mark.parametrize("more", ["version: 1", "hosts: {max_report_age: 2}"])
def test_number_stands_for_the_text_that_we_read(more):
    assert faults("policy", BASE | plain(more)) == []


def test_settings_are_those_of_the_step():
    step = {"step": "function_reset", "settings": {"methods": ["flr"]}}
    entry = {"name": "a", "match": {"vendor": "144d"}, "steps": [step]}
    rules = BASE | {"devices": [entry]}
    assert faults("cleaning", rules) == []
    step["settings"] = {"methods": ["hope"]}
    assert faults("cleaning", rules) != []
