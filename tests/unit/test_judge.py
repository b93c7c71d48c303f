# SPDX-License-Identifier: Apache-2.0
"""Gates: the judge, its events and messages, bodies, and the router."""

import io
import json
import logging
import re
from types import SimpleNamespace
from unittest import mock

import pytest
import webob
from oslo_context.context import RequestContext

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common import decisions, log
from nova_vhard.common.text import MESSAGE_LIMIT
from nova_vhard.conf import opts, vhard
from nova_vhard.explain import messages
from nova_vhard.exporter import payloads
from nova_vhard.exporter.metrics import Metrics
from nova_vhard.gates import http, routing
from nova_vhard.gates.enforcer import PolicyEnforcer
from nova_vhard.osc.image import images
from nova_vhard.osc.server import servers
from nova_vhard.osc.violations import OTHERS
from nova_vhard.policy import (
    events,
    hardware,
    hosts,
    model,
    top_violations,
    verdict,
)
from nova_vhard.policy.subject import BOOT, UPDATE, UPLOAD, Subject
from nova_vhard.policy.top_violations import MOST, leading
from nova_vhard.policy.verdict import Cause, Verdict, Violation, evaluate
from nova_vhard.request import lookups, server_request
from tests import faults, logged, refusals
from tests.unit.docs import REFUSED, extension
from tests.unit.event_lines import written
from tests.unit.helpers import TODAY, configured, judge, policy, write

POLICY = """\
    version: "1"
    mode: {mode}
    enabled: {enabled}
    guest_devices: {{disk_bus: {{allow: [virtio]}}}}
    """


@pytest.fixture
def gated(tmp_path):
    def make(mode="enforce", enabled="true", **options):
        conf = configured(
            vhard,
            policy_file=write(
                tmp_path / "policy.yaml",
                POLICY.format(mode=mode, enabled=enabled),
            ),
            state_path=str(tmp_path / "state"),
            **options,
        )
        return PolicyEnforcer("gate", "service", conf)

    return make


@pytest.fixture
def told(caplog):
    """Call to get the events that were logged."""
    caplog.set_level(logging.INFO)
    RequestContext(request_id="req-1", overwrite=True)
    return lambda: [json.loads(each.getMessage()) for each in of(caplog)]


def of(caplog):
    return [
        each for each in caplog.records if each.name == "nova_vhard.decisions"
    ]


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
CLEAN = server_request.of_image(lookups.Image(), SUBJECT)
IDE = server_request.of_image(lookups.Image({"hw_disk_bus": "ide"}), SUBJECT)


@pytest.mark.refused_policy
def test_gates_of_a_process_report_a_bad_policy_once(gated, tmp_path, caplog):
    gates = [gated(), gated()]
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
    gated, told, caplog, mode, enabled, outcome, level
):
    each = gated(mode, enabled)
    policy = each.policy()
    assert bool(each.refusal(policy, IDE)) == (outcome == "refuse")
    # oslo.log does not write the context again
    assert (
        [record.context for record in of(caplog)],
        [name for name, _ in lines(caplog)],
    ) == ([None], level)
    (event,) = told()
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
    told, monkeypatch
):
    monkeypatch.setattr(events, "get_current", lambda: None)
    verdict = Verdict(
        (
            Violation(
                ("guest_devices.disk_bus",),
                Cause("disk_bus", "image", None),
                model.Mode.WARN,
            ),
        )
    )
    events.write("gate", Subject(UPLOAD), verdict, 1.0)
    (event,) = told()
    assert [
        event[name] for name in (("request", "service", "microseconds"))
    ] == [None, False, 10**6]
    assert event["violations"][0]["value"] is None


