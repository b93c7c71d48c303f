# SPDX-License-Identifier: Apache-2.0
"""Very many violations: the leading ones are shown, the others counted."""

import json

import pytest

from nova_vhard.common import decisions
from nova_vhard.common.log import MESSAGE_LIMIT
from nova_vhard.explain import messages
from nova_vhard.exporter import payloads
from nova_vhard.exporter.metrics import Metrics
from nova_vhard.osc.image import images
from nova_vhard.osc.server import servers
from nova_vhard.osc.violations import OTHERS
from nova_vhard.policy import events
from nova_vhard.policy.hardware import (
    DeviceChoice,
    HardwareRequest,
    Passthrough,
)
from nova_vhard.policy.subject import BOOT, UPLOAD, Subject
from nova_vhard.policy.top_violations import MOST, leading
from nova_vhard.policy.verdict import evaluate
from tests.unit.event_lines import written
from tests.unit.helpers import TODAY, judge, policy

DISK = ("guest_devices.disk_bus",)
CARD = ("guest_devices.vif_model",)
RULES = policy(
    guest_devices={
        "disk_bus": {"allow": ["virtio"], "mode": "audit"},
        "vif_model": {"allow": ["virtio"]},
        "sound_model": {"allow": [], "mode": "warn"},
    }
)
#: As many as an image's property may have, less a few.
MANY = 250
IMAGE = {
    "id": "1f2e",
    "hw_vif_model": "e1000",
    "hw_sound_model": "ich6",
    "block_device_mapping": json.dumps([{"disk_bus": "ide"}] * MANY),
}


@pytest.fixture(scope="module")
def verdict():
    return judge(RULES, IMAGE)


def test_what_refuses_and_each_rule_is_shown(verdict):
    few = verdict.violations[:MOST]
    assert (leading(few).shown, leading(few).left_out) == (few, 0)
    result = leading(verdict.violations)
    assert len(result.shown) == MOST
    # the image's own properties precede its block devices
    rules = [each.rules for each in result.shown]
    assert rules.count(DISK) == MOST - 2
    assert CARD in rules
    assert dict(result.more) == {(DISK, "audit"): MANY - MOST + 2}
    later = leading(verdict.violations[::-1])
    assert {each.rules for each in later.shown} == set(rules)
    assert later.shown[-1].rules == rules[0]


def test_rules_of_one_mode_have_their_share():
    none = {"allow": []}
    rules = policy(guest_devices={"disk_bus": none, "cdrom_bus": none})
    entries = [{"disk_bus": "ide"}] * MANY
    entries[-MOST:] = [{"disk_bus": "ide", "device_type": "cdrom"}] * MOST
    verdict = judge(rules, {"block_device_mapping": json.dumps(entries)})
    shown = [each.rules for each in leading(verdict.violations).shown]
    assert shown.count(DISK) == MOST // 2


def test_no_more_are_put_into_words(verdict, monkeypatch):
    written_out = []
    for name in ("_sentence", "_phrase"):
        monkeypatch.setattr(
            messages,
            name,
            lambda each, *_: written_out.append(each) or "words",
        )
    text = messages.describe(verdict.violations, "ask")
    assert f" (20) words And {MANY + 2 - MOST} more. To fix: ask" in text
    text = messages.fault_message(verdict.violations)
    assert text.endswith(f"; words; and {MANY + 2 - MOST} more")
    assert len(written_out) == 2 * MOST


def test_an_event_counts_the_others(verdict):
    with written("bare", events.LOG) as stream:
        events.write("glance-api", Subject(UPLOAD), verdict, 0.1)
    event = json.loads(stream.getvalue())
    assert len(event["violations"]) == MOST
    assert event["more"] == [
        {"rules": list(DISK), "mode": "audit", "count": MANY - MOST + 2}
    ]
    assert event["rules"] == verdict.rules
    # and who reads events misses none
    assert sum(n for *_, n in decisions.violations(event)) == MANY + 2
    counted = payloads.decision(event)
    assert (CARD[0], "enforce", 1) in counted.violations
    metrics = Metrics([])
    metrics.decided(counted)
    labels = {"gate": "glance-api", "rule": DISK[0], "mode": "audit"}
    name = "nova_vhard_violations_total"
    assert metrics.registry.get_sample_value(name, labels) == MANY
    assert len(stream.getvalue()) < 10_000


def test_tables_have_a_row_for_the_others():
    rows = list(images.find(RULES, IMAGE, TODAY).rows("violates"))
    assert len(rows) == MOST + 1
    *_, rule, mode, asked, fix, state = rows[-1]
    wanted = (OTHERS, "", f"and {MANY + 2 - MOST} more", "", "violates")
    assert (rule, mode, asked, str(fix), state) == wanted
    # one bus twice is one finding, as a rebuild would have it
    choices = tuple(
        DeviceChoice("disk_bus", f"bus{number}", f"bdm[{number}]")
        for number in range(MANY)
    )
    server = servers.Server("id", had=HardwareRequest(choices=choices))
    rows = servers.rows(RULES, server, TODAY)
    assert len(rows) == MOST + 1
    assert rows[-1][4:7] == (OTHERS, "", f"and {MANY - MOST} more")


def test_no_event_is_longer_than_a_record_may_be():
    odd = "\U0001f600" * 300
    subject = Subject(
        BOOT, odd, odd, frozenset(f"{odd}{n}" for n in range(999)), odd, odd
    )
    result = judge(
        RULES,
        {"block_device_mapping": json.dumps([{"disk_bus": odd}] * MANY)},
    )
    with written("bare", events.LOG) as stream:
        events.write("glance-api", subject, result, 0.1)
    assert len(stream.getvalue()) < 64 * 1024
    assert len(json.loads(stream.getvalue())["subject"]["roles"]) == MOST


def test_an_event_that_is_too_long_counts_them_all():
    """A character of an odd name is twelve bytes of JSON."""
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
    devices = tuple(Passthrough("aliases", name, "flavor") for name in names)
    facts = dict.fromkeys(("project", "domain", "image", "flavor"), names[0])
    subject = Subject(BOOT, roles=frozenset(names), **facts)
    verdict = evaluate(
        rules, HardwareRequest(passthrough=devices), subject, TODAY
    )
    with written("bare", events.LOG) as stream:
        events.write("nova-api", subject, verdict, 0.1)
    event = json.loads(stream.getvalue())
    assert len(event["exemptions"]) == MOST
    assert event["violations"] == []
    kind = {"rules": ["passthrough.allow"], "mode": "enforce"}
    assert event["more"] == [{**kind, "count": MOST}]
    assert event["rules"] == ["passthrough.allow"]
    assert len(stream.getvalue()) <= MESSAGE_LIMIT
