# SPDX-License-Identifier: Apache-2.0
"""deploy/ansible by ansible-core, on copies of the services' folders."""

import importlib.util
import json
import os
import re
import shutil

import pytest
import yaml
from oslo_config import cfg

from nova_vhard.cmd import status as command
from nova_vhard.conf import status as status_conf
from nova_vhard.status import files
from nova_vhard.status.node import Node
from tests.deploy import table
from tests.deploy.places import DEPLOY, PASTE, PREFIX, ROOT, playbook

COLLECTION = DEPLOY / "ansible"
ROLE = COLLECTION / "roles" / "vhard"
#: Checks of nova-vhard-status.
CHECKS = (
    "Scheduler filter",
    "Nova API gate",
    "Glance API gate",
    "Glance import gate",
    "Policy",
)


class Hosts:
    """A host's folders, and a playbook of one role that is run on them."""

    def __init__(self, folder):
        self.folder = folder
        self.etc = folder / "etc"
        self.changes = []
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

    def install(self):
        self.changes.append(self.play("gates"))

    def remove(self):
        self.play("gates", vhard_state="absent")

    def own(self, *words):
        """Change the operator's lists in the files that have A and B."""
        for path in self.etc.rglob("*.conf"):
            own = re.sub("A,B(,C)?", ",".join(words), path.read_text())
            path.write_text(own)

    def lists(self):
        """Return the lists that nova-scheduler and glance-api read."""
        nova = files.nova([str(self.etc / "nova" / "nova.conf")])
        names = ("glance-image-import.conf", "glance-api.conf")
        paths = [str(self.etc / "glance" / name) for name in names]
        imports = files.glance(paths).image_import_opts
        filters = nova.filter_scheduler.enabled_filters
        return filters, list(imports.image_import_plugins)

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


def test_audit_enforce_and_back(hosts):
    before = hosts.content()
    assert hosts.play("gates") > 0
    policy = hosts.etc / "nova-vhard" / "policy.yaml"
    assert yaml.safe_load(policy.read_text())["mode"] == "audit"
    conf = cfg.ConfigOpts()
    status_conf.register(conf)
    paths = {"nova": "nova/nova.conf", "glance": "glance/glance-api.conf"}
    words = [f"--{n}-config-file={hosts.etc}/{p}" for n, p in paths.items()]
    conf(words, project="test", default_config_files=[])
    node = Node(conf)
    codes = {
        name: command._run(command.CHECKS[name], node, None).code.value
        for name in CHECKS
    }
    # A policy in audit is a warning.
    assert codes == {**dict.fromkeys(CHECKS, 0), "Policy": 1}

    in_audit = hosts.content()
    assert hosts.play("gates", vhard_mode="enforce") == 1
    changed = dict(hosts.content().items() - in_audit.items())
    assert list(changed) == ["nova-vhard/policy.yaml"]
    assert yaml.safe_load(policy.read_text())["mode"] == "enforce"
    assert hosts.play("gates", vhard_mode="enforce") == 0

    assert hosts.play("gates", vhard_state="absent") > 0
    assert hosts.content() == before
    assert hosts.play("gates", vhard_state="absent") == 0


def test_no_list_of_the_operators_is_replaced(hosts):
    nova = hosts.etc / "nova" / "nova.conf"
    nova.write_text(f"{HEAD}enabled_filters = A,B\navailable_filters = x.A\n")
    imports = hosts.etc / "glance" / "glance-image-import.conf"
    imports.write_text("[image_import_opts]\nimage_import_plugins = [A,B]\n")
    before = hosts.content()
    table.follow("Ansible", hosts, filters="", plugins="")
    assert hosts.changes[1:] == [0, 0]
    hosts.own("A", "B")
    assert hosts.content() == before
    hosts.install()
    available = files.nova([str(nova)]).filter_scheduler.available_filters
    assert available == ["x.A", "nova_vhard.gates.scheduler.all_filters"]


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
def test_add_a_word_to_a_list_and_remove_it(module, made, text, value):
    option = module.ListOption(*made)
    after = option.add(text) if option.said(text) else option.write(text)
    rest = re.split(rf"(?im)^\[{made[0]}\]\n", after)[-1]
    assert option.said(after)
    assert re.search(rf"^{made[1]} ?[=:] ?{re.escape(value)}$", rest, re.M)
    assert option.add(after) == after
    assert option.remove(after) == text
    # What the operator puts in afterwards stays.
    changed = after.replace(value, value.replace(made[2], f"{made[2]},E", 1))
    assert option.add(changed) == changed
    left = option.remove(changed)
    assert re.search(r"[ =\[,\"]E\b", left)
    assert made[2] not in left.replace("OursToo", "")
    assert "nova-vhard" not in left


