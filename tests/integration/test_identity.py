# SPDX-License-Identifier: Apache-2.0
"""Tokens of users, valid or expired, and tokens of services."""

from types import SimpleNamespace

import pytest
import requests

from cloud import users
from tests.integration.people import IDE, REFUSED, Person, refusal, restart


@pytest.fixture(scope="module")
def expired(cloud):
    """A member whose token was valid for one second."""
    path = cloud.place.home("keystone") / "keystone.conf"
    text = path.read_text()
    path.write_text(f"{text}[token]\nexpiration = 1\n")
    restart(cloud, "keystone-api")
    made = SimpleNamespace(token=Person(cloud.facts, users.MEMBER).token)
    path.write_text(text)
    restart(cloud, "keystone-api")
    return made


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
        # With a service token, Keystone accepts a token that has expired.
        ("expired", "service", {201}),
        ("expired", "member", {401}),
        ("expired", None, {401}),
    ],
)
def test_only_a_service_confirms_with_its_token(
    cloud, request, member, whose, confirmed_by, statuses
):
    tokens = {
        name: request.getfixturevalue(name).token
        for name in {whose, confirmed_by} - {"made-up", None}
    }
    headers = {"X-Auth-Token": tokens.get(whose, "made-up")}
    if confirmed_by:
        headers["X-Service-Token"] = tokens.get(confirmed_by, "made-up")
    answer = requests.post(
        f"{cloud.facts.url('glance')}/v2/images",
        json={"name": "by-token", "hw_disk_bus": "ide"},
        headers=headers,
        timeout=60,
    )
    assert answer.status_code in statuses, answer.text
    if (whose, confirmed_by) == ("member", "member"):
        assert REFUSED + IDE in answer.json()["forbidden"]["message"]
    if answer.ok:
        member.image.delete_image(answer.json()["id"])
    elif answer.status_code == 401:
        assert REFUSED not in answer.text


def test_a_reader_asks_for_nothing(reader):
    text = refusal(reader.ask, "by-reader", "clean")
    assert REFUSED not in text
    assert "os_compute_api:servers:create" in text
