# SPDX-License-Identifier: Apache-2.0
"""deploy/helm, rendered by Helm's library and loaded by Nova and Glance.

NOVA_VHARD_CHARTS names a checkout of openstack-helm. What the charts have
given is in deploy/helm/kept, and is what test_kept.py reads where there is
none; NOVA_VHARD_GOLDEN=write writes it.
"""

import base64
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from tests import golden
from tests.deploy import table
from tests.deploy.places import DEPLOY, ROOT, output

CHARTS = os.environ.get("NOVA_VHARD_CHARTS")
HELM = DEPLOY / "helm"
HOOK = ROOT / "nova_vhard" / "node" / "guard" / "hook.py"
#: Chart to the files of its Secret that are kept.
FILES = {
    "nova": ("api-paste.ini", "nova.conf"),
    "glance": ("glance-api-paste.ini", "glance-api.conf"),
}
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
    for tree in trees:
        for name, value in tree.items():
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


LOAD_NOVA = """
import sys
from nova import config
config.parse_args(["nova"], default_config_files=[sys.argv[1]])
from paste import deploy
deploy.loadapp(f"config:{sys.argv[2]}", name="osapi_compute")
from nova.api.openstack.compute import APIRouterV21 as Application
from nova_vhard.gates.nova_api import NovaGate as Gate
"""
LOAD_GLANCE = """
import sys
from glance.common import config, wsgi_app
config.set_config_defaults()
config.CONF([f"--config-file={sys.argv[1]}"], project="glance")
config.load_paste_app("glance-api", conf_file=sys.argv[2])
from paste.urlmap import URLMap as Application
from nova_vhard.gates.glance_api import GlanceGate as Gate
"""
FIND = """
import gc
gates = [each for each in gc.get_objects() if isinstance(each, Gate)]
assert gates
assert all(isinstance(each._application, Application) for each in gates)
"""


@pytest.mark.parametrize("name", FILES)
def test_the_service_loads_the_gate_before_its_application(
    charts, tmp_path, name
):
    files = secret(render(charts, name, ours(f"{name}.yaml")), name)
    paths = []
    for file, text in files.items():
        # The map of the audit is a file of the container.
        path = tmp_path / file
        path.write_text(text.replace(f"/etc/{name}/", f"{tmp_path}/"))
        paths.insert(0, path)
    (tmp_path / "api_audit_map.conf").write_text("[DEFAULT]\n")
    load = LOAD_NOVA if name == "nova" else LOAD_GLANCE
    output(sys.executable, "-W", "ignore", "-c", load + FIND, *paths)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("folder", ["kept", "kept/without"])
def test_what_is_kept_is_what_the_chart_gives(charts, folder, name):
    version = yaml.safe_load((charts / name / "Chart.yaml").read_text())
    used = [f"{name}.yaml"] if folder == "kept" else []
    for file, text in secret(render(charts, name, ours(*used)), name).items():
        lines = text.rstrip("\n").splitlines()
        if not file.endswith("paste.ini"):
            lines = groups(lines)
        said = f"with {name}.yaml" if used else "without our values"
        head = (
            "# SPDX-License-Identifier: Apache-2.0",
            f"# Of the chart {name} ({version['version']}) {said}.",
        )
        golden.check(HELM / folder / file, [*head, *lines])


def groups(lines):
    """Return the groups that have to do with us."""
    found, wanted = [], False
    for line in lines:
        if line.startswith("["):
            wanted = line in KEPT
        if wanted:
            found.append(line)
    return found


KEPT = (
    "[filter_scheduler]",
    "[image_import_opts]",
    "[libvirt]",
    "[paste_deploy]",
    "[service_user]",
    "[vhard]",
)


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
    mounts = {each["mountPath"] for each in libvirt["volumeMounts"]}
    assert mounts >= {
        "/etc/libvirt/hooks/qemu",
        "/etc/nova-vhard",
        "/run",
        "/var/lib/nova-vhard-guard",
    }


def test_no_list_of_the_operators_is_replaced(charts):
    """The operator adds our entries to lists in their own values."""

    def lists(words, files=(), hand=()):
        nova = {"enabled_filters": ",".join([*hand, *words])}
        plugins = ",".join([*words, *hand])
        own = {
            "conf": {
                "nova": {"filter_scheduler": nova},
                "glance": {
                    "image_import_opts": {
                        "image_import_plugins": f"[{plugins}]"
                    }
                },
            },
            "pod": {"mounts": {"nova_scheduler": {"nova_scheduler": {}}}},
        }
        mounts = [
            {"name": each.lower(), "mountPath": f"/{each}"}
            for each in [*words, *hand]
        ]
        own["pod"]["mounts"]["nova_scheduler"]["nova_scheduler"] = {
            "volumeMounts": mounts
        }
        values = {
            name: merged(own, ours(f"{name}.yaml") if files else {})
            for name in FILES
        }
        nova = render(charts, "nova", values["nova"])
        texts = secret(nova, "nova")["nova.conf"].splitlines()
        texts += secret(render(charts, "glance", values["glance"]), "glance")[
            "glance-api.conf"
        ].splitlines()
        found = [
            line.partition(" = ")[2].split(",")
            for line in texts
            if line.startswith(("enabled_filters", "image_import_plugins"))
        ]
        deployment = nova["Deployment", "nova-scheduler"]
        (pod,) = containers(deployment)
        return [*found, [each["mountPath"] for each in pod["volumeMounts"]]]

    own = ("A", "B")
    before = lists(own)
    assert lists(own, files=True) == before
    by_hand = {"files": True, "hand": ("vhard",)}
    more = (*own, "C")
    seen = [before, lists(own, **by_hand), lists(own, **by_hand)]
    seen += [lists(more, **by_hand), lists(more)]
    names = ("filters", "plug-ins of imports", "volumes")
    cannot = "Helm replaces a list: you write V into yours, and remove it"
    for name, *row in zip(names, *seen, strict=True):
        table.check("OpenStack-Helm", name, *row, cannot=cannot)
