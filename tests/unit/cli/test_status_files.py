# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status: a node's files, flavors, and probes of running APIs.

The cases are in status_files.yaml. The keys of a case are:

``check``
    name of a check
``keep``, ``runs``
    services that have a saved policy; service to the policy in use
``files``
    name to text; ``shipped`` and ``gated`` are paste files, ``-> target`` is
    a symbolic link, null deletes the file; ``nova`` and ``glance`` are
    nova.conf and glance-api.conf with our options
``modes``, ``environ``, ``root``
    name to mode; environment variables; owner of the files (default: root)
``result``, ``text``
    result, and parts of the details, separated by `` … ``
``times``
    text to the number of its occurrences in the details
"""

import json
import os
import pathlib
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from keystoneauth1 import exceptions
from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.cmd import status
from nova_vhard.common import mounts
from nova_vhard.conf import status as status_conf
from nova_vhard.explain import messages
from nova_vhard.policy import check as policy_check
from nova_vhard.status import cloud, files, permissions, policy, probe
from nova_vhard.status.answers import NotHere
from nova_vhard.status.node import Node
from tests.unit.cli import nodes, tables
from tests.unit.helpers import write

pytestmark = pytest.mark.services
SUCCESS, WARNING, FAILURE = Code.SUCCESS, Code.WARNING, Code.FAILURE
NOVA_CONF = "nova/nova.conf"
#: Functions that make paste files from those of Nova and Glance.
MADE = {"shipped": nodes.shipped, "gated": nodes.gated}
CASES = tables.cases(pathlib.Path(__file__).with_name("status_files.yaml"))


@pytest.fixture
def etc(tmp_path, monkeypatch):
    # The user that runs the tests takes the role of root.
    monkeypatch.setattr(permissions, "_ROOT", os.getuid())
    monkeypatch.setattr(permissions, "HOOK", str(tmp_path / "hook"))
    return nodes.Etc(tmp_path)


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
    case = tables.filled(
        case, {"PATH": str(etc.folder), "$STOCK": nodes.STOCK}
    )
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
    assert "stays in force (nova-api: " in look(policy.policy, etc).details


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


def test_the_table_and_the_help(etc, capsys):
    code, (out, _) = run(etc, capsys)
    assert code == FAILURE  # there is no login to Placement
    assert "| Check: Nova API gate" in out
    assert "| Result: Success" in out
    for asked in (["--help"], ["probe", "--help"], ["probe-scheduler", "-h"]):
        capsys.readouterr()
        assert status.main(asked) == 0
        assert "probe-scheduler boots a server" in " ".join(
            capsys.readouterr().out.split()
        )


def test_it_runs_where_there_is_neither_nova_nor_glance(
    etc, capsys, monkeypatch
):
    """No function imports them; lint-imports looks at the modules."""
    for name in ("nova", "glance", "placement"):
        monkeypatch.setitem(sys.modules, name, None)
    ended, (out, _) = run(etc, capsys, "--json")
    assert ended == FAILURE and "crashed" not in out
    gates = {
        each["check"]: each["result"] for each in json.loads(out)["checks"]
    }
    assert gates["Nova API gate"] == SUCCESS


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

    # Relative, as an administrator may type it.
    conf = SimpleNamespace(config_file=[os.path.relpath("/etc/nova/a.conf")])
    first, *_ = wsgi_app._get_config_files(environ)
    assert files.wsgi_paste(conf, environ) == first


OFFERED = f"{nodes.POLICY}passthrough: {{allow: {{aliases: [gpu]}}}}\n"
IOMMU = "trait:CUSTOM_VHARD_IOMMU"
GPU = {"pci_passthrough:alias": "gpu:1"}
SYNCED = {
    **GPU,
    IOMMU: "required",
    "trait:CUSTOM_VHARD_INTERRUPT_REMAPPING": "required",
}


def flavor(name, specs):
    return SimpleNamespace(name=name, extra_specs=specs)


SYNC = "openstack vhard flavor sync"
ADMIN = ("admin",)
UNREACHABLE = Mock(side_effect=exceptions.ConnectFailure("unreachable"))


@pytest.mark.parametrize(
    ("flavors", "roles", "code", "texts"),
    [
        ([], ADMIN, SUCCESS, ["0 flavors"]),
        (
            [flavor("a", {}), flavor("b", SYNCED)],
            ADMIN,
            SUCCESS,
            ["1 flavors"],
        ),
        (
            [flavor("a", GPU)],
            ADMIN,
            FAILURE,
            ["1 flavors lack traits", SYNC],
        ),
        (
            [flavor("a", {IOMMU: "required"})],
            ADMIN,
            WARNING,
            ["no longer requires", SYNC],
        ),
        (
            [flavor(f"f{each}", GPU) for each in range(8)],
            ADMIN,
            FAILURE,
            ["(f0, f1, f2, f3, f4 and 3 more)", SYNC],
        ),
        (
            [flavor("a\u202e\n" + "x" * 99, GPU)],
            ADMIN,
            FAILURE,
            ["(axxx", SYNC],
        ),
        # a login that may not see all flavors is not a success
        (
            [flavor("b", SYNCED)],
            ("service",),
            WARNING,
            ["has no role admin", "--os-cloud"],
        ),
        (
            [flavor("b", SYNCED)],
            None,
            WARNING,
            ["does not show its roles", "--os-cloud"],
        ),
        # an API that does not answer
        (
            map(UNREACHABLE, "a"),
            ADMIN,
            WARNING,
            ["ConnectFailure: unreachable"],
        ),
    ],
)
def test_flavors(tmp_path, flavors, roles, code, texts):
    etc = nodes.Etc(tmp_path)
    etc.write("policy.yaml", OFFERED)
    node = etc.node
    node.compute = nodes.compute(flavors)
    node.cloud = Mock()
    access = node.cloud.session.auth.get_access
    access.return_value.role_names = roles
    access.side_effect = AttributeError if roles is None else None
    result = status._run(cloud.flavors, node, None)
    assert result.code == code
    assert [text for text in texts if text not in result.details] == []
    assert result.details.isprintable()


@pytest.mark.parametrize(
    ("check", "text", "code", "words"),
    [
        (cloud.flavors, nodes.POLICY, WARNING, "not known which flavors"),
        (cloud.reporters, OFFERED, WARNING, "not known which hosts"),
        (
            cloud.flavors,
            "mode: [\n",
            FAILURE,
            "the policy cannot be used",
        ),
        (
            cloud.placement,
            OFFERED,
            FAILURE,
            "no auth_type in group [placement] of nova.conf",
        ),
    ],
)
def test_no_login_at_all(tmp_path, check, text, code, words):
    etc = nodes.Etc(tmp_path)
    etc.write("policy.yaml", text)
    result = status._run(check, etc.node, None)
    assert result.code == code
    assert words in result.details


def test_a_cloud_that_clouds_yaml_does_not_name(tmp_path, monkeypatch):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "none.yaml"))
    node = nodes.Etc(tmp_path).node
    node.conf.set_override("os_cloud", "nowhere")
    result = status._run(cloud.flavors, node, None)
    assert result.code == WARNING
    assert "nowhere" in result.details


REFUSAL = f"{messages.OPENING}…"


@pytest.fixture
def session():
    """Return a session that repeats the last of its responses."""
    session = Mock(answers=[(403, REFUSAL)])

    def request(*_, **__):
        code, text = session.answers[0]
        del session.answers[: len(session.answers) > 1]
        return Mock(status_code=code, text=text)

    session.request.side_effect = request
    return session


@pytest.fixture
def ask(session, tmp_path):
    """Return a function that runs one probe."""

    def run(check, policy=nodes.POLICY, *options):
        path = write(tmp_path / "policy.yaml", policy)
        conf = cfg.ConfigOpts()
        status_conf.register(conf)
        conf(
            [f"--policy={path}", *options],
            project="test",
            default_config_files=[],
        )
        node = Node(conf)
        node.cloud = Mock(session=session)
        client = node.cloud.config.get_session_client.return_value
        client.get_endpoint.return_value = "http://api/v2.1"
        return status._run(check, node, None)

    return run


@pytest.mark.parametrize(
    ("check", "path"),
    [
        (probe.nova, "/v2.1/servers"),
        (probe.nova_legacy, "/v2/servers"),
        (probe.glance, "/v2.1/v2/images"),
    ],
)
def test_a_gate_that_refuses_is_a_success(ask, session, check, path):
    result = ask(check)
    assert result.code == SUCCESS, result.details
    ((url, method), more) = session.request.call_args
    assert (url, method) == (f"http://api{path}", "POST")
    body = json.dumps(more.pop("json"))
    assert "ide" in body and probe.NAME in body
    # a new connection for each request, and a response with any status
    assert more == {"headers": {"Connection": "close"}, "raise_exc": False}


@pytest.mark.parametrize(
    ("answers", "code", "texts"),
    [
        (
            [(400, "no such flavor")],
            FAILURE,
            ["1 400 without a word of the gate"],
        ),
        ([(403, "policy")], FAILURE, ["1 403 without a word of the gate"]),
        # Workers that respond differently are counted.
        (
            [(403, REFUSAL), (400, "no"), (403, REFUSAL)],
            FAILURE,
            [
                "5 times: 1 400 without a word of the gate, 4 refused",
                "Workers differ.",
            ],
        ),
        # A gate without a policy.
        (
            [(503, "The hardening policy of this cloud cannot be read")],
            FAILURE,
            ["503 of a gate that cannot judge"],
        ),
        # A rejected login proves nothing.
        ([(401, "Unauthorized")], WARNING, []),
    ],
)
@pytest.mark.parametrize("check", [probe.nova, probe.glance])
def test_an_answer_without_our_words_is_a_missing_gate(
    ask, session, check, answers, code, texts
):
    session.answers = [*answers]
    result = ask(check, nodes.POLICY, f"--times={len(answers) * 2 - 1}")
    assert result.code == code
    assert [text for text in texts if text not in result.details] == []


@pytest.mark.parametrize(
    "policy",
    [
        "version: '1'\nextends: baseline\nmode: audit\n",
        "version: '1'\nextends: baseline\nenabled: false\n",
        "version: '1'\n",
    ],
)
def test_a_policy_that_refuses_nothing_cannot_be_probed(ask, session, policy):
    result = ask(probe.nova, policy)
    assert result.code == FAILURE
    assert "does not enforce disk_bus" in result.details
    session.request.assert_not_called()


def test_the_command_runs_the_probes_alone(monkeypatch, capsys):
    missing = ["--nova-config-file=/none", "--glance-config-file=/none"]
    assert status.main([*missing, "probe", "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert [row["check"] for row in printed["checks"]] == list(probe.CHECKS)
