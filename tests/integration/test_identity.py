# SPDX-License-Identifier: Apache-2.0
"""Who asks: tokens that are real, projects, service tokens."""

import datetime

import pytest
import requests

from cloud.policies import BASELINE
from tests.integration.people import IDE, REFUSED, refusal

EXEMPTION = """\
exemptions:
  - id: heritage-router
    reason: the vendor's router image has no virtio driver
    projects: ["{project}"]
    rules:
      guest_devices.disk_bus: [ide]
      guest_devices.vif_model: [e1000]
    until: {until}
"""


@pytest.mark.parametrize(
    ("whose", "confirmed_by", "statuses"),
    [
        # A snapshot of an old server, by a service with its user's token:
        # the refusals below are about who the token is of.
        ("member", "service", {201}),
        ("member", "member", {403}),
        ("member", "admin", {403}),
        ("member", "made-up", {401, 403}),
        ("service", None, {403}),
        ("made-up", None, {401}),
    ],
)
def test_only_a_service_confirms_with_its_token(
    cloud, request, member, whose, confirmed_by, statuses
):
    def token(name):
        if name == "made-up":
            return name
        return request.getfixturevalue(name).token

    headers = {"X-Auth-Token": token(whose)}
    if confirmed_by:
        headers["X-Service-Token"] = token(confirmed_by)
    answer = requests.post(
        f"{cloud.facts.url('glance')}/v2/images",
        json={"name": "by-token", "hw_disk_bus": "ide"},
        headers=headers,
        timeout=60,
    )
    assert answer.status_code in statuses, answer.text
    if confirmed_by == "member":
        assert REFUSED + IDE in answer.json()["forbidden"]["message"]
    if answer.ok:
        member.image.delete_image(answer.json()["id"])
    elif whose == "made-up":
        assert REFUSED not in answer.text


def test_a_reader_asks_for_nothing(reader):
    text = refusal(reader.ask, "by-reader", "clean")
    assert REFUSED not in text
    assert "os_compute_api:servers:create" in text


def test_an_exemption_is_for_its_project_only(policy, heritage, member):
    # given
    until = datetime.date.today() + datetime.timedelta(days=90)
    exemption = EXEMPTION.format(project=heritage.project, until=until)
    policy(BASELINE + exemption)
    old = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
    # when
    image = heritage.upload("heritage-router", **old)
    # then
    with heritage.server("router", "heritage-router") as server:
        assert server.status == "ACTIVE"
    heritage.image.delete_image(image)
    assert IDE in refusal(member.upload, "member-router", **old)
    assert IDE in refusal(member.ask, "router", "old-router")
