# SPDX-License-Identifier: Apache-2.0
"""The devstack plugin's phases, run by bash on the services' own files."""

import configparser
import os
import pathlib
import stat
import subprocess
import sys

import pytest
from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.cmd import status
from nova_vhard.policy import document
from nova_vhard.status import (
    gates,
    policy,
    settings,
)
from tests.unit import commands
from tests.unit.cli.nodes import STOCK, Etc, shipped

pytestmark = pytest.mark.services

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
FUNCTIONS = HERE / "functions.sh"
SERVICES = "n-api,n-sch,n-cpu,g-api,c-api,placement-api,key"
FILTERS = f"{STOCK},SameHostFilter,DifferentHostFilter"

# As devstack has written it by the time of post-config.
NOVA = f"""
[DEFAULT]
compute_driver = libvirt.LibvirtDriver
my_ip = 10.0.0.1

[filter_scheduler]
enabled_filters = {FILTERS}
track_instance_changes = False

[service_user]
auth_type = password
send_service_user_token = True

[libvirt]
live_migration_uri = qemu+ssh://stack@%s/system
virt_type = kvm

[key_manager]
backend = nova.keymgr.conf_key_mgr.ConfKeyManager
"""
BARE = "[DEFAULT]\ndebug = True\n"
GLANCE = "[DEFAULT]\ndebug = True\n\n[paste_deploy]\nflavor = {}\n"
FLAVOR = "keystone+cachemanagement"
IMPORT = "\n[image_import_opts]\nimage_import_plugins = []\n"
PLACEMENT = """[api]
auth_strategy = keystone

[keystone_authtoken]
username = placement

[oslo_policy]
enforce_scope = False
"""
CINDER = "[DEFAULT]\n\n[service_user]\nsend_service_user_token = True\n"


NODE = "0f6e2d5c-3c5a-4c7e-9a35-3a4f3f5b8d21"


#: Variable of a service's file, its name, and what is in it.
FILES = (
    ("NOVA_CONF", "nova/nova.conf", NOVA),
    ("NOVA_API_PASTE_INI", "nova/api-paste.ini", shipped("nova")),
    ("GLANCE_API_PASTE_INI", "glance/glance-api-paste.ini", shipped("glance")),
    ("GLANCE_API_CONF", "glance/glance-api.conf", GLANCE.format(FLAVOR)),
    ("GLANCE_IMAGE_IMPORT_CONF", "glance/glance-image-import.conf", IMPORT),
    ("CINDER_CONF", "cinder/cinder.conf", CINDER),
    ("PLACEMENT_CONF", "placement/placement.conf", PLACEMENT),
)


