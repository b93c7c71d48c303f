# SPDX-License-Identifier: Apache-2.0
"""The table of refusals, in the browser: the data of a refusal is followed.

What is sent is what Horizon's forms send for an image.
"""

import json

import pytest

from tests import refusals

_SEND = """
    const [method, path, data] = %s, request = new XMLHttpRequest();
    request.open(method, WEBROOT + 'api/glance/images/' + path, false);
    const token = document.cookie.match(/csrftoken=([^;]+)/)[1];
    request.setRequestHeader('X-CSRFToken', token);
    request.setRequestHeader('X-Requested-With', 'XMLHttpRequest');
    request.setRequestHeader('Content-Type', 'application/json');
    request.send(JSON.stringify(data));
    return [request.status, JSON.parse(request.responseText || '{}')];
"""
BY_HAND = ("guest_devices.architecture", "guest_devices.image_signature")
NEW = {"name": "a", "disk_format": "raw", "container_format": "bare"}


def upload(send, properties):
    return send("PUT", "", {**NEW, "visibility": "private", **properties})


@pytest.mark.parametrize(
    "row",
    [row for row in refusals.TABLE if row.request in ("upload", "change")],
    ids=lambda row: row.name,
)
def test_the_form_does_what_a_refusal_says(as_member, member, policy, row):
    def send(*what):
        return as_member.chromium.run(_SEND % json.dumps(what))

    def sent(*changes):
        if row.request == "upload":
            return upload(send, refusals.image(row.sends, *changes))
        wanted = refusals.image(row.sends, *changes)
        change = {"updated": wanted, "removed": []}
        return send("PATCH", f"{image['id']}/properties/", change)

    as_member.go("/project/images")
    policy(f'version: "1"\nextends: strict\n{row.policy}')
    if row.request == "change":
        status, image = upload(send, refusals.image())
        assert status == 201, image
    status, answer = sent()
    assert status == 403
    changes = {
        each["property"]: each["value"]
        for each in answer["nova_vhard"]["changes"]
    }
    # Of these the fix is an instruction, and sets nothing in a form.
    by_hand = row.rule.startswith(BY_HAND)
    assert changes.keys() == ({} if by_hand else row.do).keys()
    assert answer["nova_vhard"]["fix"]
    status, made = sent(row.do if by_hand else changes)
    assert status < 300
    member.image.delete_image(made["id"] if made else image["id"])
