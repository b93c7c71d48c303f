# SPDX-License-Identifier: Apache-2.0
"""deploy/helm, rendered by Helm's library.

NOVA_VHARD_CHARTS names a checkout of openstack-helm. What the charts have
given is in deploy/helm/kept, and is what test_kept.py reads, and what Nova and
Glance load in test_way_back.py; NOVA_VHARD_GOLDEN=write writes it.
"""

import base64
import os
import re
import shutil
import subprocess

import pytest
import yaml

from tests import golden
from tests.deploy import table
from tests.deploy.places import DEPLOY, ROOT

CHARTS = os.environ.get("NOVA_VHARD_CHARTS")
HELM = DEPLOY / "helm"
HOOK = ROOT / "nova_vhard" / "guard" / "hook.py"
#: Chart to the files of its Secret that are kept.
FILES = {
    "nova": ("api-paste.ini", "nova.conf"),
    "glance": ("glance-api-paste.ini", "glance-api.conf"),
}
#: Groups that have options of ours.
KEPT = (
    "[filter_scheduler]",
    "[image_import_opts]",
    "[libvirt]",
    "[paste_deploy]",
    "[service_user]",
    "[vhard]",
)
pytestmark = pytest.mark.skipif(
    not CHARTS, reason="NOVA_VHARD_CHARTS names no checkout"
)


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    """Return a folder with the charts and what they depend on."""
    folder = tmp_path_factory.mktemp("charts")
    names = ("helm-toolkit", *FILES, "libvirt")
    command = ("git", "-C", CHARTS, "archive", "HEAD", *names)
    packed = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "x", "-C", folder], input=packed.stdout, check=True)
    for name in names[1:]:
        shutil.copytree(
            folder / "helm-toolkit", folder / name / "charts" / "helm-toolkit"
        )
    return folder


def merged(*trees):
    """Return values as Helm merges them: a list is replaced."""
    result = {}
    for name, value in (pair for tree in trees for pair in tree.items()):
        have = result.get(name)
        both = isinstance(value, dict) and isinstance(have, dict)
        result[name] = merged(have, value) if both else value
    return result


def ours(*names):
    """Return the content of files of values of ours."""
    return merged(*(yaml.safe_load((HELM / n).read_text()) for n in names))


def render(charts, name, *values):
    """Return the resources that a chart makes, by kind and name."""
    import helm_python

    with helm_python.Chart.load(charts / name) as chart:
        rendered = chart.render(
            values=merged(*values), name=name, namespace="openstack"
        )
    return {
        (each["kind"], each["metadata"]["name"]): each
        for text in rendered.values()
        for each in yaml.safe_load_all(text)
        if each
    }


def secret(resources, name):
    """Return the files of the Secret of a service."""
    data = resources["Secret", f"{name}-etc"]["data"]
    return {
        file: base64.b64decode(data[file]).decode() for file in FILES[name]
    }


def containers(resource):
    return resource["spec"]["template"]["spec"]["containers"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("folder", ["kept", "kept/without"])
def test_what_is_kept_is_what_the_chart_gives(charts, folder, name):
    version = yaml.safe_load((charts / name / "Chart.yaml").read_text())
    used = [f"{name}.yaml"] if folder == "kept" else []
    for file, text in secret(render(charts, name, ours(*used)), name).items():
        parts = re.split(r"(?m)^(?=\[)", text)
        if not file.endswith("paste.ini"):
            parts = [each for each in parts if each.startswith(KEPT)]
        lines = "".join(parts).rstrip("\n").splitlines()
        said = f"with {name}.yaml" if used else "without our values"
        head = (
            "# SPDX-License-Identifier: Apache-2.0",
            f"# Of the chart {name} ({version['version']}) {said}.",
        )
        golden.check(HELM / folder / file, [*head, *lines])


def test_the_hook_is_in_libvirts_container_byte_for_byte(charts):
    hook = {"conf": {"hooks": {"scripts": {"qemu": HOOK.read_text()}}}}
    values = ours("libvirt.yaml", "libvirt-mounts.yaml")
    resources = render(charts, "libvirt", values, hook)
    data = resources["ConfigMap", "libvirt-bin"]["data"]
    assert data["qemu"] == HOOK.read_text()
    (daemon,) = (
        each for (kind, _), each in resources.items() if kind == "DaemonSet"
    )
    (libvirt,) = (c for c in containers(daemon) if c["name"] == "libvirt")
    assert {each["mountPath"] for each in libvirt["volumeMounts"]} >= {
        "/etc/libvirt/hooks/qemu",
        "/etc/nova-vhard",
        "/run",
        "/var/lib/nova-vhard-guard",
    }


def test_no_list_of_the_operators_is_replaced(charts):
    """The operator adds our entries to lists in their own values."""

    def lists(*words, files=True, hand=()):
        filters, plugins = [*hand, *words], [*words, *hand]
        mounts = [{"name": e.lower(), "mountPath": f"/{e}"} for e in plugins]
        pod = {"nova_scheduler": {"volumeMounts": mounts}}
        nova = {"filter_scheduler": {"enabled_filters": ",".join(filters)}}
        imports = {"image_import_plugins": f"[{','.join(plugins)}]"}
        conf = {"nova": nova, "glance": {"image_import_opts": imports}}
        own = {"conf": conf, "pod": {"mounts": {"nova_scheduler": pod}}}
        nova, glance = (
            render(charts, name, own, ours(*[f"{name}.yaml"][:files]))
            for name in FILES
        )
        text = secret(nova, "nova")["nova.conf"]
        text += secret(glance, "glance")["glance-api.conf"]
        options = r"(?m)^(?:enabled_filters|image_import_plugins) = (.*)"
        (scheduler,) = containers(nova["Deployment", "nova-scheduler"])
        return [
            *(found.split(",") for found in re.findall(options, text)),
            [each["mountPath"] for each in scheduler["volumeMounts"]],
        ]

    before = lists("A", "B", files=False)
    assert lists("A", "B") == before
    by_hand = lists("A", "B", hand=("vhard",))
    seen = [
        before,
        by_hand,
        by_hand,
        lists("A", "B", "C", hand=("vhard",)),
        lists("A", "B", "C", files=False),
    ]
    names = ("filters", "plug-ins of imports", "volumes")
    cannot = "Helm replaces lists: add V to yours, and remove it yourself"
    for name, *row in zip(names, *seen, strict=True):
        table.check("OpenStack-Helm", name, *row, cannot=cannot)
