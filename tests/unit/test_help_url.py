# SPDX-License-Identifier: Apache-2.0
"""Where a refusal points at: [vhard] help_url, and an anchor for each rule."""

import re

import pytest
from oslo_config import cfg

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common.text import MESSAGE_LIMIT
from nova_vhard.conf import vhard
from nova_vhard.explain import messages
from nova_vhard.policy.hosts import FLAVOR_REQUIRE, HOSTS_REQUIRE
from nova_vhard.policy.model import Mode
from nova_vhard.policy.top_violations import MOST
from nova_vhard.policy.verdict import (
    GUEST_DEVICES,
    PASSTHROUGH_ALLOW,
    PASSTHROUGH_REQUIRE,
    Message,
    Violation,
)
from tests import refusals
from tests.unit.docs import REFUSED, extension, judged

PAGE = "https://docs.example/why"
RULES = [
    *(f"guest_devices.{kind}" for kind in KINDS),
    GUEST_DEVICES,
    PASSTHROUGH_ALLOW,
    PASSTHROUGH_REQUIRE,
    HOSTS_REQUIRE,
    FLAVOR_REQUIRE,
]


def test_every_rule_has_a_refusal_and_an_anchor_of_its_own():
    assert {row.rule for row in refusals.TABLE} == set(RULES)
    text = extension().rules()
    anchors = re.findall(r"^\.\. _(rule-[a-z-]+):$", text, re.MULTILINE)
    assert anchors == [messages.anchor(rule) for rule in RULES]
    assert len(set(anchors)) == len(RULES)
    for rule in RULES:
        assert f"\n``{rule}``\n" in text
    page = REFUSED.read_text(encoding="utf-8")
    assert ".. include:: ../_generated/rules.inc\n" in page


@pytest.mark.parametrize("rule", RULES)
def test_url_of_each_rule_is_at_the_end(rule):
    violation = Violation((rule,), Message("a", "b", "c"), Mode.ENFORCE)
    text = messages.api_message([violation], help_url=PAGE)
    url = f"{PAGE}#{messages.anchor(rule)}"
    assert text.endswith(f"[rule {rule}] See {url}")


def test_it_stands_behind_the_fix_and_changes_nothing_else():
    refusals = judged("baseline", {"hw_disk_bus": "ide"}).refusals
    plain = messages.api_message(refusals, "run `ls`")
    pointing = messages.api_message(refusals, "run `ls`", PAGE)
    url = f"{PAGE}#rule-guest-devices-disk-bus"
    assert pointing == f"{plain} See {url}"


def test_the_longest_refusal_has_its_url_whole():
    message = Message("x" * 2000, "a", "b")
    violation = Violation((HOSTS_REQUIRE,), message, Mode.ENFORCE)
    page = f"https://{'z' * 504}"
    text = messages.api_message([violation] * MOST, "y" * 4000, page)
    assert len(text.encode()) == MESSAGE_LIMIT
    assert text.endswith(f"{'y' * 4000} See {page}#rule-hosts-require")


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ("", True),
        (PAGE, True),
        ("http://10.0.0.1:8080/a/b.html?c=d", True),
        ("docs.example", False),
        ("ftp://docs.example", False),
        ("javascript:alert(1)", False),
        (f"{PAGE}#anchor", False),
        (f"{PAGE} here", False),
        (f"{PAGE}\n", False),
        (f"{PAGE}`id`", False),
        (f'{PAGE}"><script>', False),
        ("https://" + "x" * 505, False),
    ],
)
def test_what_the_option_may_be(value, valid):
    conf = cfg.ConfigOpts()
    vhard.register(conf)
    conf([], project="test", default_config_files=[])
    if valid:
        conf.set_override("help_url", value, "vhard")
        assert conf.vhard.help_url == value
    else:
        with pytest.raises(ValueError, match="doesn't match regex"):
            conf.set_override("help_url", value, "vhard")