def test_an_event_is_whole_as_long_as_a_record_may_be(
    gated, told, monkeypatch, caplog
):
    verdict = IDE.verdict(gated().policy(), TODAY)
    events.write("gate", SUBJECT, verdict, 1.0)
    length = len(caplog.messages[-1])
    for limit in (length, length - 1):
        monkeypatch.setattr(events, "MESSAGE_LIMIT", limit)
        events.write("gate", SUBJECT, verdict, 1.0)
    _, whole, cut = told()
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
def test_the_line_for_the_operator(gated, caplog, mode, service, level, done):
    caplog.set_level(logging.INFO)
    judged = gated(mode)
    judged.refusal(judged.policy(), IDE, service)
    why = messages.describe(IDE.verdict(judged.policy(), TODAY).violations)
    assert messages.TO_FIX not in why
    assert "hw_disk_bus='ide' is not allowed" in why
    assert lines(caplog) == [(level, f"gate {done} upload: {why}")]


HAD = server_request.ServerRequest(
    IDE.hardware, SUBJECT, existing=(IDE.hardware,)
)
CHANGE = server_request.of_image(
    IDE.image,
    Subject(UPDATE, "p1"),
    lookups.Image(),
    frozenset(("hw_disk_bus",)),
)


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
def test_what_passes(gated, told, mode, request_, service, outcome):
    judged = gated(mode)
    assert bool(
        judged.refusal(judged.policy(), request_, service=service)
    ) is (outcome == "refuse")
    (event,) = told()
    rules = ["guest_devices.disk_bus"] * (request_ is not CLEAN)
    assert (event["service"], event["outcome"]) == (service, outcome)
    assert event["rules"] == rules


def test_a_refusal_names_the_page_of_this_cloud(gated):
    enforcer = gated(help_url="https://c/policy")
    assert enforcer.refusal(enforcer.policy(), IDE).endswith(
        " See https://c/policy#rule-guest-devices-disk-bus"
    )


@pytest.mark.refused_policy
def test_the_last_good_policy_is_kept_under_the_services_name(gated, tmp_path):
    good = gated().policy()
    assert {each.name for each in (tmp_path / "state").iterdir()} == {
        "policy-service.json",
        "policy-service.json.runs",
    }
    # and a service that starts with a file of faults has it
    assert gated(mode="none").policy().digest == good.digest


@pytest.mark.parametrize(
    "option",
    [each for _, options in opts.list_opts() for each in options],
    ids=lambda option: option.name,
)
def test_every_option_says_what_happens_when_it_is_wrong(option):
    words = "cannot|does not start|no effect|is refused"
    assert len(option.help) > 100 and re.search(words, option.help)


# If there are many violations, the first are shown, and the rest counted.

DISK = ("guest_devices.disk_bus",)
CARD = ("guest_devices.vif_model",)
RULES = policy(
    guest_devices={
        "disk_bus": {"allow": ["virtio"], "mode": "audit"},
        "vif_model": {"allow": ["virtio"]},
        "sound_model": {"allow": [], "mode": "warn"},
    }
)
#: Slightly less than the number of block devices that fit in a property.
MANY = 250
IMAGE = {
    "id": "1f2e",
    "hw_vif_model": "e1000",
    "hw_sound_model": "ich6",
    "block_device_mapping": json.dumps([{"disk_bus": "ide"}] * MANY),
}


@pytest.fixture(scope="module")
def leading_verdict():
    return judge(RULES, IMAGE)


def test_what_refuses_and_each_rule_is_shown(leading_verdict):
    few = leading_verdict.violations[:MOST]
    assert (leading(few).shown, leading(few).left_out) == (few, 0)
    result = leading(leading_verdict.violations)
    assert len(result.shown) == MOST
    # the image's own properties precede its block devices
    rules = [each.rules for each in result.shown]
    assert rules.count(DISK) == MOST - 2
    assert CARD in rules
    assert dict(result.more) == {(DISK, "audit"): MANY - MOST + 2}
    later = leading(leading_verdict.violations[::-1])
    assert ({each.rules for each in later.shown}, later.shown[-1].rules) == (
        set(rules),
        rules[0],
    )


