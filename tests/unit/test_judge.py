# SPDX-License-Identifier: Apache-2.0
"""The judge: one decision event a judged request, and log lines."""

import json
import logging
import textwrap

import pytest
from oslo_config import cfg
from oslo_context.context import RequestContext

from nova_vhard.conf import opts
from nova_vhard.conf import vhard as vhard_conf
from nova_vhard.explain import messages
from nova_vhard.gates.enforcer import PolicyEnforcer
from nova_vhard.policy import events as policy_events
from nova_vhard.policy.hardware import DeviceChoice
from nova_vhard.policy.model import Mode
from nova_vhard.policy.subject import UPDATE, UPLOAD, Subject
from nova_vhard.policy.verdict import (
    Verdict,
    Violation,
    evaluate,
    violated,
)
from nova_vhard.policy.watch import today
from nova_vhard.request import image
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import ServerRequest, of_image
from tests import logged
from tests.unit.helpers import TODAY, write

EVENTS = "nova_vhard.decisions"
POLICY = """\
    version: "1"
    mode: {mode}
    enabled: {enabled}
    guest_devices: {{disk_bus: {{allow: [virtio]}}}}
    """


@pytest.fixture
def judge(tmp_path):
    def make(mode="enforce", enabled="true", more="", **options):
        conf = cfg.ConfigOpts()
        conf([], project="test")
        vhard_conf.register(conf)
        text = POLICY.format(mode=mode, enabled=enabled)
        path = write(tmp_path / "policy.yaml", textwrap.dedent(text) + more)
        conf.set_override("policy_file", path, "vhard")
        conf.set_override("state_path", str(tmp_path / "state"), "vhard")
        for name, value in options.items():
            conf.set_override(name, value, "vhard")
        return PolicyEnforcer("gate", "service", conf)

    return make


@pytest.fixture
def events(caplog):
    """Call to get the events that were logged."""
    caplog.set_level(logging.INFO)
    RequestContext(request_id="req-1", overwrite=True)
    return lambda: [json.loads(each.getMessage()) for each in of(caplog)]


def of(caplog):
    return [each for each in caplog.records if each.name == EVENTS]


SUBJECT = Subject(
    UPLOAD,
    project="p\n1",
    domain="d1",
    roles=frozenset(("b", "a")),
    image="i1",
    flavor="m1\n.small",
    flavor_id="1",
    server="s1",
)
CLEAN = of_image(Image(), SUBJECT)
IDE = of_image(Image({"hw_disk_bus": "ide"}), SUBJECT)


def test_gates_of_a_process_report_a_bad_policy_once(judge, tmp_path, caplog):
    gates = [judge(), judge()]
    good = {gate.policy().digest for gate in gates}
    write(tmp_path / "policy.yaml", 'version: "2"')
    assert {gate.policy().digest for gate in gates} == good
    errors = [each for each in caplog.records if each.levelname == "ERROR"]
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("mode", "enabled", "outcome", "level"),
    [
        ("enforce", "true", "refuse", ["INFO"]),
        ("warn", "true", "warn", ["WARNING"]),
        # the event alone
        ("audit", "true", "audit", []),
        ("enforce", "false", "disabled", []),
    ],
)
def test_one_event_a_request(
    judge, events, caplog, mode, enabled, outcome, level
):
    each = judge(mode, enabled)
    policy = each.policy()
    text = each.refusal(policy, IDE)
    assert bool(text) == (outcome == "refuse")
    # oslo.log does not write the context again
    assert [record.context for record in of(caplog)] == [None]
    assert [name for name, _ in lines(caplog)] == level
    (event,) = events()
    assert event.pop("microseconds") >= 0
    judged = enabled == "true"
    assert event == {
        "request": "req-1",
        "gate": "gate",
        "operation": "upload",
        "subject": {
            "project": "p1",
            "domain": "d1",
            "image": "i1",
            "flavor": "m1.small",
            "server": "s1",
            "roles": ["a", "b"],
        },
        "rules": ["guest_devices.disk_bus"] * judged,
        "violations": [
            {
                "rule": "guest_devices.disk_bus",
                "rules": ["guest_devices.disk_bus"],
                "source": "image property hw_disk_bus",
                "value": "ide",
                "mode": mode,
            }
        ]
        * judged,
        "exemptions": [],
        "mode": mode if judged else None,
        "outcome": outcome,
        "service": False,
        "policy": policy.digest,
    }


def test_an_event_without_a_context_and_of_a_value_that_is_not_known(
    events, monkeypatch
):
    monkeypatch.setattr(policy_events, "get_current", lambda: None)
    choice = DeviceChoice("disk_bus", None, "image")
    violation = Violation(("guest_devices.disk_bus",), choice, Mode.WARN)
    verdict = Verdict((violation,))
    policy_events.write("gate", Subject(UPLOAD), verdict, 1.0)
    (event,) = events()
    assert event["request"] is None
    assert event["service"] is False
    assert event["microseconds"] == 10**6
    assert event["violations"][0]["value"] is None


