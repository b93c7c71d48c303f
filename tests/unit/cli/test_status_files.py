# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status: what it says of a node's files.

The cases are in status_files.yaml. The keys of a case are:

``check``
    name of a check
``keep``, ``runs``
    services that have a saved policy, and service to what it runs
``files``
    name to text; ``shipped`` and ``gated`` are paste files, ``-> target`` is
    a link, null no file; ``nova`` and ``glance`` are nova.conf and
    glance-api.conf with our options
``modes``, ``environ``, ``root``
    name to mode, environment variables, and who owns the files: without it
    root
``result``, ``text``
    result, and parts of the details, with `` … `` between them
``times``
    text to how often it is in the details
"""

import json
import os
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import pytest
from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.cmd import status
from nova_vhard.common import mounts
from nova_vhard.policy import check as policy_check
from nova_vhard.status import files, gates, permissions, policy
from nova_vhard.status.answers import NotHere
from tests.unit.cli import tables
from tests.unit.cli.nodes import STOCK, Etc, gated, shipped

pytestmark = pytest.mark.services
SUCCESS, WARNING, FAILURE = Code.SUCCESS, Code.WARNING, Code.FAILURE
OURS = "available_filters = nova_vhard.gates.scheduler.VirtHardeningFilter\n"
ALL = "available_filters = nova.scheduler.filters.all_filters\n"
NOVA_CONF = "nova/nova.conf"
#: Paste files are made of those that Nova and Glance ship.
MADE = {"shipped": shipped, "gated": gated}
CASES = tables.cases(pathlib.Path(__file__).with_name("status_files.yaml"))


@pytest.fixture
def etc(tmp_path, monkeypatch):
    # Whoever runs the tests stands for root.
    monkeypatch.setattr(permissions, "_ROOT", os.getuid())
    monkeypatch.setattr(permissions, "HOOK", str(tmp_path / "hook"))
    return Etc(tmp_path)


def look(check, etc):
    """Run one check as the command does."""
    return status._run(check, etc.node, None)


def put(etc, written):
    """Write files by their names; delete those whose text is None."""
    writers = {"nova": etc.nova, "glance": etc.glance}
    for name, text in written.items():
        path = etc.folder / name
        path.parent.mkdir(exist_ok=True)
        if text is None:
            path.unlink()
        elif text.startswith("-> "):
            path.symlink_to(text[3:])
        elif text in MADE:
            etc.write(name, MADE[text](name.partition("/")[0]))
        elif name in writers:
            writers[name](text)
        else:
            etc.write(name, text)


@pytest.mark.parametrize("case", CASES)
def test_a_check(etc, monkeypatch, case):
    case = tables.filled(case, {"PATH": str(etc.folder), "$STOCK": STOCK})
    for service in case.get("keep", ()):
        etc.keep(service)
    for service, more in case.get("runs", {}).items():
        etc.runs(service, **more)
    put(etc, case["files"])
    for name, mode in case.get("modes", {}).items():
        (etc.folder / name).chmod(int(mode, 8))
    for name, value in case.get("environ", {}).items():
        monkeypatch.setenv(name, value)
    if "root" in case:
        monkeypatch.setattr(permissions, "_ROOT", os.getuid() + 1)
    result = look(status.CHECKS[case["check"]], etc)
    assert result.code.name == case["result"], result.details
    assert result.details
    for text in case["text"].split(" … "):
        assert text in result.details
    times = case.get("times", {})
    assert {text: result.details.count(text) for text in times} == times


TENANTS = "AggregateMultiTenancyIsolation,ComputeFilter"
CLASS = "nova_vhard.gates.scheduler.VirtHardeningFilter"
NOVA_ALL = "nova.scheduler.filters.all_filters"


@pytest.mark.parametrize(
    ("lines", "available", "enabled"),
    [
        ("", [NOVA_ALL, CLASS], STOCK),
        (f"enabled_filters = {TENANTS}", [NOVA_ALL, CLASS], TENANTS),
        (
            "available_filters = x.All\navailable_filters = y.Other",
            ["x.All", "y.Other", CLASS],
            STOCK,
        ),
        # What it has printed once it prints again.
        (
            f"{ALL}{OURS}enabled_filters = {TENANTS}, VirtHardeningFilter",
            [NOVA_ALL, CLASS],
            TENANTS,
        ),
        (
            "available_filters = nova_vhard.gates.scheduler.all_filters",
            ["nova_vhard.gates.scheduler.all_filters"],
            STOCK,
        ),
    ],
)
def test_the_filters_to_write(etc, capsys, lines, available, enabled):
    etc.nova(f"[filter_scheduler]\n{lines}\n")
    assert status.main([*etc.arguments, "filters"]) == 0
    printed = capsys.readouterr().out
    etc.nova(printed)
    group = etc.node.nova.filter_scheduler
    assert group.available_filters == available
    assert group.enabled_filters == [
        "VirtHardeningFilter",
        *enabled.split(","),
    ]
    assert "does not start" not in look(gates.scheduler, etc).details
    assert status.main([*etc.arguments, "filters"]) == 0
    assert capsys.readouterr().out == printed


def test_no_filters_to_read(etc, capsys):
    (etc.folder / "nova/nova.conf").unlink()
    assert status.main([*etc.arguments, "filters"]) == 255
    assert "nova/nova.conf" in capsys.readouterr().err
    etc.write("nova/nova.conf", "x")
    assert status.main([*etc.arguments, "filters"]) == 255
    assert status.main(["filters", "--bogus"]) == 2


def test_the_reporters_login_is_its_hosts_own_where_it_has_one(etc):
    own = "[placement]\nauth_section = vhard_host\n"
    etc.write("reporter.conf", "[placement]\nauth_type = password\n")
    assert etc.node.reporter.placement.auth_section is None
    etc.write("reporter-placement.conf", own)
    assert etc.node.reporter.placement.auth_section == "vhard_host"
    (etc.folder / "reporter.conf").unlink()
    with pytest.raises(NotHere, match=r"reporter\.conf"):
        _ = etc.node.reporter


def test_a_copy_that_this_version_rejects_in_a_file(etc, monkeypatch):
    """It holds, and so does the policy before the restart."""
    etc.keep("nova-api")
    etc.write("policy.yaml", "version: '1'\nmode: [\n")
    monkeypatch.setattr(
        policy_check, "conflicts", lambda *_, **__: [(("extends",), "is gone")]
    )
    result = look(policy.policy, etc)
    assert "stays in force (nova-api: " in result.details


def test_what_the_next_version_rejects_is_a_warning(etc, monkeypatch):
    fault = ("extends",), "will be an error"
    monkeypatch.setattr(policy_check, "deprecations", lambda data: [fault])
    result = look(policy.policy, etc)
    assert result.code == WARNING
    assert "policy.yaml:2: extends: will be an error." in result.details


def run(etc, capsys, *more):
    code = status.main([*etc.arguments, "upgrade", "check", *more])
    return code, capsys.readouterr()


GLANCE_CONF = "glance/glance-api.conf"
NO_FILE = dict.fromkeys((NOVA_CONF, GLANCE_CONF, "placement/placement.conf"))
GATE = "Glance API gate"


@pytest.mark.parametrize(
    ("written", "code", "results"),
    [
        (NO_FILE, WARNING, dict.fromkeys(status.CHECKS, WARNING)),
        # A compute node without Glance has no login to Placement, either.
        ({GLANCE_CONF: None}, FAILURE, {"Policy": SUCCESS, GATE: WARNING}),
        # What is broken is said, and does not end it.
        *(
            ({NOVA_CONF: text}, FAILURE, {GATE: SUCCESS})
            for text in (
                *("no group\n", "[x]\n= y\n"),
                "[vhard]\nposture_ttl = 0\n",
            )
        ),
    ],
)
def test_a_node_without_some_of_the_files(etc, capsys, written, code, results):
    put(etc, written)
    ended, (out, err) = run(etc, capsys, "--json")
    assert ended == code
    assert "Traceback" not in out + err
    checks = {each["check"]: each for each in json.loads(out)["checks"]}
    assert [*checks] == list(status.CHECKS)
    assert {name: checks[name]["result"] for name in results} == results
    for name in checks if written is NO_FILE else ():
        assert checks[name]["details"].startswith("Not checked: ")


def test_the_table_and_wrong_arguments(etc, capsys):
    code, (out, _) = run(etc, capsys)
    assert code == FAILURE  # there is no login to Placement
    assert "| Check: Nova API gate" in out
    assert "| Result: Success" in out
    for wrong in (["upgrade", "check", "--bogus"], [], ["--config-file=/x"]):
        assert status.main(wrong) == 2, wrong
        assert "Traceback" not in "".join(capsys.readouterr())
    for asked in (["--help"], ["probe", "--help"], ["probe-scheduler", "-h"]):
        capsys.readouterr()
        assert status.main(asked) == 0
        assert "probe-scheduler boots a server" in capsys.readouterr().out


def test_it_runs_where_there_is_neither_nova_nor_glance(etc):
    code = (
        "import sys\n"
        "for name in ('nova', 'glance', 'placement'):\n"
        "    sys.modules[name] = None\n"
        "from nova_vhard.cmd import status\n"
        "sys.exit(status.main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, *etc.arguments]
    ended = subprocess.run(
        [*command, "upgrade", "check", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == FAILURE, ended.stderr
    result = json.loads(ended.stdout)["checks"]
    gate = {each["check"]: each["result"] for each in result}
    assert gate["Nova API gate"] == SUCCESS
    assert "crashed" not in ended.stdout


def test_what_is_beside_the_policy_file_is_a_warning(etc, monkeypatch):
    path = etc.folder / "policy.yaml"
    path.with_name("policy.yaml.disabled").touch()
    monkeypatch.setattr(mounts, "warning", lambda path: "It is a mount.")
    result = look(policy.policy, etc)
    assert result.code == WARNING
    assert f"{path}.disabled exists" in result.details
    assert result.details.count("It is a mount.") == 1


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OS_NOVA_CONFIG_DIR": " /srv "},
        {"OS_NOVA_CONFIG_FILES": "my.ini;nova.conf"},
        {"OS_NOVA_CONFIG_FILES": ""},
        {"OS_NOVA_CONFIG_DIR": "/srv", "OS_NOVA_CONFIG_FILES": "/etc/x.ini"},
    ],
)
def test_the_file_of_wsgi_is_the_one_that_nova_itself_finds(environ):
    from nova.api.openstack import wsgi_app

    conf = SimpleNamespace(config_file=["/etc/nova/nova.conf"])
    first, *_ = wsgi_app._get_config_files(environ)
    assert files.wsgi_paste(conf, environ) == first