def test_rules_of_one_mode_have_their_share():
    none = {"allow": []}
    verdict = judge(
        policy(guest_devices={"disk_bus": none, "cdrom_bus": none}),
        {
            "block_device_mapping": json.dumps(
                ([{"disk_bus": "ide"}] * (MANY - MOST))
                + ([{"disk_bus": "ide", "device_type": "cdrom"}] * MOST)
            )
        },
    )
    assert [each.rules for each in leading(verdict.violations).shown].count(
        DISK
    ) == MOST // 2


def test_no_more_are_put_into_words(leading_verdict, monkeypatch):
    write = mock.Mock(return_value="words")
    for name in ("_sentence", "_phrase"):
        monkeypatch.setattr(messages, name, write)
    text = messages.describe(leading_verdict.violations, "ask")
    assert f" (20) words And {MANY + 2 - MOST} more. To fix: ask" in text
    text = messages.fault_message(leading_verdict.violations)
    assert text.endswith(f"; words; and {MANY + 2 - MOST} more")
    assert write.call_count == 2 * MOST


def event_of(gate, subject, leading_verdict):
    """Return the event of a verdict; its line must not be too long."""
    with written("bare", events.LOG) as stream:
        events.write(gate, subject, leading_verdict, 0.1)
    assert len(stream.getvalue()) <= log.MESSAGE_LIMIT
    return json.loads(stream.getvalue())


def test_an_event_counts_the_others(leading_verdict):
    event = event_of("glance-api", Subject(UPLOAD), leading_verdict)
    assert (len(event["violations"]), event["more"], event["rules"]) == (
        MOST,
        [{"rules": list(DISK), "mode": "audit", "count": MANY - MOST + 2}],
        leading_verdict.rules,
    )
    # the event still accounts for every violation
    assert sum(n for *_, n in decisions.violations(event)) == MANY + 2
    counted = payloads.decision(event)
    assert (CARD[0], "enforce", 1) in counted.violations
    metrics = Metrics([])
    metrics.decided(counted)
    labels = {"gate": "glance-api", "rule": DISK[0], "mode": "audit"}
    name = "nova_vhard_violations_total"
    assert metrics.registry.get_sample_value(name, labels) == MANY


def test_tables_have_a_row_for_the_others():
    rows = list(images.find(RULES, IMAGE, TODAY).rows("violates"))
    assert len(rows) == MOST + 1
    assert (*map(str, rows[-1][-5:]),) == (
        (OTHERS, "", f"and {MANY + 2 - MOST} more", "", "violates")
    )
    # two devices on one bus are one finding, as for a rebuild
    server = servers.Server(
        "id",
        had=hardware.HardwareRequest(
            choices=tuple(
                hardware.DeviceChoice(
                    "disk_bus", f"bus{number}", f"bdm[{number}]"
                )
                for number in range(MANY)
            )
        ),
    )
    rows = servers.Auditor(RULES, TODAY).rows(server)
    assert (len(rows), rows[-1][4:7]) == (
        (MOST + 1),
        (OTHERS, "", f"and {MANY - MOST} more"),
    )


def test_no_event_is_longer_than_a_record_may_be():
    odd = "\U0001f600" * 300
    subject = Subject(
        BOOT, odd, odd, frozenset(f"{odd}{n}" for n in range(999)), odd, odd
    )
    event = event_of(
        "glance-api",
        subject,
        judge(
            RULES,
            {"block_device_mapping": json.dumps([{"disk_bus": odd}] * MANY)},
        ),
    )
    assert len(event["subject"]["roles"]) == MOST


