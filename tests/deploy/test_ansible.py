# SPDX-License-Identifier: Apache-2.0
"""deploy/ansible by ansible-core, on copies of the services' folders."""

import importlib.util
import json
import os
import re
import shutil

import pytest
import yaml

from nova_vhard.status import files
from tests.deploy import table
from tests.deploy.places import DEPLOY, PASTE, PREFIX, ROOT, playbook

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
        (folder / "opt" / "bin").symlink_to(PREFIX / "bin")
        target = folder / "collections/ansible_collections/nova_vhard"
        target.mkdir(parents=True)
        (target / "hardening").symlink_to(COLLECTION)

    def play(self, part, **variables):
        """Run the role for a part; return how many tasks changed something."""
        defaults = {
            "vhard_part": part,
            "vhard_nova_folder": str(self.etc / "nova"),
            "vhard_glance_folder": str(self.etc / "glance"),
            "vhard_package": "",
            "vhard_programs": str(PREFIX / "bin"),
            "vhard_units": [],
            "vhard_folder": str(self.etc / "nova-vhard"),
            "vhard_units_folder": str(self.etc / "systemd"),
            "vhard_environment": str(self.folder / "opt"),
            "vhard_systemd": False,
            "vhard_policy_owner": str(os.getuid()),
            "ansible_python_interpreter": str(PREFIX / "bin" / "python"),
        }
        output = playbook(
            self.folder,
            {"roles": ["nova_vhard.hardening.vhard"]},
            [json.dumps({**defaults, **variables})],
            ANSIBLE_COLLECTIONS_PATH=str(self.folder / "collections"),
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
    from nova_vhard.conf import status as status_conf
    from nova_vhard.status.node import Node

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
    codes = {name: each.code.value for name, each in status(hosts).items()}
    # A policy in audit is a warning.
    assert {name for name, code in codes.items() if code} == {"Policy"}
    assert codes["Policy"] == 1

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
    path = hosts.etc / "nova" / "nova.conf"
    path.write_text(
        "[filter_scheduler]\nenabled_filters = A,B\navailable_filters = x.A\n"
    )
    imports = hosts.etc / "glance" / "glance-image-import.conf"
    imports.write_text("[image_import_opts]\nimage_import_plugins = [A,B]\n")
    before = hosts.content()
    seen = [lists(hosts)]
    hosts.play("gates")
    seen.append(lists(hosts))
    nova = files.nova([str(path)])
    assert nova.filter_scheduler.available_filters == [
        "x.A",
        "nova_vhard.gates.scheduler.all_filters",
    ]
    assert hosts.play("gates") == 0
    seen.append(lists(hosts))
    for each in (path, imports):
        each.write_text(each.read_text().replace("A,B", "A,B,C"))
    assert hosts.play("gates") == 0
    seen.append(lists(hosts))
    hosts.play("gates", vhard_state="absent")
    seen.append(lists(hosts))
    for each in (path, imports):
        each.write_text(each.read_text().replace("A,B,C", "A,B"))
    assert hosts.content() == before
    filters, plugins = zip(*seen, strict=True)
    table.check("Ansible", "filters", *filters)
    table.check("Ansible", "plug-ins of imports", *plugins)


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
        (FILTERS, f'{HEAD}enabled_filters = "A,C"\n', '"Ours,A,C"'),
        (FILTERS, f"{HEAD.upper()}enabled_filters = A,C\n", "Ours,A,C"),
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
    rest = re.split(rf"(?im)^\[{made[0]}\]\n", after)[-1]
    assert option.said(after)
    assert re.search(rf"^{made[1]} ?[=:] ?{re.escape(value)}$", rest, re.M)
    assert option.add(after) == after
    assert option.remove(after) == text
    # What the operator puts in afterwards stays.
    changed = after.replace(value, value.replace(made[2], f"{made[2]},E", 1))
    assert option.add(changed) == changed
    assert re.search(r"[ =\[,\"]E\b", option.remove(changed))
    assert made[2] not in option.remove(changed).replace("OursToo", "")
    assert "nova-vhard" not in option.remove(changed)


def module():
    """Return the collection's module, as Python's own."""
    path = COLLECTION / "plugins" / "modules" / "list_option.py"
    spec = importlib.util.spec_from_file_location("list_option", path)
    result = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(result)
    return result


def test_each_variable_is_described():
    def content(name):
        path = COLLECTION / "roles" / "vhard" / name / "main.yml"
        return yaml.safe_load(path.read_text())

    path = COLLECTION / "roles" / "vhard" / "meta" / "argument_specs.yml"
    specs = yaml.safe_load(path.read_text())["argument_specs"]
    options = specs["main"]["options"]
    assert set(options) == {"vhard_part", *content("defaults")}
    parts = content("vars")["vhard_parts"]
    assert options["vhard_part"]["choices"] == list(parts)


def test_novas_own_list_is_the_default():
    text = (COLLECTION / "roles/vhard/vars/main.yml").read_text()
    assert f"default: {','.join(files.STOCK_FILTERS)}\n" in text


def test_a_folder_that_is_not_there_changes_nothing(hosts):
    before = hosts.content()
    with pytest.raises(AssertionError, match="There is no"):
        hosts.play("gates", vhard_nova_folder=str(hosts.etc / "none"))
    assert hosts.content() == before


GUARDS_FOLDERS = ("hooks_dir", "state_path", "run_dir")
#: Part to its file, its units, and a file of its own.
DAEMONS = {
    "reporter": ("reporter.conf", 1, "reporter-placement.conf"),
    "sweep": ("reporter.conf", 2, None),
    "cleaner": ("cleaner.conf", 1, "cleaning.yaml"),
    "guard": ("guard.conf", 2, None),
    "exporter": ("exporter.conf", 1, None),
    "attestor": ("attestor.conf", 1, "attestation.key"),
}


@pytest.mark.parametrize("part", DAEMONS)
def test_a_daemon_and_back(hosts, part):
    name, units, own = DAEMONS[part]
    guard = dict.fromkeys(GUARDS_FOLDERS, str(hosts.folder))
    given = {"vhard_options": {"vhard_guard": guard, "x": {"y": [1, 2]}}}
    before = hosts.content()
    assert hosts.play(part, **given) > 0
    conf = hosts.etc / "nova-vhard" / name
    secret = part != "guard"
    assert conf.stat().st_mode & 0o777 == (0o600 if secret else 0o644)
    text = conf.read_text()
    login = f"username = vhard-{part}" in text
    assert login == (part not in ("guard", "exporter"))
    assert "[x]\ny = 1\ny = 2\n" in text
    assert len(list((hosts.etc / "systemd").iterdir())) == units
    hook = hosts.folder / "qemu.d" / "nova-vhard-guard"
    policy = hosts.etc / "nova-vhard" / "policy.yaml"
    assert hook.exists() == policy.exists() == (part == "guard")
    assert hosts.play(part, **given) == 0
    if own:
        (hosts.folder / "own").write_text("own\n")
        given["vhard_files"] = {own: str(hosts.folder / "own")}
        assert hosts.play(part, **given) == 1
        copy = hosts.etc / "nova-vhard" / own
        assert copy.read_text() == "own\n"
        secret = not own.endswith(".yaml")
        assert copy.stat().st_mode & 0o777 == (0o600 if secret else 0o644)
    assert hosts.play(part, vhard_state="absent", **given) > 0
    assert hosts.content() == before
    assert not hook.exists()
    assert hosts.play(part, vhard_state="absent", **given) == 0


def test_gates_and_guard_leave_each_other_the_policy(hosts):
    guard = dict.fromkeys(GUARDS_FOLDERS, str(hosts.folder))
    given = {"vhard_options": {"vhard_guard": guard}}
    policy = hosts.etc / "nova-vhard" / "policy.yaml"
    hosts.play("gates")
    hosts.play("guard", **given)
    for part in ("guard", "gates"):
        hosts.play(part, **given, vhard_state="absent")
        assert policy.exists() == (part == "guard")
    hosts.play("guard", **given)
    hosts.play("gates")
    hosts.play("gates", vhard_state="absent")
    assert policy.exists()


@pytest.mark.parametrize(
    ("part", "wrong", "message"),
    [
        ("all", {}, "must be one of: gates, reporter"),
        ("gates", {"vhard_mode": "off"}, "must be one of: audit, warn"),
        ("gates", {"vhard_services": ["cinder"]}, "of: nova, glance"),
        ("reporter", {"vhard_files": {"x": "/x"}}, "may name reporter-"),
    ],
)
def test_a_wrong_variable_changes_nothing(hosts, part, wrong, message):
    before = hosts.content()
    with pytest.raises(AssertionError, match=message):
        hosts.play(part, **wrong)
    assert hosts.content() == before
