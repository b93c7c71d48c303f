# SPDX-License-Identifier: Apache-2.0
"""deploy/ansible by ansible-core, on copies of the services' folders."""

import importlib.util
import json
import os
import re
import shutil

import pytest
import yaml

from nova_vhard.cmd.status_checks import files
from tests.deploy.places import DEPLOY, PASTE, PREFIX, ROOT, run

COLLECTION = DEPLOY / "ansible"


class Hosts:
    """A host's folders, and a playbook of one role that is run on them."""

    def __init__(self, folder):
        self.folder = folder
        self.etc = folder / "etc"
        for name, path in PASTE.items():
            (self.etc / name).mkdir(parents=True)
            shutil.copy(path, self.etc / name)
        (self.etc / "nova" / "nova.conf").write_text("[api]\n")
        (self.etc / "glance" / "glance-api.conf").write_text(
            "[paste_deploy]\nflavor = keystone\n"
        )
        (self.etc / "systemd").mkdir()
        # What the package brings into an environment.
        units = folder / "opt" / "etc"
        shutil.copytree(ROOT / "etc" / "nova-vhard", units / "nova-vhard")
        target = folder / "collections/ansible_collections/nova_vhard"
        target.mkdir(parents=True)
        (target / "hardening").symlink_to(COLLECTION)

    def play(self, role, check=True, **variables):
        """Run a role; return how many tasks changed something."""
        defaults = {
            "vhard_policy_folder": str(self.etc / "nova-vhard"),
            "vhard_nova_folder": str(self.etc / "nova"),
            "vhard_glance_folder": str(self.etc / "glance"),
            "vhard_package": "",
            "vhard_programs": str(PREFIX / "bin"),
            "vhard_units": [],
            "vhard_folder": str(self.etc / "nova-vhard"),
            "vhard_units_folder": str(self.etc / "systemd"),
            "vhard_environment": str(self.folder / "opt"),
            "vhard_node_package": "",
            "vhard_systemd": False,
            "vhard_policy_owner": str(os.getuid()),
            "ansible_python_interpreter": str(PREFIX / "bin" / "python"),
        }
        book = [
            {
                "hosts": "localhost",
                "connection": "local",
                "gather_facts": False,
                "roles": [f"nova_vhard.hardening.{role}"],
            }
        ]
        (self.folder / "play.yml").write_text(yaml.safe_dump(book))
        output = run(
            "ansible-playbook",
            "--inventory",
            "localhost,",
            "--extra-vars",
            json.dumps({**defaults, **variables}),
            "play.yml",
            cwd=self.folder,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
                "ANSIBLE_LOCALHOST_WARNING": "False",
                "ANSIBLE_HOME": str(self.folder / "home"),
                "ANSIBLE_NOCOLOR": "1",
            },
        )
        return int(re.search(r"changed=(\d+)", output)[1])

    def content(self):
        """Return every file's bytes and every folder, by path."""
        return {
            str(path.relative_to(self.etc)): (
                path.read_bytes() if path.is_file() else None
            )
            for path in sorted(self.etc.rglob("*"))
        }


@pytest.fixture
def hosts(tmp_path):
    return Hosts(tmp_path)


def status(hosts):
    """Return what nova-vhard-status says of each check."""
    from oslo_config import cfg

    from nova_vhard.cmd import status as command
    from nova_vhard.cmd.status_checks.node import Node
    from nova_vhard.conf import status as status_conf

    conf = cfg.ConfigOpts()
    status_conf.register(conf)
    conf(
        [
            f"--nova-config-file={hosts.etc}/nova/nova.conf",
            f"--glance-config-file={hosts.etc}/glance/glance-api.conf",
        ],
        project="test",
        default_config_files=[],
    )
    node = Node(conf)
    names = (
        "Scheduler filter",
        "Nova API gate",
        "Glance API gate",
        "Glance import gate",
        "Policy",
    )
    return {
        name: command._run(command.CHECKS[name], node, None) for name in names
    }


def test_audit_enforce_and_back(hosts):
    before = hosts.content()

    assert hosts.play("gates") > 0
    policy = hosts.etc / "nova-vhard" / "policy.yaml"
    assert yaml.safe_load(policy.read_text())["mode"] == "audit"
    for name, result in status(hosts).items():
        assert result.code.value == 0, (name, result.details)

    in_audit = hosts.content()
    assert hosts.play("gates", vhard_mode="enforce") == 1
    changed = {
        path
        for path, content in hosts.content().items()
        if content != in_audit.get(path)
    }
    assert changed == {"nova-vhard/policy.yaml"}
    assert yaml.safe_load(policy.read_text())["mode"] == "enforce"
    assert hosts.play("gates", vhard_mode="enforce") == 0

    assert hosts.play("gates", vhard_state="absent") > 0
    assert hosts.content() == before
    assert hosts.play("gates", vhard_state="absent") == 0


def lists(hosts):
    """Return the lists that nova-scheduler and glance-api read."""
    nova = files.nova([str(hosts.etc / "nova/nova.conf")])
    paths = [
        str(hosts.etc / "glance" / name)
        for name in ("glance-image-import.conf", "glance-api.conf")
    ]
    imports = files.glance(paths).image_import_opts
    group = nova.filter_scheduler
    return group.enabled_filters, list(imports.image_import_plugins)