def test_an_event_that_is_too_long_counts_them_all():
    """Each of these characters takes twelve bytes in JSON."""
    odd = "\U0001f600" * 62
    names = [f"{number:02}{odd}" for number in range(2 * MOST)]
    exemptions = [
        {
            "id": name,
            "reason": "old",
            "until": "2999-01-01",
            "projects": names[:1],
            "rules": {"passthrough.allow": [name]},
        }
        for name in names[:MOST]
    ]
    rules = policy(
        passthrough={"allow": {"aliases": []}}, exemptions=exemptions
    )
    devices = tuple(
        hardware.Passthrough("aliases", name, "flavor") for name in names
    )
    facts = dict.fromkeys(("project", "domain", "image", "flavor"), names[0])
    subject = Subject(BOOT, roles=frozenset(names), **facts)
    event = event_of(
        "nova-api",
        subject,
        evaluate(
            rules,
            hardware.HardwareRequest(passthrough=devices),
            subject,
            TODAY,
        ),
    )
    kind = {"rules": ["passthrough.allow"], "mode": "enforce"}
    assert len(event["exemptions"]) == MOST
    assert (event["violations"], event["rules"]) == ([], kind["rules"])
    assert event["more"] == [{**kind, "count": MOST}]


# The link in a refusal: [vhard] help_url with an anchor for each rule.

PAGE = "https://docs.example/why"
URL_RULES = [
    *(f"guest_devices.{kind}" for kind in KINDS),
    verdict.GUEST_DEVICES,
    verdict.PASSTHROUGH_ALLOW,
    verdict.PASSTHROUGH_REQUIRE,
    hosts.HOSTS_REQUIRE,
    hosts.FLAVOR_REQUIRE,
]


def test_every_rule_has_a_refusal_and_an_anchor_of_its_own():
    assert {row.rule for row in refusals.TABLE} == set(URL_RULES)
    text = extension().rules()
    anchors = re.findall(r"^\.\. _(rule-[a-z-]+):$", text, re.MULTILINE)
    assert anchors == [messages.anchor(rule) for rule in URL_RULES]
    assert len(set(anchors)) == len(URL_RULES)
    assert [rule for rule in URL_RULES if f"\n``{rule}``\n" not in text] == []
    assert ".. include:: ../_generated/rules.inc\n" in REFUSED.read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("rule", URL_RULES)
def test_url_of_each_rule_is_at_the_end(rule):
    text = messages.api_message(
        [
            verdict.Violation(
                (rule,), verdict.Cause("", "b", "c", "a"), model.Mode.ENFORCE
            )
        ],
        help_url=PAGE,
    )
    url = f"{PAGE}#{messages.anchor(rule)}"
    assert text.endswith(f"[rule {rule}] See {url}")


def test_the_longest_refusal_has_its_url_whole():
    violation = verdict.Violation(
        (hosts.HOSTS_REQUIRE,),
        verdict.Cause("", "a", "b", "x" * 2000),
        model.Mode.ENFORCE,
    )
    page = f"https://{'z' * 504}"
    text = messages.api_message(
        [violation] * top_violations.MOST, "y" * 4000, page
    )
    assert len(text.encode()) == MESSAGE_LIMIT
    assert text.endswith(f"{'y' * 4000} See {page}#rule-hosts-require")


@pytest.mark.parametrize(
    "value", ["", PAGE, "http://10.0.0.1:8080/a/b.html?c=d"]
)
def test_valid_help_urls(value):
    assert configured(vhard, help_url=value).vhard.help_url == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("help_url", "docs.example"),
        ("help_url", "ftp://docs.example"),
        ("help_url", "javascript:alert(1)"),
        ("help_url", f"{PAGE}#anchor"),
        ("help_url", f"{PAGE} here"),
        ("help_url", f"{PAGE}\n"),
        ("help_url", f"{PAGE}`id`"),
        ("help_url", f'{PAGE}"><script>'),
        ("help_url", "https://" + "x" * 505),
        ("notification_topic", "a b"),
    ],
)
def test_invalid_option_values(name, value):
    with pytest.raises(ValueError, match="doesn't match regex"):
        configured(vhard, **{name: value})


