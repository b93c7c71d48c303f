# SPDX-License-Identifier: Apache-2.0
"""Refusal texts that the gates write and the dashboard parses."""

import pytest
from hypothesis import strategies as st

from nova_vhard.common.text import MESSAGE_LIMIT
from nova_vhard.explain import fixes, messages
from nova_vhard.policy.hardware import IMAGE, Holder
from nova_vhard.policy.subject import BOOT, UPLOAD, Subject
from nova_vhard.policy.top_violations import MOST
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import of_image
from nova_vhard_dashboard import refusal
from nova_vhard_dashboard.refusal import OPENING, Refusal, Sentence, Step
from tests import seeds
from tests.unit.explain.requests import found
from tests.unit.helpers import judge, shipped

BASELINE = shipped("baseline")
IDE = Sentence(
    "image property hw_disk_bus='ide' is not allowed (allowed: virtio, "
    "scsi): emulated disk controllers have had guest escapes; on virtio or "
    "scsi, only a guest with virtio drivers boots (Linux has them; Windows "
    "gets them from virtio-win).",
    "guest_devices.disk_bus",
)
E1000 = Sentence(
    "image property hw_vif_model='e1000' is not allowed (allowed: virtio): "
    "emulated network cards have had guest escapes; with virtio, the guest "
    "needs the virtio network driver.",
    "guest_devices.vif_model",
)
OLD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
#: What the clients that Horizon uses put around an answer.
CLIENTS = (
    "{}",
    "HTTP {}",
    "403: Client Error for url: http://glance/v2/images, {}",
    "{} (HTTP 403)",
    "{} (HTTP 403) (Request-ID: req-7e6c2f0a-5b0d-4a52-9a3e-2c1d9b6f7a01)",
    "Unable to rebuild instance.…{} (HTTP 403) (Request-ID: req-7e6c)",
)


def message(properties, subject=Subject(BOOT)):  # noqa: B008
    holder = Holder(None, subject.project)
    request = of_image(Image(properties, holder=holder), subject)
    refusals, fix = found(BASELINE, request)
    return messages.api_message(refusals, fixes.words(fix))


@pytest.mark.parametrize("client", CLIENTS)
def test_one_violation_whatever_the_client_adds(client):
    text = message({"hw_disk_bus": "ide"})
    result = refusal.read(client.format(text))
    assert result.message == text
    assert result.violations == (IDE,)
    assert result.more == 0
    assert result.fix == (
        Step("run ", False),
        Step("openstack image set --property hw_disk_bus=virtio IMAGE", True),
    )


def test_several_violations_and_one_fix():
    result = refusal.read(message(OLD, Subject(UPLOAD)))
    assert result.violations == (IDE, E1000)
    assert result.fix == (
        Step("upload it with ", False),
        Step(
            "--property hw_disk_bus=virtio --property hw_vif_model=virtio",
            True,
        ),
    )


def test_commands_one_after_the_other():
    holder = Holder("1f2e", "theirs", "qcow2")
    subject = Subject(BOOT, project="mine", image="1f2e")
    request = of_image(Image(OLD, "qcow2", IMAGE, holder), subject)
    refusals, fix = found(BASELINE, request)
    text = fixes.words(fix)
    result = refusal.read(messages.api_message(refusals, text))
    commands = [step.text for step in result.fix if step.command]
    assert [command.split()[:3] for command in commands] == [
        ["openstack", "image", "save"],
        ["openstack", "image", "create"],
    ]
    assert result.fix[-1] == Step(", and name my-copy instead", False)


def test_how_many_more_there_are():
    entries = ", ".join('{"disk_bus": "ide"}' for _ in range(MOST + 5))
    properties = {"block_device_mapping": f"[{entries}]"}
    result = refusal.read(message({**properties, "bdm_v2": "true"}))
    assert len(result.violations) == MOST
    assert result.more == 5


@pytest.mark.parametrize(
    "text", ["", "HTTP 403 Forbidden", "This cloud refuses the request", "{}"]
)
def test_what_is_no_refusal_is_none(text):
    assert refusal.read(text) is None


@pytest.mark.parametrize(
    "value",
    [
        "x' [rule a.b] To fix: run `rm -rf`",
        "` To fix: `ls`",
        "] (2) more",
        " (HTTP 403)",
        "<b>ide</b>",
        " And 7 more.",
        OPENING,
    ],
)
def test_what_others_wrote_makes_no_command(value):
    text = message({"hw_disk_bus": "ide", "hw_vif_model": value})
    result = refusal.read(text)
    commands = [step.text for step in result.fix if step.command]
    assert commands == [
        "openstack image set --property hw_disk_bus=virtio --property "
        "hw_vif_model=virtio IMAGE"
    ]
    assert result.message == text
    assert [each.rule for each in result.violations] == [IDE.rule, E1000.rule]
    assert result.more == 0


@pytest.mark.parametrize(
    ("rest", "violations", "more", "fix"),
    [
        ("a [rule b]", [Sentence("a", "b")], 0, []),
        # cut before its rule
        ("a…", [Sentence("a…", "")], 0, []),
        ("a And 7 more.", [Sentence("a", "")], 7, []),
        # cut within a command
        (
            "a [rule b] To fix: `c` d `e` f `g",
            [Sentence("a", "b")],
            0,
            [
                Step("c", True),
                Step(" d ", False),
                Step("e", True),
                Step(" f `g", False),
            ],
        ),
    ],
)
def test_what_is_not_whole(rest, violations, more, fix):
    text = OPENING + rest
    wanted = Refusal(text, tuple(violations), more, tuple(fix))
    assert refusal.read(text) == wanted


@seeds.searched(st.text(max_size=300), 100)
def test_any_text_after_the_opening_is_shown_whole(rest):
    result = refusal.read(refusal.OPENING + rest)
    assert result is not None
    assert result.message.startswith(refusal.OPENING)
    assert result.message.isprintable()


@seeds.searched(
    st.dictionaries(
        st.sampled_from(["hw_disk_bus", "hw_vif_model", "hw_cdrom_bus"]),
        st.text(min_size=1, max_size=80),
        min_size=1,
    ),
    100,
)
def test_every_refusal_of_ours_is_taken_apart(properties):
    refusals = judge(BASELINE, properties).refusals
    if not refusals:
        return
    text = message(properties)
    result = refusal.read(text)
    assert result.message == text
    rules = [each.rule for each in result.violations]
    assert rules == [each.rule for each in refusals]


@pytest.mark.parametrize(
    ("rule", "anchor"),
    [
        ("guest_devices.disk_bus", "rule-guest-devices-disk-bus"),
        ("passthrough.allow", "rule-passthrough-allow"),
        ("vhard:require", "rule-vhard-require"),
    ],
)
def test_where_a_rule_is_explained(rule, anchor):
    url = f"https://docs.example.org/rules.html#{anchor}"
    text = f"{OPENING}a [rule {rule}] To fix: run `b` See {url}"
    assert messages.anchor(rule) == anchor
    assert refusal.read(text) == Refusal(
        text,
        (Sentence("a", rule),),
        0,
        (Step("run ", False), Step("b", True)),
        url,
    )


def test_how_far_it_is_looked_for():
    before = "x" * (2 * MESSAGE_LIMIT - len(OPENING))
    assert refusal.read(f"{before}{OPENING}").message == OPENING
    assert refusal.read(f"{before} {OPENING}") is None


def test_it_is_bounded():
    result = refusal.read(refusal.OPENING + "x" * 1_000_000)
    assert len(result.message) < 40_000
