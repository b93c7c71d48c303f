# SPDX-License-Identifier: Apache-2.0
"""The devstack plugin's phases, run by bash on the services' own files.

Each scenario has a golden file that lists its changes to the files and its
calls of devstack's functions.
"""

import difflib
import os
import pathlib
import re
import stat
import subprocess
import sys

import pytest
from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.cmd import status
from nova_vhard.status import (
    gates,
    policy,
    settings,
)
from tests import golden
from tests.unit import commands
from tests.unit.cli.nodes import STOCK, Etc, shipped

pytestmark = pytest.mark.services

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
FILTERS = f"{STOCK},SameHostFilter,DifferentHostFilter"

#: The file as devstack has written it before the phase post-config.
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
IMPORT = "\n[image_import_opts]\nimage_import_plugins = []\n"
PLACEMENT = """[api]
auth_strategy = keystone

[keystone_authtoken]
username = placement

[oslo_policy]
enforce_scope = False
"""


#: Variable of a service's file, its name, and what is in it.
FILES = (
    ("NOVA_CONF", "nova/nova.conf", NOVA),
    ("NOVA_API_PASTE_INI", "nova/api-paste.ini", shipped("nova")),
    ("GLANCE_API_PASTE_INI", "glance/glance-api-paste.ini", shipped("glance")),
    (
        "GLANCE_API_CONF",
        "glance/glance-api.conf",
        GLANCE.format("keystone+cachemanagement"),
    ),
    ("GLANCE_IMAGE_IMPORT_CONF", "glance/glance-image-import.conf", IMPORT),
    (
        "CINDER_CONF",
        "cinder/cinder.conf",
        "[DEFAULT]\n\n[service_user]\nsend_service_user_token = True\n",
    ),
    ("PLACEMENT_CONF", "placement/placement.conf", PLACEMENT),
)


