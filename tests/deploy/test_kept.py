# SPDX-License-Identifier: Apache-2.0
"""deploy/helm as it is kept."""

import pytest
import yaml

from nova_vhard.common import paste_file
from tests.deploy.places import DEPLOY

HELM = DEPLOY / "helm"
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
    ["helm/nova.yaml", "helm/glance.yaml"],
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
    ],
)
def test_the_policy_is_mounted_as_a_folder(path):
    text = (DEPLOY / path).read_text()
    assert "mountPath: /etc/nova-vhard," in text
    assert "subPath:" not in text