def test_an_event_is_whole_as_long_as_a_record_may_be(
    judge, events, monkeypatch, caplog
):
    policy = judge().policy()
    request = image.read({"hw_disk_bus": "ide"})
    verdict = evaluate(policy, request, SUBJECT, TODAY)
    policy_events.write("gate", SUBJECT, verdict, 1.0)
    length = len(caplog.messages[-1])
    for limit in (length, length - 1):
        monkeypatch.setattr(policy_events, "MESSAGE_LIMIT", limit)
        policy_events.write("gate", SUBJECT, verdict, 1.0)
    _, whole, cut = events()
    assert (len(whole["violations"]), len(cut["violations"])) == (1, 0)


def lines(caplog):
    """Return what an operator reads beside the events."""
    return logged.lines(caplog, "nova_vhard.gates.enforcer")


@pytest.mark.parametrize(
    ("mode", "service", "level", "done"),
    [
        ("enforce", False, "INFO", "refuses"),
        ("warn", False, "WARNING", "lets pass (mode warn)"),
        ("enforce", True, "WARNING", "lets pass (a service makes it)"),
        ("warn", True, "WARNING", "lets pass (a service makes it)"),
    ],
)
def test_the_line_for_the_operator(judge, caplog, mode, service, level, done):
    caplog.set_level(logging.INFO)
    judged = judge(mode)
    judged.refusal(judged.policy(), IDE, service)
    verdict = IDE.verdict(judged.policy(), TODAY)
    why = messages.describe(verdict.violations)
    assert messages.TO_FIX not in why
    assert "hw_disk_bus='ide' is not allowed" in why
    assert lines(caplog) == [(level, f"gate {done} upload: {why}")]


HAD = ServerRequest(IDE.hardware, SUBJECT, existing=(IDE.hardware,))
TOUCHED = frozenset(("hw_disk_bus",))
CHANGE = of_image(IDE.image, Subject(UPDATE, "p1"), Image(), TOUCHED)


@pytest.mark.parametrize(
    ("mode", "request_", "service", "outcome"),
    [
        ("enforce", CLEAN, False, "allow"),
        # a request of a service passes, and is marked
        ("enforce", IDE, True, "warn"),
        ("warn", IDE, True, "warn"),
        ("audit", IDE, True, "audit"),
        # present devices are judged as a move
        ("enforce", HAD, False, "warn"),
        ("enforce", CHANGE, False, "refuse"),
    ],
)
def test_what_passes(judge, events, mode, request_, service, outcome):
    judged = judge(mode)
    text = judged.refusal(judged.policy(), request_, service=service)
    assert bool(text) is (outcome == "refuse")
    (event,) = events()
    assert (event["service"], event["outcome"]) == (service, outcome)
    assert event["rules"] == ["guest_devices.disk_bus"] * (
        request_ is not CLEAN
    )


EXEMPTION = """\
exemptions:
  - id: old
    reason: its driver
    until: 2999-12-31
    projects: [p1]
    rules: {guest_devices.disk_bus: [ide]}
"""


def test_what_an_exemption_lifts_a_server_does_not_violate(judge):
    rules = judge(more=EXEMPTION).policy()
    for project, broken in (("p1", 0), ("p2", 1)):
        subject = Subject(UPLOAD, project)
        result = violated(rules, [IDE.hardware], subject, today())
        assert len(result) == broken


def test_a_refusal_names_the_page_of_this_cloud(judge):
    enforcer = judge(help_url="https://c/policy")
    text = enforcer.refusal(enforcer.policy(), IDE)
    assert text.endswith(" See https://c/policy#rule-guest-devices-disk-bus")


def test_the_last_good_policy_is_kept_under_the_services_name(judge, tmp_path):
    good = judge().policy()
    kept = {each.name for each in (tmp_path / "state").iterdir()}
    assert kept == {"policy-service.json", "policy-service.json.runs"}
    # and a service that starts with a file of faults has it
    assert judge(mode="none").policy().digest == good.digest


def test_what_is_set_in_one_configuration_is_not_set_in_another(judge):
    judge()
    other = cfg.ConfigOpts()
    other([], project="other")
    vhard_conf.register(other)
    assert other.vhard.policy_file == "/etc/nova-vhard/policy.yaml"


def test_every_option_says_what_happens_when_it_is_wrong():
    for _, options in opts.list_opts():
        for option in options:
            assert len(option.help) > 100, option.name
            words = ("cannot", "does not start", "no effect", "is refused")
            assert any(each in option.help for each in words), option.name
