# SPDX-License-Identifier: Apache-2.0
"""deploy/helm as it is kept, and deploy/rhoso, which no machine here runs."""

import os
from types import SimpleNamespace

import pytest
import yaml
from oslo_config import cfg

from nova_vhard.common import paste_file
from nova_vhard.conf import vhard
from nova_vhard.status import files, gates
from tests.deploy import table
from tests.deploy.places import DEPLOY, run

HELM = DEPLOY / "helm"
#: A part of the operator's OpenStackControlPlane.
CONTROL_PLANE = (DEPLOY / "rhoso" / "control-plane.yaml").read_text()
NOVA, GLANCE = (
    yaml.safe_load(CONTROL_PLANE)["spec"][name]["template"]
    for name in ("nova", "glance")
)
PASTE_FILES = {"nova": "api-paste.ini", "glance": "glance-api-paste.ini"}


@pytest.mark.parametrize("name", ["nova", "glance"])
def test_every_pipeline_of_the_charts_has_the_gate(name):
    text = (HELM / "kept" / PASTE_FILES[name]).read_text()
    assert paste_file.unguarded(text, paste_file.SERVICES[name]) == []
    # The values here are those that the kept output came from.
    values = yaml.safe_load((HELM / f"{name}.yaml").read_text())
    sections = paste_file.read(text)
    for section, wanted in values["conf"]["paste"].items():
        assert wanted.items() <= dict(sections[section]).items()


LISTS = (
    "available_filters",
    "enabled_filters",
    "image_import_plugins",
    "volumes",
    "volumeMounts",
)


@pytest.mark.parametrize(
    "path",
    ["helm/nova.yaml", "helm/glance.yaml", "rhoso/control-plane.yaml"],
)
def test_no_list_is_named_where_it_would_replace_the_operators(path):
    text = (DEPLOY / path).read_text()
    assert not [name for name in LISTS if name in text]
    readme = (DEPLOY / path).with_name("README.rst").read_text()
    assert "``nova-vhard-status filters`` prints" in readme


@pytest.mark.parametrize(
    "path",
    [
        "helm/nova-mounts.yaml",
        "helm/glance-mounts.yaml",
        "helm/libvirt-mounts.yaml",
        "rhoso/glance-mounts.yaml",
    ],
)
def test_the_policy_is_mounted_as_a_folder(path):
    text = (DEPLOY / path).read_text()
    assert "mountPath: /etc/nova-vhard," in text
    assert "subPath:" not in text


def test_the_control_plane_sets_options_that_exist(tmp_path):
    api = NOVA["apiServiceTemplate"]
    paths = set()
    for part in (api, NOVA["schedulerServiceTemplate"], GLANCE):
        path = tmp_path / "part.conf"
        path.write_text(part["customServiceConfig"])
        conf = cfg.ConfigOpts()
        vhard.register(conf)
        conf([], project="test", default_config_files=[str(path)])
        paths.add(conf.vhard.state_path)
    assert paths == {"/var/lib/nova/vhard", "/var/lib/glance/vhard"}
    allowed = {"policy.yaml", "api-paste.ini", "nova_api_audit_map.conf"}
    assert set(api["defaultConfigOverwrite"]) <= allowed


def test_no_list_of_the_operators_is_replaced_in_rhoso(tmp_path):
    """The operator's own file is read first, customServiceConfig after it."""
    operators, custom = tmp_path / "01.conf", tmp_path / "02.conf"

    def read(own, ours=""):
        operators.write_text(
            f"[filter_scheduler]\nenabled_filters = {','.join(own)}\n"
        )
        custom.write_text(ours)
        return files.nova([str(operators), str(custom)])

    def enabled(*parts):
        return read(*parts).filter_scheduler.enabled_filters

    def with_printed(own):
        printed = gates.filters(SimpleNamespace(nova=read(own)))
        return f"{ours}{printed}\n"

    ours = NOVA["schedulerServiceTemplate"]["customServiceConfig"]
    own, more = ("A", "B"), ("A", "B", "C")
    assert enabled(own, ours) == [*own]
    by_hand = with_printed(own)
    # What the operators' next release adds does not come through.
    assert "C" not in enabled(more, by_hand)
    table.check(
        "RHOSO",
        "filters",
        enabled(own),
        enabled(own, by_hand),
        enabled(own, by_hand),
        enabled(more, with_printed(more)),
        enabled(more),
        cannot="a later list replaces: you write what is printed, after each "
        "change of the first list again",
    )


def test_the_volume_is_mounted_at_the_folder_of_the_paste_file():
    tree = yaml.safe_load((DEPLOY / "rhoso/glance-mounts.yaml").read_text())
    (ours,) = tree["spec"]["glance"]["template"]["extraMounts"]
    (volume,) = ours["extraVol"]
    (mount,) = volume["mounts"]
    assert [mount["name"]] == [each["name"] for each in volume["volumes"]]
    assert f"config_file = {mount['mountPath']}/" in CONTROL_PLANE
    table.check(
        "RHOSO",
        "volumes",
        ["A", "B"],
        ["A", "B", ours["name"]],
        ["A", "B", ours["name"]],
        ["A", "B", "C", ours["name"]],
        ["A", "B", "C"],
        cannot="a later list replaces: you write V into yours, and remove it",
    )


def test_ansible_reads_the_service_of_the_data_plane(tmp_path):
    text = (DEPLOY / "rhoso/data-plane-service.yaml").read_text()
    service = yaml.safe_load(text)
    (tmp_path / "play.yml").write_text(service["spec"]["playbookContents"])
    environment = {**os.environ, "ANSIBLE_HOME": str(tmp_path)}
    environment["ANSIBLE_LOCALHOST_WARNING"] = "False"
    command = ("ansible-playbook", "--syntax-check", tmp_path / "play.yml")
    assert "play.yml" in run(*command, env=environment)
    # Where the operator mounts what dataSources name.
    folder = f"/var/lib/openstack/configs/{service['metadata']['name']}/"
    assert folder in service["spec"]["playbookContents"]
