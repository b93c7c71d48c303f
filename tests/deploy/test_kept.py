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
PASTE_FILES = {"nova": "api-paste.ini", "glance": "glance-api-paste.ini"}


def options(path):
    """Return a configuration file's groups that we have to do with."""
    conf = cfg.ConfigOpts()
    vhard.register(conf)
    conf([], project="test", default_config_files=[str(path)])
    return conf


@pytest.mark.parametrize("name", ["nova", "glance"])
def test_every_pipeline_of_the_charts_has_the_gate(name):
    service = paste_file.SERVICES[name]
    text = (HELM / "kept" / PASTE_FILES[name]).read_text()
    assert paste_file.unguarded(text, service) == []
    # The values here are those that the kept output came from.
    values = yaml.safe_load((HELM / f"{name}.yaml").read_text())
    sections = paste_file.read(text)
    for section, wanted in values["conf"]["paste"].items():
        for option, value in wanted.items():
            assert sections[section][option] == value


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
    readme = (DEPLOY / path).parent / "README.rst"
    assert "``nova-vhard-status filters`` prints" in readme.read_text()


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
    tree = yaml.safe_load((DEPLOY / "rhoso/control-plane.yaml").read_text())
    nova = tree["spec"]["nova"]["template"]
    glance = tree["spec"]["glance"]["template"]
    parts = {
        "api": nova["apiServiceTemplate"],
        "scheduler": nova["schedulerServiceTemplate"],
        "glance": glance,
    }
    read = {}
    for name, part in parts.items():
        path = tmp_path / f"{name}.conf"
        path.write_text(part["customServiceConfig"])
        read[name] = options(path)
    assert {conf.vhard.state_path for conf in read.values()} == {
        "/var/lib/nova/vhard",
        "/var/lib/glance/vhard",
    }
    allowed = {"policy.yaml", "api-paste.ini", "nova_api_audit_map.conf"}
    assert set(parts["api"]["defaultConfigOverwrite"]) <= allowed


def test_no_list_of_the_operators_is_replaced_in_rhoso(tmp_path):
    """The operator's own file is read first, customServiceConfig after it."""
    operators, custom = tmp_path / "01.conf", tmp_path / "02.conf"
    head = "[filter_scheduler]\nenabled_filters = "

    def filters(own, ours=""):
        operators.write_text(f"{head}{','.join(own)}\n")
        custom.write_text(ours)
        return files.nova([str(operators), str(custom)])

    def enabled(*parts):
        return filters(*parts).filter_scheduler.enabled_filters

    def printed(*own):
        return gates.filters(SimpleNamespace(nova=filters(own)))

    tree = yaml.safe_load((DEPLOY / "rhoso/control-plane.yaml").read_text())
    part = tree["spec"]["nova"]["template"]["schedulerServiceTemplate"]
    ours = part["customServiceConfig"]
    own, more = ("A", "B"), ("A", "B", "C")
    assert enabled(own, ours) == [*own]
    by_hand = f"{ours}{printed(*own)}\n"
    # What the operators' next release adds does not come through.
    assert "C" not in enabled(more, by_hand)
    table.check(
        "RHOSO",
        "filters",
        enabled(own),
        enabled(own, by_hand),
        enabled(own, by_hand),
        enabled(more, f"{ours}{printed(*more)}\n"),
        enabled(more),
        cannot="a later list replaces: you write what is printed, after each "
        "change of the first list again",
    )


def test_no_volume_of_the_operators_is_replaced_in_rhoso():
    tree = yaml.safe_load((DEPLOY / "rhoso/glance-mounts.yaml").read_text())
    (ours,) = tree["spec"]["glance"]["template"]["extraMounts"]
    (volume,) = ours["extraVol"]
    (mount,) = volume["mounts"]
    assert [mount["name"]] == [each["name"] for each in volume["volumes"]]
    # Of the file that control-plane.yaml names.
    text = (DEPLOY / "rhoso/control-plane.yaml").read_text()
    assert f"config_file = {mount['mountPath']}/" in text
    own, more = [{"name": "A"}, {"name": "B"}], [{"name": "C"}]
    names = [
        [each["name"] for each in mounts]
        for mounts in (
            own,
            [*own, ours],
            [*own, ours],
            [*own, *more, ours],
            [*own, *more],
        )
    ]
    cannot = "a later list replaces: you write V into yours, and remove it"
    table.check("RHOSO", "volumes", *names, cannot=cannot)


def test_ansible_reads_the_service_of_the_data_plane(tmp_path):
    text = (DEPLOY / "rhoso/data-plane-service.yaml").read_text()
    service = yaml.safe_load(text)
    (tmp_path / "play.yml").write_text(service["spec"]["playbookContents"])
    environment = {**os.environ, "ANSIBLE_HOME": str(tmp_path)}
    environment["ANSIBLE_LOCALHOST_WARNING"] = "False"
    command = ("ansible-playbook", "--syntax-check", tmp_path / "play.yml")
    assert "play.yml" in run(*command, env=environment)
    # Where the operator mounts what dataSources name.
    name = service["metadata"]["name"]
    folder = f"/var/lib/openstack/configs/{name}/"
    assert folder in service["spec"]["playbookContents"]
