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
    violation = {"text": text, "property": None}
    refusal = {"violations": [violation] * 2, "more": 3, "changes": []}
    refusal |= {"fix": f"{text}`{text}`", "left": 0}
    return shown(horizon, refusal)


def shown(horizon, refusal):
    horizon.chromium.run(f"novaVhard.show({json.dumps(refusal)})")
    return horizon.find(".nova-vhard-refusal")


def test_markup_is_text(as_member):
    as_member.go("/project/instances/")
    box = show(as_member, MARKUP)
    assert box.text.count(MARKUP) == 4
    assert "And 3 more." in box.text
    assert not box.find_elements(By.CSS_SELECTOR, "img")


@pytest.mark.parametrize("data", [True, False])
def test_a_command_is_copied_whole(as_member, data):
    command = "openstack image set --property a=b IMAGE"
    as_member.go("/project/instances/")
    message = {"message": f"run `{command}` (HTTP 403)"}
    box = show(as_member, command) if data else shown(as_member, message)
    box.find_element(By.CSS_SELECTOR, "button.btn").click()
    chosen = as_member.chromium.run("return String(getSelection())")
    assert chosen == command
    assert box.find_element(By.CSS_SELECTOR, "button.btn").text == "Copied"


def test_it_can_be_closed(as_member):
    as_member.go("/project/instances/")
    box = show(as_member, "words")
    box.find_element(By.CSS_SELECTOR, "button.close").click()
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
