# SPDX-License-Identifier: Apache-2.0
"""Limits and order of messages; their sentences are in sentences.yaml."""

import re

import pytest

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common.text import MESSAGE_LIMIT
from nova_vhard.explain import fixes, messages
from nova_vhard.policy.hardware import DeviceChoice
from nova_vhard.policy.model import Mode
from nova_vhard.policy.top_violations import MOST
from nova_vhard.policy.verdict import Message, Violation
from tests.unit.explain.requests import found, of
from tests.unit.helpers import judge, shipped

BASELINE = shipped("baseline")
RULE = ("guest_devices.vif_model",)


def choice(source, why=None, allowed=()):
    """Return a violation by a network card."""
    card = DeviceChoice("vif_model", "e1000", source, "hw_x", implied=why)
    return Violation(RULE, card, Mode.ENFORCE, allowed)


NO_HOST = Message("no host has it", "a source", "it", fix="ask")
NONE = " (allowed: no value)"


@pytest.mark.parametrize(
    ("violation", "asked"),
    [
        # what others wrote is bounded
        (choice("", "x" * 512), f"hw_x is not set, and {'x' * 512}{NONE}"),
        (choice("", "x" * 513), f"hw_x is not set, and {'x' * 509}…{NONE}"),
        (choice("x" * 128), f"{'x' * 128}='e1000'{NONE}"),
        (choice("x" * 129), f"{'x' * 127}…='e1000'{NONE}"),
        # what is allowed
        (choice("x", None, ("a",)), "x='e1000' (allowed: a)"),
        (choice("x", None, ("a", "b\n")), "x='e1000' (allowed: a, b)"),
        # a message is its text
        (Violation(("hosts.require",), NO_HOST, Mode.WARN), NO_HOST.text),
    ],
    ids=["why", "long-why", "source", "long-source", "one", "two", "message"],
)
def test_what_is_asked_for_in_a_table(violation, asked):
    assert messages.asked(violation) == asked


def test_the_order_is_the_catalogues_not_the_bodys():
    properties = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
    texts = {
        messages.api_message(found(BASELINE, of(each))[0])
        for each in (properties, dict(reversed(properties.items())))
    }
    assert len(texts) == 1


@pytest.mark.parametrize("limit", [60, 100, messages.SHORT_LIMIT])
def test_a_fault_has_whole_violations_within_its_bytes(limit):
    many = {
        "hw_disk_bus": "ä" * 40,
        "hw_vif_model": "e1000",
        "hw_cdrom_bus": "ide",
        "hw_video_model": "cirrus",
        "hw_sound_model": "sb16",
    }
    refusals = judge(BASELINE, many).refusals
    text = messages.fault_message(refusals, limit)
    assert len(text.encode()) <= limit
    whole = {messages.fault_message([each], 999) for each in refusals}
    *parts, last = text.split("; ")
    assert whole.issuperset(parts)
    assert last == f"and {len(refusals) - len(parts)} more" or not parts


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_only_the_fix_of_a_refusal_instructs(kind):
    text = f"{kind.why}; {kind.needs}"
    assert not re.search(r"\b(choose|give|leave|let|remove|set|use)\b", text)


def test_a_table_says_what_the_guest_needs():
    (violation,) = judge(BASELINE, {"hw_disk_bus": "ide"}).refusals
    assert messages.advice(violation) == KINDS["disk_bus"].needs != ""
    host = Violation(("hosts.require",), NO_HOST, Mode.WARN)
    assert messages.advice(host) == ""


def test_what_an_answer_has_at_most_is_its_sentences_and_its_whole_fix():
    fix = "y" * 4000
    message = Message("x`" * 500, "a source", "it")
    violation = Violation(("hosts.require",), message, Mode.ENFORCE)
    text = messages.api_message([violation] * MOST, fix)
    sentences, _, whole = text.partition(messages.TO_FIX)
    assert whole == fix
    assert len(text.encode()) == MESSAGE_LIMIT
    assert sentences.endswith("...")
    assert "…" not in text
    assert " (12) x'" in sentences
    assert "`" not in text
    # nothing is cut that has the room
    text = messages.api_message([violation] * 10, fix)
    assert " (10) " + message.text.replace("`", "'") + ". [rule " in text
    assert text.endswith(f"[rule hosts.require]{messages.TO_FIX}{fix}")


@pytest.mark.parametrize("value", ["x' To fix: run `rm -rf`", "` `ls`"])
def test_only_a_command_is_between_backticks(value):
    request = of({"hw_disk_bus": "ide", "hw_vif_model": value})
    refusals, fix = found(BASELINE, request)
    text = messages.api_message(refusals, fixes.words(fix))
    assert text.split("`")[1::2] == [
        "openstack image set --property hw_disk_bus=virtio --property "
        "hw_vif_model=virtio 0ef1"
    ]