class Devstack:
    """A machine on which devstack runs the plugin.

    :ivar folder: what devstack would put below / and /opt/stack
    :ivar files: the services' files that the plugin may change
    """

    def __init__(self, folder, **contents):
        self.folder = folder
        self.files = [folder / name for _, name, _ in FILES]
        for path, (_, name, text) in zip(self.files, FILES, strict=True):
            path.parent.mkdir(exist_ok=True)
            path.write_text(contents.get(name, text), encoding="utf-8")
            path.chmod(0o640)
        self.calls = folder / "calls"
        # As nova-compute leaves it.
        compute = folder / "data/nova/compute_id"
        compute.parent.mkdir(parents=True)
        compute.write_text(f"{NODE}\n")
        self.environment = {
            "PATH": os.environ["PATH"],
            "CALLS": str(self.calls),
            "PREFIX_BIN": str(pathlib.Path(sys.prefix) / "bin"),
            "ENABLED_SERVICES": SERVICES,
            "STACK_USER": str(os.getuid()),
            "DEST": str(folder),
            "DATA_DIR": str(folder / "data"),
            "KEYSTONE_SERVICE_URI": "http://127.0.0.1:1/identity",
            "SERVICE_PASSWORD": "secret",
            "SERVICE_DOMAIN_NAME": "Default",
            "SERVICE_PROJECT_NAME": "service",
            "REGION_NAME": "RegionOne",
            "NOVA_STATE_PATH": str(folder / "data/nova"),
            "NOVA_FILTERS": FILTERS,
            "NOVA_VHARD_CONF_DIR": str(folder / "vhard"),
            "NOVA_VHARD_DIR": str(ROOT),
            **{variable: str(folder / name) for variable, name, _ in FILES},
        }

    def run(self, *phase, **more):
        """Run a phase as devstack does: source it, errors end it."""
        script = (
            f"set -o errexit\nsource {FUNCTIONS}\n"
            f"source {ROOT}/devstack/override-defaults\n"
            f"source {ROOT}/devstack/settings\n"
            f"source {ROOT}/devstack/plugin.sh {' '.join(phase)}\n"
        )
        ended = subprocess.run(
            ["bash", "-c", script],
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == ""

    def stack(self, **more):
        for phase in ("pre-install", "install", "post-config", "extra"):
            self.run("stack", phase, **more)
        self.run("stack", "test-config", **more)

    def state(self):
        """Return name to content of everything, notes apart."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path != self.calls
        }

    def notes(self):
        """Return what was asked of devstack since the last time."""
        lines = self.calls.read_text(encoding="utf-8").splitlines()
        self.calls.unlink()
        return lines

    def ini(self, number):
        """Return a file of services as a parser reads it."""
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(self.files[number].read_text(encoding="utf-8"))
        return parser

    def node(self):
        """Return the node that nova-vhard-status looks at."""
        etc = Etc.__new__(Etc)
        etc.folder = self.folder
        return etc.node


@pytest.fixture
def devstack(tmp_path):
    return Devstack(tmp_path)


def append(path, text):
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def checked(devstack, *checks):
    """Check that nova-vhard-status finds nothing wrong."""
    node = devstack.node()
    results = [status._run(check, node, None) for check in checks]
    assert {each.code for each in results} == {Code.SUCCESS}, results


def test_what_is_plugged_in_installed_and_started(devstack):
    devstack.stack()
    checked(
        devstack,
        *(policy.policy, gates.scheduler, gates.nova_api, gates.glance_api),
        *(gates.imports, settings.service_token, settings.access_rules),
        settings.defaults,
    )
    enabled = devstack.ini(0)["filter_scheduler"]["enabled_filters"]
    assert enabled == f"VirtHardeningFilter,{FILTERS}"
    text = devstack.files[0].read_text(encoding="utf-8")
    assert text.count("available_filters = ") == 2
    assert document.load(str(devstack.folder / "vhard/policy.yaml")).enabled
    bin_dir = devstack.environment["PREFIX_BIN"]
    conf, own, sweep = (
        devstack.folder / f"vhard/{name}.conf"
        for name in ("reporter", "reporter-placement", "sweep")
    )
    reporter = f"{bin_dir}/nova-vhard-reporter"
    enroll = (
        f"vhard host enroll --force --folder {devstack.folder}"
        f"/data/nova-vhard/enroll {NODE}"
    )
    assert [each for each in devstack.notes() if "define" not in each] == [
        f"setup_develop {ROOT} client,node",
        "create_service_user vhard-sweep",
        "get_or_create_role vhard-reporter",
        "get_or_create_role vhard-cleaner",
        f"openstack --os-cloud devstack-admin {enroll}",
        f"run_process vhard-reporter {reporter} --config-file {conf} "
        f"--config-file {own} run",
        f"run_process vhard-sweep /bin/bash {ROOT}/devstack/sweep.sh "
        f"{reporter} {sweep} 2",
    ]
    commands.check(f"openstack {enroll}")
    undo = devstack.folder / "data/nova-vhard/undo"
    assert own.exists()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (conf, sweep, undo)]
    assert modes == [0o600, 0o600, 0o700]
    parser = configparser.RawConfigParser()
    parser.read(sweep)
    assert parser["placement"]["username"] == "vhard-sweep"
    assert parser["placement"]["region_name"] == "RegionOne"
    ended = subprocess.run(
        [reporter, f"--config-file={sweep}", "withdraw", "nobody"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=devstack.environment | {"no_proxy": "*"},
    )
    # It knows every option, and gets as far as looking for Keystone.
    assert ended.returncode == 1
    assert "connection to http://127.0.0.1:1/identity" in ended.stderr
    devstack.run("unstack")
    assert devstack.notes()[1:] == [
        "stop_process vhard-reporter",
        "stop_process vhard-sweep",
    ]
    devstack.run("clean")
    assert devstack.notes()[-1] == "pip_uninstall nova-vhard"


def test_a_host_that_cannot_be_enrolled_is_named(devstack):
    devstack.stack(ENABLED_SERVICES="n-cpu", REFUSED="yes")
    notes = devstack.notes()
    assert sum("host enroll" in each for each in notes) > 1
    (line,) = [each for each in notes if each.startswith("warn")]
    assert line.endswith("nova-vhard: this host is not enrolled")


def test_twice_changes_nothing_and_unstack_restores_every_byte(devstack):
    before = devstack.state()
    devstack.stack()
    once = devstack.state()
    assert all(
        once[name] != before[name]
        for name in before
        if "cin" not in name and "compute_id" not in name
    )
    devstack.stack()
    assert devstack.state() == once
    for _ in range(2):
        devstack.run("unstack")
        after = devstack.state()
        assert {name: after[name] for name in before} == before
    for _ in range(2):
        devstack.run("clean")
        assert devstack.state() == before
    for path in devstack.files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_bare_files_get_sections_and_lose_them_again(tmp_path):
    devstack = Devstack(
        tmp_path,
        **{
            "nova/nova.conf": BARE,
            "cinder/cinder.conf": BARE.rstrip("\n"),
            "glance/glance-image-import.conf": "",
        },
    )
    devstack.files[4].unlink()
    before = devstack.state()
    devstack.stack()
    checked(devstack, gates.scheduler, settings.service_token)
    assert devstack.ini(4)["image_import_opts"]["image_import_plugins"]
    assert devstack.ini(5)["service_user"]["username"] == "cinder"
    devstack.run("unstack")
    devstack.run("clean")
    assert devstack.state() == before


@pytest.mark.parametrize("nova", [NOVA, BARE])
def test_what_others_change_since_stays(tmp_path, nova):
    """devstack itself sets the fixed key after post-config."""
    contents = {"nova/nova.conf": nova, "cinder/cinder.conf": BARE}
    devstack = Devstack(tmp_path, **contents)
    tail = "\n[filter:other]\npaste.filter_factory = other:factory\n"
    more = {".ini": tail, ".conf": "\n[others]\nfixed_key = 1\n"}
    before = [path.read_text(encoding="utf-8") for path in devstack.files]
    devstack.stack()
    for path in devstack.files:
        text = path.read_text(encoding="utf-8")
        if nova == NOVA:
            text = text.replace(f"{FILTERS}\n", f"{FILTERS},BlazarFilter\n")
        text = text.replace("[vhard]\n\n", "[vhard]\n").replace(
            "plugins = [vhard]", "plugins = [inject_image_metadata,vhard]"
        )
        path.write_text(text + more[path.suffix], encoding="utf-8")
    devstack.run("unstack")
    for path, text in zip(devstack.files, before, strict=True):
        result = path.read_text(encoding="utf-8")
        expected = text + more[path.suffix]
        if path.name == "glance-image-import.conf":
            expected = expected.replace("[]", "[inject_image_metadata]")
        if path.name == "nova.conf":
            expected = expected.replace(FILTERS, f"{FILTERS},BlazarFilter")
            # NOVA_FILTERS, which devstack wanted there.
            extra = f"\n[filter_scheduler]\nenabled_filters = {FILTERS}\n"
            result = result.replace(extra, "") if nova == BARE else result
        assert result == expected, path


def test_stacking_again_without_unstack(devstack):
    """stack.sh writes the services' files again; the copies are stale."""
    before = devstack.state()
    devstack.stack()
    once = devstack.state()
    for path in devstack.files:
        path.write_bytes(before[path.relative_to(devstack.folder).as_posix()])
    append(devstack.files[0], "\n[new]\nx = 1\n")
    devstack.stack()
    for number, path in enumerate(devstack.files):
        if number:
            name = path.relative_to(devstack.folder).as_posix()
            assert path.read_bytes() == once[name]
    devstack.run("unstack")
    text = devstack.files[0].read_text(encoding="utf-8")
    assert text == NOVA + "\n[new]\nx = 1\n"


def test_what_an_operator_set_is_kept(tmp_path):
    nova = NOVA.replace(
        "[libvirt]\n", "[libvirt]\nhw_machine_type = x86_64=pc-q35-9.2\n"
    ).replace(
        "[filter_scheduler]\n",
        "[filter_scheduler]\navailable_filters = x.all_filters\n"
        "available_filters = y.Filter\n",
    )
    glance = GLANCE.format("keystone") + IMPORT.replace("[]", "[a, b]")
    devstack = Devstack(
        tmp_path,
        **{
            "nova/nova.conf": nova,
            "glance/glance-api.conf": glance,
            "placement/placement.conf": f"{PLACEMENT}policy_file = own.yaml\n",
        },
    )
    before = devstack.state()
    devstack.stack()
    text = devstack.files[0].read_text(encoding="utf-8")
    assert devstack.ini(6)["oslo_policy"]["policy_file"] == "own.yaml"
    checked(devstack, settings.access_rules)
    assert "hw_machine_type = x86_64=pc-q35-9.2\n" in text
    assert text.count("available_filters = ") == 3
    assert "all_filters\n" in text
    assert "nova.scheduler.filters.all_filters" not in text
    plugins = devstack.ini(3)["image_import_opts"]["image_import_plugins"]
    assert plugins == "[a,b,vhard]"
    append(devstack.files[0], "\n[new]\nx = 1\n")
    devstack.run("unstack")
    after = devstack.state()
    before["nova/nova.conf"] += b"\n[new]\nx = 1\n"
    assert {name: after[name] for name in before} == before


def test_a_compute_node_alone(devstack):
    before = devstack.state()
    devstack.stack(ENABLED_SERVICES="n-cpu")
    changed = {
        name
        for name, text in devstack.state().items()
        if name in before and text != before[name]
    }
    assert changed == {"nova/nova.conf"}
    text = devstack.files[0].read_text(encoding="utf-8")
    assert "VirtHardeningFilter" not in text
    assert "hw_machine_type = x86_64=q35" in text
    notes = devstack.notes()
    assert any("run_process vhard-reporter" in each for each in notes)
    assert not any("sweep" in each or "create" in each for each in notes)


def test_the_policy_of_local_conf(devstack):
    devstack.stack(
        ENABLED_SERVICES="n-cpu",
        NOVA_VHARD_EXTENDS="strict",
        NOVA_VHARD_MODE="audit",
    )
    path = str(devstack.folder / "vhard/policy.yaml")
    assert document.load(path).mode == "audit"
    own = devstack.folder / "own.yaml"
    own.write_text("version: '1'\nmode: warn\n")
    devstack.stack(ENABLED_SERVICES="n-cpu", NOVA_VHARD_POLICY=str(own))
    assert document.load(path).mode == "warn"


def test_the_sweep_goes_on_and_ends_at_once(tmp_path):
    """A command that fails does not end it; SIGTERM does."""
    record = tmp_path / "told"
    command = tmp_path / "reporter"
    command.write_text(f'#!/bin/sh\necho "$@" >>{record}\nexit 1\n')
    command.chmod(0o755)
    sweep = [str(ROOT / "devstack/sweep.sh"), str(command), "/x.conf", "3"]
    process = subprocess.Popen(["bash", *sweep])
    try:
        while not record.exists() or not record.read_text():
            assert process.poll() is None
        process.terminate()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
    assert (
        record.read_text()
        == "--config-file /x.conf sweep --max-report-age 3\n"
    )
