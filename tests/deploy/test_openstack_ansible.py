# SPDX-License-Identifier: Apache-2.0
"""deploy/openstack-ansible, merged by OpenStack-Ansible's own plugin."""

import os

import pytest
import yaml
from oslo_config import cfg

from nova_vhard.cmd import paste_file
from tests.deploy.places import DEPLOY, PASTE, PREFIX, output, run

FILE = DEPLOY / "openstack-ansible" / "user_nova_vhard.yml"
VARIABLES = yaml.safe_load(FILE.read_text())
PLUGINS = PREFIX / "share" / "ansible" / "plugins"
ALL = "nova_vhard.gates.scheduler.all_filters"
BLAZAR = "blazarnova.scheduler.filters.blazar_filter.BlazarFilter"


def merged(folder, source, overrides):
    """Return a file as config_template leaves it, and whether it changed."""
    target = folder / "merged.ini"
    task = {
        "config_template": {
            "src": str(source),
            "dest": str(target),
            "config_type": "ini",
            "config_overrides": overrides,
            "mode": "0600",
        }
    }
    book = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {
                "ansible_python_interpreter": str(PREFIX / "bin" / "python")
            },
            "tasks": [task],
        }
    ]
    (folder / "play.yml").write_text(yaml.safe_dump(book, sort_keys=False))
    run(
        "ansible-playbook",
        "--inventory",
        "localhost,",
        "play.yml",
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_ACTION_PLUGINS": str(PLUGINS / "action"),
            "ANSIBLE_LIBRARY": str(PLUGINS / "modules"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_HOME": str(folder / "home"),
        },
    )
    return target.read_text()


@pytest.mark.parametrize(
    ("service", "variable"),
    [
        ("nova", "nova_api_paste_ini_overrides"),
        ("glance", "glance_glance_api_paste_ini_overrides"),
    ],
)
def test_the_paste_file_is_as_nova_vhard_paste_makes_it(
    tmp_path, service, variable
):
    shipped = PASTE[service]
    text = merged(tmp_path, shipped, VARIABLES[variable])
    ours = paste_file.add(shipped.read_text(), paste_file.SERVICES[service])
    # Words, because the plugin writes options in its own way.
    assert words(text) == words(ours)
    assert not paste_file.unguarded(text, paste_file.SERVICES[service])


def words(text):
    return {
        section: {name: value.split() for name, value in options.items()}
        for section, options in paste_file.read(text).items()
    }


def scheduler(folder, filters):
    source = folder / "nova.conf.j2"
    source.write_text("[filter_scheduler]\nenabled_filters = ComputeFilter\n")
    overrides = dict(VARIABLES["nova_nova_conf_overrides"])
    overrides["filter_scheduler"] = {
        **overrides["filter_scheduler"],
        "available_filters": filters,
    }
    path = folder / "nova.conf"
    path.write_text(merged(folder, source, overrides))
    conf = cfg.ConfigOpts()
    conf.register_opts(
        [
            cfg.MultiStrOpt("available_filters"),
            cfg.ListOpt("enabled_filters"),
        ],
        "filter_scheduler",
    )
    conf([], project="nova", default_config_files=[str(path)])
    return conf.filter_scheduler


def test_one_value_names_every_filter(tmp_path):
    overrides = VARIABLES["nova_nova_conf_overrides"]["filter_scheduler"]
    group = scheduler(tmp_path, overrides["available_filters"])
    assert group.available_filters == [ALL]
    assert group.enabled_filters[:2] == [
        "VirtHardeningFilter",
        "ComputeFilter",
    ]


def test_a_mapping_without_values_gives_a_line_for_each(tmp_path):
    group = scheduler(tmp_path, {ALL: None, BLAZAR: None})
    # Their order means nothing to Nova, and the plugin has one of its own.
    assert sorted(group.available_filters) == sorted([ALL, BLAZAR])


def test_a_list_would_become_one_name(tmp_path):
    """Why the file says a single value."""
    group = scheduler(tmp_path, [ALL, BLAZAR])
    assert group.available_filters == [f"{ALL},{BLAZAR}"]


def test_the_policy_comes_into_the_containers_and_is_disabled(tmp_path):
    """The commands of the page, in the shell, on hosts that are this one."""
    readme = (DEPLOY / "openstack-ansible" / "README.rst").read_text()
    joined = readme.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines()]
    commands = [line[2:] for line in lines if line.startswith("# ")]
    commands = [line for line in commands if "vhard" in line]
    assert len(commands) == 4
    place = tmp_path / "etc"
    (tmp_path / "policy.yaml").write_text('version: "1"\n')
    groups = commands[0].partition("=")[2].split(":")
    (tmp_path / "inventory").write_text(
        "\n".join(
            f"[{group}]\nlocalhost ansible_connection=local "
            f"ansible_python_interpreter={PREFIX}/bin/python"
            for group in groups
        )
        + "\n"
    )
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
