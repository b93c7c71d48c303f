# SPDX-License-Identifier: Apache-2.0
"""Tokens that end in the middle: a user's, and those of the services."""

import re
import time

import pytest
import requests
from cryptography.fernet import Fernet

from cloud import users
from cloud.machines import PROVEN
from tests.integration.people import IDE, REFUSED, Person, until
from tests.integration.test_servers import PROVEN_ONLY

IOMMU = "CUSTOM_VHARD_IOMMU"
#: Seconds; not fewer than three requests take on a busy machine.
LIFE = 8
#: A line of a log that is ours and no event, with the status in its text: the
#: ids before it may have these digits too.
UNAUTHORIZED = re.compile(r" nova_vhard\.(?!decisions ).*?\] .*\b401\b")


@pytest.fixture
def short_lives(cloud):
    """Keystone gives tokens that live for LIFE seconds."""
    path = cloud.place.home("keystone") / "keystone.conf"
    text = path.read_text()
    path.write_text(f"{text}[token]\nexpiration = {LIFE}\n")
    cloud.stop("keystone-api")
    cloud.start("keystone-api")
    yield
    path.write_text(text)
    cloud.stop("keystone-api")
    cloud.start("keystone-api")


def test_a_users_token_that_ends_between_two_requests(
    cloud, member, short_lives
):
    # given
    images = f"{cloud.facts.url('glance')}/v2/images"
    servers = f"{cloud.facts.url('nova')}/v2.1/servers"
    image = {"name": "short-lived", "hw_disk_bus": "ide"}
    server = {
        "name": "short-lived",
        "imageRef": member.image_id("old-router"),
        "flavorRef": "1",
    }
    token = Person(cloud.facts, users.MEMBER).token
    began = time.monotonic()

    def ask(url, body, **more):
        headers = {"X-Auth-Token": token, **more}
        return requests.post(url, json=body, headers=headers, timeout=60)

    choices = ((images, image), (servers, {"server": server}))
    # when
    before = [ask(*wish) for wish in choices]
    # then
    assert time.monotonic() - began < LIFE, "void: the machine is too slow"
    assert [each.status_code for each in before] == [403, 403]
    assert all(IDE in each.text for each in before)
    # and when
    time.sleep(LIFE + 1)
    after = [ask(*wish) for wish in choices]
    # then
    assert [each.status_code for each in after] == [401, 401]
    assert not any(REFUSED in each.text for each in after)
    assert not list(member.compute().servers(name="short-lived"))
    # for a service that began before, Keystone lets it pass
    confirmed = {"X-Service-Token": Person(cloud.facts, users.SERVICE).token}
    snapshot = ask(images, image, **confirmed)
    assert snapshot.status_code == 201
    member.image.delete_image(snapshot.json()["id"])


@pytest.fixture
def void(cloud, admin, member, reader, heritage, service):
    """Call to make every token void that there is."""

    def now():
        keys = cloud.place.home("keystone") / "keys"
        for each in keys.iterdir():
            each.write_bytes(Fernet.generate_key())
        # it has kept the tokens that it has seen
        cloud.stop("placement-api")
        cloud.start("placement-api")

    yield now
    for each in (admin, member, reader, heritage, service):
        each.session.invalidate()


def test_services_whose_tokens_are_void_go_on_with_fresh_ones(
    void, tree, policy, member, admin, logs
):
    # given
    policy(PROVEN_ONLY)
    with member.server("before", "clean"):
        void()
    # when
    with member.server("after", "clean") as server:
        # then
        assert admin.host(server) == PROVEN.name
    # and when
    tree(PROVEN, "vtd-off")
    # then
    until(lambda: IOMMU not in admin.traits(PROVEN.node))
    for name in ("nova-scheduler", f"reporter-{PROVEN.name}"):
        assert not [each for each in logs(name) if UNAUTHORIZED.search(each)]
