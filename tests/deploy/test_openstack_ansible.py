# SPDX-License-Identifier: Apache-2.0
"""deploy/openstack-ansible, merged by OpenStack-Ansible's own plugin."""

import os
import re
import shutil

import pytest

from nova_vhard.common import paste_file
from nova_vhard.status import files
from tests.deploy import table
from tests.deploy.places import (
    DEPLOY,
    PASTE,
    PREFIX,
    output,
    playbook,
)
from tests.unit.cli import nodes

FILE = DEPLOY / "openstack-ansible" / "user_nova_vhard.yml"
PLUGINS = PREFIX / "share" / "ansible" / "plugins"
ALL = "nova_vhard.gates.scheduler.all_filters"
BLAZAR = "blazarnova.scheduler.filters.blazar_filter.BlazarFilter"
BLAZARS = f"""\
available_filters = nova.scheduler.filters.all_filters
available_filters = {BLAZAR}
"""
PASTE_VARIABLES = {
    "nova": "nova_api_paste_ini_overrides",
    "glance": "glance_glance_api_paste_ini_overrides",
}


class Cloud:
    """A deployment host: the operator's files, and tasks as the roles have."""

    def __init__(self, folder):
        self.folder = folder
        self.etc = folder / "openstack_deploy"
        self.etc.mkdir()
        self.install()

    def install(self):
        shutil.copy(FILE, self.etc)

    def remove(self):
        (self.etc / FILE.name).unlink()

    def own(self, *words):
        """Set lists of the operator."""
        self.words = words

    def lists(self):
        """Return the filters and plug-ins that Nova and Glance read."""
        filters = table.scheduler(self.folder, self.nova(self.words))[1]
        return filters, self.imports(f"[{','.join(self.words)}]")

    def play(self, task, **role):
        """Run a task; return what was printed.

        :param role: variables of the role itself
        """
        part = {
            "vars": {
                "ansible_python_interpreter": str(PREFIX / "bin" / "python"),
                # The defaults of the roles.
                "nova_nova_conf_overrides": {},
                "nova_api_paste_ini_overrides": {},
                "glance_glance_api_paste_ini_overrides": {},
                "glance_glance_api_conf_overrides": {},
                "nova_blazar_enabled": False,
                **role,
            },
            "tasks": [task],
        }
        # As the wrapper openstack-ansible hands them over.
        files = sorted(self.etc.glob("user_*.yml"))
        return playbook(
            self.folder,
            part,
            [f"@{file}" for file in files],
            OSA_CONFIG_DIR=str(self.etc),
            ANSIBLE_ACTION_PLUGINS=str(PLUGINS / "action"),
            ANSIBLE_LIBRARY=str(PLUGINS / "modules"),
        )

    def merged(self, text, variable, **role):
        """Return a file as config_template leaves it."""
        source, target = self.folder / "source.ini", self.folder / "new.ini"
        source.write_text(text)
        task = {
            "config_template": {
                "src": str(source),
                "dest": str(target),
                "config_type": "ini",
                "config_overrides": "{{ " + variable + " }}",
                "mode": "0600",
            }
        }
        self.play(task, **role)
        return target.read_text()

    def nova(self, filters, blazar=False):
        """Return nova.conf as the role renders it from its template."""
        text = "[filter_scheduler]\n" + (BLAZARS if blazar else "")
        return self.merged(
            f"{text}enabled_filters = {','.join(filters)}\n",
            "nova_nova_conf_overrides",
            _nova_scheduler_filters=filters,
            nova_blazar_enabled=blazar,
        )

    def imports(self, value):
        """Return the plug-ins that Glance reads of the role's two files."""
        names = ("glance-image-import.conf", "glance-api.conf")
        paths = [self.folder / name for name in names]
        text = f"[image_import_opts]\nimage_import_plugins = {value}\n"
        paths[0].write_text(text)
        variable = "glance_glance_api_conf_overrides"
        role = {"glance_glance_image_import_conf_location": str(paths[0])}
        paths[1].write_text(self.merged("[DEFAULT]\n", variable, **role))
        conf = files.glance([str(path) for path in paths])
        return list(conf.image_import_opts.image_import_plugins)


@pytest.fixture
def cloud(tmp_path):
    return Cloud(tmp_path)


@pytest.mark.parametrize("service", ["nova", "glance"])
def test_the_paste_file_is_as_nova_vhard_paste_makes_it_and_goes_back(
    cloud, service
):
    shipped, variable = nodes.shipped(service), PASTE_VARIABLES[service]
    text = cloud.merged(shipped, variable)
    assert paste_file.read(text) == paste_file.read(nodes.gated(service))
    assert cloud.merged(text, variable) == text
    # The role merges into the file that it has merged: taking the variable
    # away is not enough.
    cloud.remove()
    assert "vhard" in cloud.merged(text, variable)
    removed = paste_file.remove(text, paste_file.SERVICES[service])
    after = cloud.merged(removed, variable)
    assert paste_file.read(after) == paste_file.read(shipped)


