# SPDX-License-Identifier: Apache-2.0
"""deploy/helm and deploy/rhoso: what no machine here runs, as it is kept."""

import pytest
import yaml
from oslo_config import cfg

from nova_vhard.cmd import paste_file
from nova_vhard.conf import vhard
from tests.deploy.places import DEPLOY

HELM = DEPLOY / "helm"
OURS = "nova_vhard.gates.scheduler.VirtHardeningFilter"
PASTE_FILES = {"nova": "api-paste.ini", "glance": "glance-api-paste.ini"}


def options(path):
    """Return a configuration file's groups that we have to do with."""
    conf = cfg.ConfigOpts()
    vhard.register(conf)
    conf.register_opts(
        [
            cfg.MultiStrOpt("available_filters", default=[]),
            cfg.ListOpt("enabled_filters", default=[]),
        ],
        "filter_scheduler",
    )
    plugins = cfg.ListOpt("image_import_plugins", bounds=True, default=[])
    conf.register_opts([plugins], "image_import_opts")
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


def test_the_charts_give_nova_both_names_of_filters():
    conf = options(HELM / "kept" / "nova.conf").filter_scheduler
    assert conf.available_filters[-1] == OURS
    assert len(conf.available_filters) == 2
    assert conf.enabled_filters[0] == "VirtHardeningFilter"


def test_the_charts_give_glance_the_gate_of_imports():
    conf = options(HELM / "kept" / "glance-api.conf")
    assert conf.image_import_opts.image_import_plugins == ["vhard"]


@pytest.mark.parametrize("name", ["nova", "glance"])
def test_the_policy_is_mounted_as_a_folder(name):
    text = (HELM / f"{name}.yaml").read_text()
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
    assert read["scheduler"].filter_scheduler.available_filters == [
        "nova_vhard.gates.scheduler.all_filters"
    ]
    assert read["glance"].image_import_opts.image_import_plugins == ["vhard"]
    assert {conf.vhard.state_path for conf in read.values()} == {
        "/var/lib/nova/vhard",
        "/var/lib/glance/vhard",
    }
    allowed = {"policy.yaml", "api-paste.ini", "nova_api_audit_map.conf"}
    assert set(parts["api"]["defaultConfigOverwrite"]) <= allowed
