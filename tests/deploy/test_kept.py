# SPDX-License-Identifier: Apache-2.0
"""deploy/helm and deploy/rhoso: what no machine here runs, as it is kept."""

import pytest
import yaml
from oslo_config import cfg

from nova_vhard.cmd import paste_file
from nova_vhard.conf import vhard
from tests.deploy.places import DEPLOY

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


@pytest.mark.parametrize("name", ["nova", "glance"])
def test_the_policy_is_mounted_as_a_folder(name):
    text = (HELM / f"{name}-mounts.yaml").read_text()
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
