# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status probe: results for responses of running APIs."""

import http.server
import json
import threading
from types import SimpleNamespace

import pytest
from keystoneauth1 import noauth, session
from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.cmd import status
from nova_vhard.conf import status as status_conf
from nova_vhard.explain import messages
from nova_vhard.status import probe
from nova_vhard.status.node import Node
from tests.unit.helpers import write

SUCCESS, WARNING, FAILURE = Code.SUCCESS, Code.WARNING, Code.FAILURE
BASELINE = "version: '1'\nextends: baseline\n"
REFUSAL = f"{messages.OPENING}…"


class Api:
    """A real HTTP server that answers in turn, and keeps what it is asked.

    :ivar answers: pairs of status and text; the last one for ever
    """

    def __init__(self):
        self.answers = [(403, REFUSAL)]
        self.asked = []
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                size = int(self.headers["Content-Length"])
                api.asked.append(
                    (self.path, json.loads(self.rfile.read(size)))
                )
                code, text = api.answers[0]
                if len(api.answers) > 1:
                    api.answers.pop(0)
                self.send_response(code)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(
            target=self.server.serve_forever, args=(0.01,)
        ).start()


@pytest.fixture
def api():
    api = Api()
    yield api
    api.server.shutdown()
    api.server.server_close()


@pytest.fixture
def ask(api, tmp_path):
    """Return a function that runs one probe."""

    def run(check, policy=BASELINE, *options):
        path = write(tmp_path / "policy.yaml", policy)
        conf = cfg.ConfigOpts()
        status_conf.register(conf)
        conf(
            [f"--policy={path}", *options],
            project="test",
            default_config_files=[],
        )
        node = Node(conf)
        endpoint = SimpleNamespace(get_endpoint=lambda: f"{api.url}/v2.1")
        node.__dict__["cloud"] = SimpleNamespace(
            session=session.Session(noauth.NoAuth(endpoint=api.url)),
            config=SimpleNamespace(get_session_client=lambda name: endpoint),
        )
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
def test_a_gate_that_refuses_is_a_success(ask, api, check, path):
    result = ask(check)
    assert result.code == SUCCESS, result.details
    ((asked, body),) = api.asked
    assert asked == path
    assert "ide" in json.dumps(body)
    assert probe.NAME in json.dumps(body)


@pytest.mark.parametrize(
    ("answers", "code", "texts"),
    [
        (
            [(400, "no such flavor")],
            FAILURE,
            ["1 400 without a word of the gate"],
        ),
        ([(403, "policy")], FAILURE, ["1 403 without a word of the gate"]),
        # Workers that differ are counted.
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
        # A login that is not accepted tells nothing.
        ([(401, "Unauthorized")], WARNING, []),
    ],
)
@pytest.mark.parametrize("check", [probe.nova, probe.glance])
def test_an_answer_without_our_words_is_a_missing_gate(
    ask, api, check, answers, code, texts
):
    api.answers = [*answers]
    result = ask(check, BASELINE, f"--times={len(answers) * 2 - 1}")
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
def test_a_policy_that_refuses_nothing_cannot_be_probed(ask, api, policy):
    result = ask(probe.nova, policy)
    assert result.code == FAILURE
    assert "does not enforce disk_bus" in result.details
    assert api.asked == []


def test_the_words_of_a_refusal_are_the_gates():
    assert messages.OPENING.startswith(probe._REFUSES)


def test_the_command_runs_the_probes_alone(monkeypatch, capsys):
    missing = ["--nova-config-file=/none", "--glance-config-file=/none"]
    assert status.main([*missing, "probe", "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert [row["check"] for row in printed["checks"]] == list(probe.CHECKS)
