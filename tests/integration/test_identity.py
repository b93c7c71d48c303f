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


@pytest.fixture
def post_image(cloud):
    def post(token, service_token=None):
        headers = {"X-Auth-Token": token}
        if service_token:
            headers["X-Service-Token"] = service_token
        return requests.post(
            f"{cloud.facts.url('glance')}/v2/images",
            json={"name": "by-token", "hw_disk_bus": "ide"},
            headers=headers,
            timeout=60,
        )

    return post


def test_a_users_token_is_no_service_token(post_image, member):
    answer = post_image(member.token, member.token)
    assert answer.status_code == 403
    assert REFUSED + IDE in answer.json()["forbidden"]["message"]


def test_nor_is_an_administrators(post_image, member, admin):
    answer = post_image(member.token, admin.token)
    assert answer.status_code == 403


def test_nor_is_one_that_keystone_does_not_know(post_image, member):
    answer = post_image(member.token, "made-up")
    assert answer.status_code in (401, 403)


def test_a_service_with_a_users_token_makes_an_old_servers_snapshot(
    post_image, member, service
):
    # so the refusals above are about who the token is of
    answer = post_image(member.token, service.token)
    assert answer.status_code == 201
    member.image.delete_image(answer.json()["id"])


def test_a_services_own_token_alone_earns_nothing(post_image, service):
    assert post_image(service.token).status_code == 403


def test_without_a_token_it_is_keystones_refusal(post_image):
    answer = post_image("made-up")
    assert answer.status_code == 401
    assert REFUSED not in answer.text


def test_a_reader_asks_for_nothing(reader):
    text = refusal(reader.ask, "by-reader", "clean")
    assert REFUSED not in text
    assert "os_compute_api:servers:create" in text


@pytest.fixture
def exempted(policy, heritage):
    until = datetime.date.today() + datetime.timedelta(days=90)
    exemption = EXEMPTION.format(project=heritage.project, until=until)
    policy(BASELINE + exemption)


def test_an_exemption_is_for_its_project_only(exempted, heritage, member):
    # given
    old = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
    # when
    image = heritage.upload("heritage-router", **old)
    # then
    with heritage.server("router", "heritage-router") as server:
        assert server.status == "ACTIVE"
    heritage.image.delete_image(image)
    assert IDE in refusal(member.upload, "member-router", **old)
    assert IDE in refusal(member.ask, "router", "old-router")


def test_an_exempted_projects_old_server_is_its_own(exempted, heritage):
    with heritage.server("router", "old-router") as server:
        assert server.status == "ACTIVE"