# Behavior common to the API gates.


@pytest.mark.parametrize(
    ("query", "overrides"),
    [
        (None, False),
        ("", False),
        ("name=x", False),
        ("_method=PATCH", True),
        ("a=1&_method=", True),
        ("%5Fmethod=PATCH", True),
        ("_%6dethod=PATCH&x=_method", True),
        ("a=%ff&_method=PATCH", True),
        ("name=my_method", False),
        ("name=%ff_method", False),
    ],
)
def test_a_query_that_would_replace_the_method(query, overrides):
    environ = {"QUERY_STRING": query, "REQUEST_METHOD": "POST"}
    assert http.overrides_method(environ) is overrides
    assert not http.overrides_method({})


@pytest.mark.parametrize("broken", [False, True])
def test_a_fault_is_told_even_if_it_cannot_be_logged(broken):
    logger = log.get_logger("nova_vhard.test")
    context = RequestContext(request_id="req-7", overwrite=False)
    with (
        faults.broken_log(faults.OURS) if broken else faults.errors()
    ) as logged:
        try:
            raise KeyError(faults.SECRET)
        except KeyError:
            text = http.report_fault(logger, context)
    assert text.endswith(
        "Report this request ID to the cloud's operator: req-7"
    )
    if not broken:
        faults.check_logged(logged, KeyError)


def test_a_body_can_be_read_again_and_rewound_by_webob():
    environ = {
        "wsgi.input": io.BytesIO(b"12345 and more"),
        "CONTENT_LENGTH": "5",
        "REQUEST_METHOD": "POST",
    }
    assert http.read_body(environ, 5) == b"12345"
    assert environ["wsgi.input"].read() == b"12345"
    request = webob.Request(environ)
    assert request.is_body_seekable
    request.make_body_seekable()
    assert request.body == b"12345"


def test_a_body_shorter_than_announced_is_no_body():
    environ = {"wsgi.input": io.BytesIO(b"1234")}
    with pytest.raises(OSError, match="shorter"):
        http.read_body(environ, 5)


# The layers of the application below a gate, down to the router.


class Layer:
    """Middleware, or the router of a service."""

    def __init__(self, name=None, application=None):
        if name:
            setattr(self, name, application)

    def __call__(self):
        """Do nothing."""


NAMES = ["application", "app", "_application", "_app", "wrapped"]


def stack(*names):
    """Return middleware, outermost first, followed by the router."""
    layers = [Layer()]
    for name in reversed(names):
        layers.insert(0, Layer(name, layers[0]))
    return layers


@pytest.mark.parametrize(
    ("names", "first"),
    [
        ([], 0),
        (NAMES[:1], 1),
        (NAMES, len(NAMES)),
        (NAMES * 12, len(NAMES) * 12),
        # the first match is returned
        (["app", "app"], 1),
    ],
)
def test_everything_behind_is_found_in_order(names, first):
    layers = stack(*names)
    assert list(routing.wrapped(layers[0])) == layers
    wanted = layers[first:].__contains__
    found = routing.find(layers[0], wanted, "Nova", "there")
    assert found == (layers[first], layers[:first])


def test_what_cannot_be_called_is_no_application_and_a_ring_has_an_end():
    layer = Layer("application", "a name")
    layer.app = ring = Layer()
    ring.app = ring
    assert [*dict.fromkeys(routing.wrapped(layer))] == [layer, ring]


def test_without_a_router_what_stands_there_is_named():
    layers = [*stack("app"), SimpleNamespace()]
    layers[1].wrapped = lambda: None
    with pytest.raises(routing.NoRouter) as raised:
        routing.find(layers[0], lambda _: False, "Nova's API", "put it last")
    assert str(raised.value) == (
        "no router of Nova's API comes after the filter vhard in this "
        "pipeline (found: Layer, Layer, function): put it last"
    )
