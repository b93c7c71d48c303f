# SPDX-License-Identifier: Apache-2.0
"""No way of writing a request gets a refused device past the gate.

Each request is sent twice: plain Glance stores what it asks for, so that it
is a way past a gate that reads it otherwise; with the gate nothing is stored.

A PATCH is judged on the image as it would be afterwards, and refused only for
the properties that it adds or names. A default that a change causes is
refused at the boot.
"""

from pathlib import Path

import pytest
import webob

from nova_vhard.status import probe
from tests import logged
from tests.functional.glance import service
from tests.functional.glance.conftest import MakeUser
from tests.functional.glance.encodings import CREATE, UPDATE, Change, Stored
from tests.functional.glance.wire import (
    User,
    Wire,
    add,
    create,
    message,
    refused,
)
from tests.unit.helpers import judge, shipped


@pytest.mark.parametrize("case", CREATE.values(), ids=CREATE)
def test_create_is_refused(
    gated: User, plain: User, caplog: pytest.LogCaptureFixture, case: Stored
) -> None:
    caplog.set_level("INFO", logged.DECISIONS)
    response = gated.send(case.wire)
    assert response.status_int == case.status, response.text
    assert bool(refused(caplog)) == (case.status == 403)
    assert plain.images() == []
    # and plain Glance creates it
    response = plain.send(case.wire)
    assert response.status_int == 201, response.text
    assert [image[case.name] for image in plain.images()] == [case.value]


@pytest.mark.parametrize("case", UPDATE.values(), ids=UPDATE)
def test_update(
    gated: User, plain: User, caplog: pytest.LogCaptureFixture, case: Change
) -> None:
    from glance.api.v2.images import RequestDeserializer
    from glance.common.wsgi import Request

    from nova_vhard.gates.glance_api import changed

    caplog.set_level("INFO", logged.DECISIONS)
    before = plain.create(**case.stored).json
    wire = case.wire.about(before["id"])
    # when
    response = gated.send(wire)
    # then
    assert response.status_int == case.status, response.text
    assert refused(caplog) == case.refused
    if case.status != 200:
        assert plain.image(before["id"]) == before
        # and plain Glance makes the change
        response = plain.send(wire)
        assert response.status_int == 200, response.text
    # The gate reads in it what Glance stores.
    parsed = RequestDeserializer().update(Request(wire.environ()))
    expected = changed(before, parsed["changes"])
    after = plain.image(before["id"])
    assert {**after, "updated_at": ""} == {**expected, "updated_at": ""}
    if case.boot:
        verdict = judge(shipped("baseline"), after, after["disk_format"])
        rules = [rule for each in verdict.refusals for rule in each.rules]
        assert rules == case.boot


@pytest.mark.parametrize("name", ["name", "hw_disk_bus"])
def test_an_image_that_is_not_there_is_for_glance_to_miss(
    gated: User, plain: User, name: str
) -> None:
    # given
    stranger = User(plain.app)
    theirs = stranger.create(hw_disk_bus="ide").json["id"]
    gone = plain.create().json["id"]
    plain.send(Wire("DELETE", f"/v2/images/{gone}"))
    # when
    for image in (theirs, gone, "00000000-0000-0000-0000-000000000000", "x"):
        response = gated.update(image, add(f"/{name}", "ide"))
        # then
        assert response.status_int == 404
        assert response.text == plain.update(image, add("/name", "a")).text
    assert stranger.image(theirs)["name"] == "image"


def test_another_projects_public_image_is_for_glance_to_guard(
    gated: User, plain: User
) -> None:
    admin = User(plain.app, roles="admin,member,reader")
    image = admin.create(visibility="public").json["id"]
    rename = add("/name", "mine")
    response = gated.update(image, rename)
    assert response.status_int == 403
    assert response.text == plain.update(image, rename).text
    admin.send(Wire("DELETE", f"/v2/images/{image}"))


def test_an_image_cannot_bring_the_exemption_of_its_owner_along(
    under: MakeUser, plain: User
) -> None:
    """A user may not name another project as the owner of an image."""
    exempted = User(plain.app)
    rules = "rules: {guest_devices.disk_bus: [ide]}, until: 2999-12-31"
    whom = f"id: a, reason: b, projects: [{exempted.project}]"
    user = under(f"exemptions: [{{{whom}, {rules}}}]\n")
    response = user.create(hw_disk_bus="ide", owner=exempted.project)
    assert response.status_int == 403
    assert plain.images() == exempted.images() == []


def test_the_request_of_the_probe(gated: User, plain: User) -> None:
    """The gate refuses it in the words that count, Glance in its own."""
    body = {
        "name": probe.NAME,
        "disk_format": probe.NAME,
        "hw_disk_bus": "ide",
    }
    assert message(gated.send(create(body))).startswith(probe._REFUSES)
    answer = plain.send(create(body))
    assert (answer.status_int, plain.images()) == (400, [])
    assert probe._REFUSES not in answer.text


MISPLACED = {
    "filter:vhard": {"paste.filter_factory": service.GATE},
    "composite:api": {
        service.FLAVOR: "versionnegotiation authtoken vhard context rootapp"
    },
}


@pytest.mark.usefixtures("directory")
def test_a_gate_that_cannot_tell_who_asks_passes_nothing(
    gated: User, plain: User, tmp_path: Path
) -> None:
    """Before the filter for it, or for a request without a token."""
    paste = service.paste_file(tmp_path / "a.ini", None, **MISPLACED)
    misplaced = plain.of(service.load(paste))
    assert misplaced.create(hw_disk_bus="virtio").status_int == 503
    assert plain.images() == []
    request = webob.Request(create({"hw_disk_bus": "ide"}).environ())
    assert request.get_response(gated.app).status_int == 401