class Devstack:
    """A machine on which devstack runs the plugin.

    :ivar folder: what devstack would put below / and /opt/stack
    :ivar files: the services' files that the plugin may change
    """

    def __init__(self, folder, contents=(), **environment):
        self.folder = folder
        self.files = [folder / name for _, name, _ in FILES]
        usual = {name: text for _, name, text in FILES}
        for name, text in (usual | dict(contents)).items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            if text is not None:
                path.write_text(text, encoding="utf-8")
                path.chmod(0o640)
        self.calls = folder / "calls"
        # As nova-compute leaves it.
        compute = folder / "data/nova/compute_id"
        compute.parent.mkdir(parents=True)
        compute.write_text("0f6e2d5c-3c5a-4c7e-9a35-3a4f3f5b8d21\n")
        self.environment = {
            "PATH": os.environ["PATH"],
            "CALLS": str(self.calls),
            "PREFIX_BIN": str(pathlib.Path(sys.prefix) / "bin"),
            "ENABLED_SERVICES": "n-api,n-sch,n-cpu,g-api,c-api,"
            "placement-api,key",
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
            **environment,
        }

    def run(self, *phase):
        """Run a phase as devstack does: source it, errors end it."""
        script = (
            f"set -o errexit\nsource {HERE}/functions.sh\n"
            f"source {ROOT}/devstack/override-defaults\n"
            f"source {ROOT}/devstack/settings\n"
            f"source {ROOT}/devstack/plugin.sh {' '.join(phase)}\n"
        )
        ended = subprocess.run(
            ["bash", "-c", script],
            env=self.environment,
            cwd=self.folder,
            umask=0o022,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == ""

    def stack(self):
        for phase in ("pre-install", "install", "post-config", "extra"):
            self.run("stack", phase)
        self.run("stack", "test-config")

    def state(self):
        """Return name to content of everything, notes apart."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_text()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path != self.calls
        }

    def said(self, before):
        """Return the calls of devstack, and the changes since ``before``."""
        result = self.calls.read_text().splitlines()
        for name, text in self.state().items():
            old = placed(before.get(name, ""))
            changed = difflib.unified_diff(old, placed(text), n=0)
            lines = [each.rstrip() for each in changed if each[:1] in "+-"]
            if lines and "/undo/" not in name:
                mode = stat.S_IMODE((self.folder / name).stat().st_mode)
                result += [f"=== {name} {mode:o}", *lines[2:]]
        text = "\n".join(result)
        for place, word in (
            (self.environment["PREFIX_BIN"], "BIN"),
            (str(self.folder), "DEST"),
            (str(ROOT), "ROOT"),
        ):
            text = text.replace(place, word)
        return re.sub(r"warn \d+", "warn LINE", text).splitlines()

    def checked(self, *checks):
        """Check that nova-vhard-status finds nothing wrong."""
        etc = Etc.__new__(Etc)
        etc.folder = self.folder
        results = [status._run(check, etc.node, None) for check in checks]
        assert {each.code for each in results} <= {Code.SUCCESS}, results


def placed(text):
    """Return the lines of a file, each after the header of its section."""
    section, result = "", []
    for line in text.splitlines():
        section = line if line.startswith("[") else section
        result.append(line if line == section else f"{section} {line}")
    return result


@pytest.fixture
def devstack(tmp_path):
    return Devstack(tmp_path)


OF_SCHEDULER = (
    "[filter_scheduler]\navailable_filters = x.all_filters\n"
    "available_filters = y.Filter\n"
)
#: Contents of files, devstack's variables, and the checks that then succeed.
SCENARIOS = {
    "usual": (
        {},
        {},
        (
            *(policy.policy, gates.scheduler, gates.nova_api),
            *(gates.glance_api, gates.imports, settings.service_token),
            *(settings.access_rules, settings.defaults),
        ),
    ),
    "bare_files": (
        {
            "nova/nova.conf": BARE,
            "cinder/cinder.conf": BARE.rstrip("\n"),
            "glance/glance-image-import.conf": None,
        },
        {},
        (gates.scheduler, settings.service_token),
    ),
    "set_by_an_operator": (
        {
            "nova/nova.conf": NOVA.replace(
                "[libvirt]\n",
                "[libvirt]\nhw_machine_type = x86_64=pc-q35-9.2\n",
            ).replace("[filter_scheduler]\n", OF_SCHEDULER),
            "glance/glance-api.conf": GLANCE.format("keystone")
            + IMPORT.replace("[]", "[a, b]"),
            "placement/placement.conf": f"{PLACEMENT}policy_file = own.yaml\n",
        },
        {},
        (settings.access_rules,),
    ),
    "compute_node_alone": (
        {},
        {
            "ENABLED_SERVICES": "n-cpu",
            "NOVA_VHARD_EXTENDS": "strict",
            "NOVA_VHARD_MODE": "audit",
        },
        (),
    ),
    "host_that_cannot_be_enrolled": (
        {"own.yaml": "version: '1'\nmode: warn\n"},
        {
            "ENABLED_SERVICES": "n-cpu",
            "NOVA_VHARD_POLICY": "own.yaml",
            "REFUSED": "yes",
        },
        (),
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_twice_changes_nothing_and_unstack_restores_every_byte(tmp_path, name):
    contents, environment, checks = SCENARIOS[name]
    devstack = Devstack(tmp_path, contents, **environment)
    before = devstack.state()
    devstack.stack()
    said = devstack.said(before)
    devstack.checked(*checks)
    undo = tmp_path / "data/nova-vhard/undo"
    assert stat.S_IMODE(undo.stat().st_mode) == 0o700
    once = devstack.state()
    devstack.stack()
    assert devstack.state() == once
    devstack.calls.unlink()
    for _ in range(2):
        devstack.run("unstack")
        assert before.items() <= devstack.state().items()
    for _ in range(2):
        devstack.run("clean")
        assert devstack.state() == before
    for path in devstack.files:
        assert not path.exists() or stat.S_IMODE(path.stat().st_mode) == 0o640
    golden.check(HERE / f"{name}.golden", [*said, *devstack.said(before)])


def test_the_options_of_sweep_and_enrolment_exist(devstack):
    """The reporter knows every option, and then looks for Keystone."""
    devstack.stack()
    (enroll,) = [
        line.replace("--os-cloud devstack-admin ", "")
        for line in devstack.calls.read_text().splitlines()
        if "host enroll" in line
    ]
    commands.check(enroll)
    reporter = f"{devstack.environment['PREFIX_BIN']}/nova-vhard-reporter"
    sweep = f"--config-file={devstack.folder}/vhard/sweep.conf"
    ended = subprocess.run(
        [reporter, sweep, "withdraw", "nobody"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=devstack.environment | {"no_proxy": "*"},
    )
    assert ended.returncode == 1
    assert "connection to http://127.0.0.1:1/identity" in ended.stderr


@pytest.mark.parametrize("nova", [NOVA, BARE])
def test_what_others_change_since_stays(tmp_path, nova):
    """devstack itself sets the fixed key after post-config."""
    contents = {"nova/nova.conf": nova, "cinder/cinder.conf": BARE}
    devstack = Devstack(tmp_path, contents)
    tail = "\n[filter:other]\npaste.filter_factory = other:factory\n"
    more = {".ini": tail, ".conf": "\n[others]\nfixed_key = 1\n"}
    before = devstack.state()
    devstack.stack()
    for path in devstack.files:
        text = path.read_text(encoding="utf-8")
        if nova == NOVA:
            text = text.replace(f"{FILTERS}\n", f"{FILTERS},BlazarFilter\n")
        text = text.replace("[vhard]\n\n", "[vhard]\n").replace(
            "plugins = [vhard]", "plugins = [inject_image_metadata,vhard]"
        )
        path.write_text(text + more[path.suffix], encoding="utf-8")
    devstack.calls.unlink()
    devstack.run("unstack")
    name = "changed_since" if nova == NOVA else "changed_since_bare"
    golden.check(HERE / f"{name}.golden", devstack.said(before))


def test_stacking_again_without_unstack(devstack):
    """stack.sh writes the services' files again; the copies are stale."""
    before = [path.read_text() for path in devstack.files]
    devstack.stack()
    once = [path.read_text() for path in devstack.files]
    for path, text in zip(devstack.files, before, strict=True):
        path.write_text(text)
    new = "\n[new]\nx = 1\n"
    devstack.files[0].write_text(NOVA + new)
    devstack.stack()
    assert [path.read_text() for path in devstack.files[1:]] == once[1:]
    devstack.run("unstack")
    assert devstack.files[0].read_text() == NOVA + new


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