@pytest.fixture(scope="module")
def module():
    """Return the collection's module, as Python's own."""
    path = COLLECTION / "plugins" / "modules" / "list_option.py"
    spec = importlib.util.spec_from_file_location("list_option", path)
    result = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(result)
    return result


def test_each_variable_is_described():
    specs, defaults, parts = (
        yaml.safe_load((ROLE / name).read_text())
        for name in (
            "meta/argument_specs.yml",
            "defaults/main.yml",
            "vars/main.yml",
        )
    )
    options = specs["argument_specs"]["main"]["options"]
    assert set(options) == {"vhard_part", *defaults}
    assert options["vhard_part"]["choices"] == list(parts["vhard_parts"])


def test_novas_own_list_is_the_default():
    text = (ROLE / "vars" / "main.yml").read_text()
    assert f"default: {','.join(files.STOCK_FILTERS)}\n" in text


GUARDS_FOLDERS = ("hooks_dir", "state_path", "run_dir")


@pytest.mark.parametrize(
    ("part", "name", "login", "units", "modes"),
    [
        (
            "reporter",
            "reporter.conf",
            True,
            1,
            {"reporter.conf": 0o600, "reporter-placement.conf": 0o600},
        ),
        ("sweep", "reporter.conf", True, 2, {"reporter.conf": 0o600}),
        (
            "cleaner",
            "cleaner.conf",
            True,
            1,
            {"cleaner.conf": 0o600, "cleaning.yaml": 0o644},
        ),
        ("guard", "guard.conf", False, 2, {"guard.conf": 0o600}),
        ("exporter", "exporter.conf", False, 1, {"exporter.conf": 0o600}),
        (
            "attestor",
            "attestor.conf",
            True,
            1,
            {"attestor.conf": 0o600, "attestation.key": 0o600},
        ),
    ],
)
def test_a_daemon_and_back(hosts, part, name, login, units, modes):
    """Write the configuration of a daemon and its own files; remove them.

    :param modes: modes of these files
    """
    folder = hosts.etc / "nova-vhard"
    guard = dict.fromkeys(GUARDS_FOLDERS, str(hosts.folder))
    given = {"vhard_options": {"vhard_guard": guard, "x": {"y": [1, 2]}}}
    before = hosts.content()
    assert hosts.play(part, **given) > 0
    text = (folder / name).read_text()
    assert (f"username = vhard-{part}" in text) == login
    assert "[x]\ny = 1\ny = 2\n" in text
    assert len(list((hosts.etc / "systemd").iterdir())) == units
    hook = hosts.folder / "qemu.d" / "nova-vhard-guard"
    policy = folder / "policy.yaml"
    assert hook.exists() == policy.exists() == (part == "guard")
    assert hosts.play(part, **given) == 0
    for own in modes.keys() - {name}:
        (hosts.folder / "own").write_text("own\n")
        given["vhard_files"] = {own: str(hosts.folder / "own")}
        assert hosts.play(part, **given) == 1
        assert (folder / own).read_text() == "own\n"
    shown = {each: (folder / each).stat().st_mode & 0o777 for each in modes}
    assert shown == modes
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
        ("gates", {"vhard_nova_folder": "/not/there"}, "There is no"),
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