def test_no_list_of_the_operators_is_replaced(hosts):
    own = ["AggregateMultiTenancyIsolation", "ComputeFilter"]
    text = f"[filter_scheduler]\nenabled_filters = {','.join(own)}\n"
    text += "available_filters = x.All\n"
    path = hosts.etc / "nova" / "nova.conf"
    path.write_text(text)
    imports = hosts.etc / "glance" / "glance-image-import.conf"
    imports.write_text("[image_import_opts]\nimage_import_plugins = [a]\n")
    before = hosts.content()
    hosts.play("gates")
    assert lists(hosts) == (["VirtHardeningFilter", *own], ["a", "vhard"])
    nova = files.nova([str(path)])
    assert nova.filter_scheduler.available_filters == [
        "x.All",
        "nova_vhard.gates.scheduler.all_filters",
    ]
    assert hosts.play("gates") == 0
    path.write_text(path.read_text().replace("x.All", "y.All"))
    assert hosts.play("gates") == 0
    path.write_text(path.read_text().replace("y.All", "x.All"))
    hosts.play("gates", vhard_state="absent")
    assert hosts.content() == before


FILTERS = ("filter_scheduler", "enabled_filters", "Ours", True, "A,B")
PLUGINS = ("image_import_opts", "image_import_plugins", "ours", False, "[]")
HEAD = "[filter_scheduler]\n"


@pytest.mark.parametrize(
    ("made", "text", "value"),
    [
        (FILTERS, f"{HEAD}enabled_filters = A, C\n[x]\n", "Ours,A, C"),
        (FILTERS, f"{HEAD}enabled_filters=C,\n    D\n", "Ours,C,\n    D"),
        (FILTERS, f"{HEAD}enabled_filters : OursToo\n", "Ours,OursToo"),
        (FILTERS, f"{HEAD}enabled_filters =\nx = 1\n", "Ours"),
        # The option of another section, a comment, and none at all.
        (FILTERS, f"[x]\nenabled_filters = C\n\n{HEAD}x = 1\n", "Ours,A,B"),
        (FILTERS, f"[x]\n#{HEAD}# enabled_filters = C\n", "Ours,A,B"),
        (FILTERS, "", "Ours,A,B"),
        (PLUGINS, "[image_import_opts]\n", "[ours]"),
        (
            PLUGINS,
            "[image_import_opts]\nimage_import_plugins = ['a', b]\n",
            "['a', b,ours]",
        ),
        (
            PLUGINS,
            "[image_import_opts]\nimage_import_plugins = []\n",
            "[ours]",
        ),
    ],
)
def test_a_word_in_a_list_and_back(made, text, value):
    option = module().ListOption(*made)
    after = option.add(text) if option.said(text) else option.write(text)
    _, _, rest = after.partition(f"[{made[0]}]\n")
    assert option.said(after)
    assert re.search(rf"^{made[1]} ?[=:] ?{re.escape(value)}$", rest, re.M)
    assert option.add(after) == after
    assert option.remove(after) == text
    # What the operator puts in afterwards stays.
    changed = after.replace(value, value.replace(made[2], f"{made[2]},E", 1))
    assert option.add(changed) == changed
    assert re.search(r"[ =\[,]E\b", option.remove(changed))
    assert made[2] not in option.remove(changed).replace("OursToo", "")
    assert "nova-vhard" not in option.remove(changed)


def module():
    """Return the collection's module, as Python's own."""
    path = COLLECTION / "plugins" / "modules" / "list_option.py"
    spec = importlib.util.spec_from_file_location("list_option", path)
    result = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(result)
    return result


def test_novas_own_list_is_the_default():
    text = (COLLECTION / "roles/gates/tasks/main.yml").read_text()
    assert f"default: {','.join(files.STOCK_FILTERS)}\n" in text


def test_a_folder_that_is_not_there_changes_nothing(hosts):
    before = hosts.content()
    with pytest.raises(AssertionError, match="There is no"):
        hosts.play("gates", vhard_nova_folder=str(hosts.etc / "none"))
    assert hosts.content() == before


@pytest.mark.parametrize("role", ["reporter", "cleaner"])
def test_the_parts_of_a_compute_node(hosts, role):
    before = hosts.content()
    assert hosts.play(role) > 0
    conf = hosts.etc / "nova-vhard" / f"{role}.conf"
    assert conf.stat().st_mode & 0o777 == 0o600
    assert f"username = vhard-{role}" in conf.read_text()
    assert (hosts.etc / "systemd" / f"nova-vhard-{role}.service").exists()
    assert hosts.play(role) == 0
    own = hosts.folder / "own.conf"
    own.write_text("[placement]\nauth_section = vhard_host\n")
    assert hosts.play(role, vhard_credential=str(own)) > 0
    copy = hosts.etc / "nova-vhard" / f"{role}-placement.conf"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.read_text() == own.read_text()
    assert hosts.play(role, vhard_state="absent") > 0
    assert hosts.content() == before
