# SPDX-License-Identifier: Apache-2.0
"""Horizon handles other errors; our refusals are rendered as text."""

import json

import pytest
from selenium.webdriver.common.by import By

from tests.functional.report import browser

MARKUP = "<img src=x onerror=alert(1)>"
NO_POLICY = "Policy doesn't allow os_compute_api:servers:rebuild"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"forbidden": {"code": 403, "message": NO_POLICY}}),
        (409, {"conflictingRequest": {"code": 409, "message": "busy"}}),
    ],
)
def test_another_error_is_horizons(
    as_member, server, nova_answers, status, body
):
    nova_answers(status, body)
    as_member.go("/project/instances/")
    as_member.act(server.name, "Rebuild Instance")
    as_member.pick("image", "clean")
    as_member.finish()
    as_member.until(as_member.is_closed)
    assert "Unable to rebuild instance." in as_member.find(".alert").text
    assert not as_member.shown(".nova-vhard-refusal")


def show(horizon, text):
    """Show a refusal that says the same everywhere."""
    refusal = {
        "message": text,
        "violations": [{"text": text, "rule": text}],
        "more": 3,
        "fix": [
            {"text": text, "command": False},
            {"text": text, "command": True},
        ],
    }
    horizon.chromium.run(f"novaVhard.show({json.dumps(refusal)})")
    return horizon.find(".nova-vhard-refusal")


def test_markup_is_text(as_member):
    as_member.go("/project/instances/")
    shown = show(as_member, MARKUP)
    assert shown.text.count(MARKUP) == 4
    assert "And 3 more." in shown.text
    assert not shown.find_elements(By.CSS_SELECTOR, "img")


def test_a_command_is_copied_whole(as_member):
    as_member.go("/project/instances/")
    shown = show(as_member, "openstack image set --property a=b IMAGE")
    shown.find_element(By.CSS_SELECTOR, "button.btn").click()
    chosen = as_member.chromium.run("return String(getSelection())")
    assert chosen == "openstack image set --property a=b IMAGE"
    assert shown.find_element(By.CSS_SELECTOR, "button.btn").text == "Copied"


def test_it_can_be_closed(as_member):
    as_member.go("/project/instances/")
    shown = show(as_member, "words")
    shown.find_element(By.CSS_SELECTOR, "button.close").click()
    assert not as_member.shown(".nova-vhard-refusal")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "size", [browser.WIDE, browser.NARROW], ids=["wide", "narrow"]
)
def test_axe_finds_nothing_in_it(as_member, size, dark):
    with as_member.seen(size, dark):
        as_member.go("/project/instances/")
        show(as_member, "words of a refusal")
        assert as_member.chromium.axe(".nova-vhard-refusal") == []