TENANTS = ["AggregateMultiTenancyIsolation", "ComputeFilter"]


@pytest.mark.parametrize("blazar", [False, True])
def test_no_filter_of_the_operators_is_dropped(cloud, tmp_path, blazar):
    own = [*TENANTS, *["BlazarFilter"] * blazar]
    cloud.remove()
    before = cloud.nova(own, blazar)
    cloud.install()
    text = cloud.nova(own, blazar)
    available, enabled = table.scheduler(tmp_path, text)
    assert sorted(available) == sorted([ALL, *[BLAZAR] * blazar])
    assert enabled == ["VirtHardeningFilter", *own]
    assert cloud.nova(own, blazar) == text
    cloud.remove()
    assert cloud.nova(own, blazar) == before


def test_a_list_of_plugins_over_several_lines(cloud):
    assert cloud.imports("['A',\n    B,\n  ]") == ["A", "B", "vhard"]


def test_the_operator_changes_a_list_after_the_installation(cloud):
    cannot = "the role stops if you set the same overrides variable"
    table.follow("OpenStack-Ansible", cloud, filters=cannot, plugins=cannot)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("user_variables.yml", "nova_nova_conf_overrides"),
        ("user_a.yml", "glance_user_pip_packages"),
        ("group_vars/nova_all.yml", "nova_api_paste_ini_overrides"),
    ],
)
def test_a_variable_of_the_operators_stops_it(cloud, name, variable):
    """Before anything is installed: the packages are what is read first."""
    path = cloud.etc / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"---\n{variable}: {{}}\n")
    task = {"debug": {"msg": "{{ nova_user_pip_packages }}"}}
    with pytest.raises(AssertionError, match=f"{name}:{variable}: Write"):
        cloud.play(task)
    path.write_text(f"---\n# {variable}: {{}}\nnova_x: 1\n")
    assert "nova-vhard[client]" in cloud.play(task)


def test_the_policy_comes_into_the_containers_and_is_disabled(tmp_path):
    """The commands of the page, in the shell, on hosts that are this one."""
    readme = (DEPLOY / "openstack-ansible" / "README.rst").read_text()
    joined = readme.replace("\\\n", " ")
    commands = re.findall(r"(?m)^ *# ((?:vhard=|ansible \$vhard ).*)", joined)
    assert len(commands) == 4
    place = tmp_path / "etc"
    (tmp_path / "policy.yaml").write_text('version: "1"\n')
    host = (
        "localhost ansible_connection=local "
        f"ansible_python_interpreter={PREFIX}/bin/python"
    )
    groups = commands[0].partition("=")[2].split(":")
    inventory = "".join(f"[{group}]\n{host}\n" for group in groups)
    (tmp_path / "inventory").write_text(inventory)
    # Whoever runs the tests becomes nobody else.
    script = "\n".join(commands).replace(" -b ", " ")
    output(
        "sh",
        "-ec",
        script.replace("/etc/nova-vhard", str(place)),
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{PREFIX / 'bin'}:{os.environ['PATH']}",
            "ANSIBLE_INVENTORY": str(tmp_path / "inventory"),
            "ANSIBLE_HOME": str(tmp_path / "home"),
        },
    )
    assert (place / "policy.yaml").read_text() == 'version: "1"\n'
    assert (place / "policy.yaml.disabled").exists()


@pytest.mark.parametrize("service", ["nova", "glance"])
def test_the_gates_are_taken_out_by_the_commands_of_the_page(
    tmp_path, service
):
    """In the shell of a container, whose environment is named by its tag."""
    readme = (DEPLOY / "openstack-ansible" / "README.rst").read_text()
    (shown,) = re.findall(
        rf"'(for each in \S+-paste; do\s+\$each remove {service} \S+; done)'",
        readme,
    )
    paste = tmp_path / PASTE[service].name
    paste.write_text(nodes.gated(service))
    # An upgrade leaves the environment of the old version.
    for tag in ("31.0.0", "32.0.1"):
        programs = tmp_path / f"{service}-{tag}" / "bin"
        programs.mkdir(parents=True)
        (programs / "nova-vhard-paste").symlink_to(
            PREFIX / "bin" / "nova-vhard-paste"
        )
    command = shown.replace("/openstack/venvs", str(tmp_path))
    output("sh", "-ec", command.replace(f"/etc/{service}", str(tmp_path)))
    assert paste.read_text() == nodes.shipped(service)
