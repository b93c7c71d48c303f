# SPDX-License-Identifier: Apache-2.0
"""Every command that judges by a policy takes one that ships by its name."""

import importlib.metadata
from types import SimpleNamespace

import pytest
from osc_lib import exceptions

from nova_vhard.conf.vhard import POLICY_FILE
from nova_vhard.osc import policies
from tests.unit.docs import ROOT

#: ``policy test`` asks each file for the policy that it is for.
DEFAULTS = {"vhard_policy_test": None}
APP = SimpleNamespace(client_manager=None)


def parsers():
    for entry in importlib.metadata.entry_points(group="openstack.vhard.v1"):
        parser = entry.load()(APP, None).get_parser(entry.name)
        if "--policy" in parser.format_help():
            yield entry.name, parser


def test_the_option_is_the_same_everywhere():
    result = dict(parsers())
    assert len(result) >= 9
    for name, parser in result.items():
        text = " ".join(parser.format_help().split())
        assert (
            "a file, or baseline or scs or strict, which ship with" in text
        ), name
        default = DEFAULTS.get(name, POLICY_FILE)
        assert parser.get_default("policy") == default, name


def test_variable_names_the_policy_of_a_cloud(monkeypatch):
    monkeypatch.setenv(policies.ENVIRONMENT, "strict")
    for name, parser in parsers():
        default = DEFAULTS.get(name, "strict")
        assert parser.get_default("policy") == default, name
    # one that is empty names none
    monkeypatch.setenv(policies.ENVIRONMENT, "")
    assert policies.default_policy() == POLICY_FILE


def test_cloud_of_the_tools_exports_the_variable():
    text = (ROOT / "tools" / "cloud" / "config.py").read_text("utf-8")
    assert f"\nexport {policies.ENVIRONMENT}={{policy}}\n" in text


def test_what_is_no_policy_ends_the_command_with_its_place(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("version: 2\n")
    with pytest.raises(exceptions.CommandError, match=r"policy.yaml:1"):
        policies.load(str(path))
