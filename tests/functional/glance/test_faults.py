# SPDX-License-Identifier: Apache-2.0
"""Faults of our own at Glance's gates: never a pass, never the user's."""

from types import SimpleNamespace

import pytest
import webob

from tests import faults
from tests.functional.glance.conftest import MakeUser
from tests.functional.glance.wire import User, Wire, add

GATES = "nova_vhard.gates"

#: In the order in which an upload comes through them.
CREATE = (
    f"{GATES}.glance_router.Router.call",
    f"{GATES}.enforcer.PolicyEnforcer.policy",
    f"{GATES}.glance_api.buffer_body",
    f"{GATES}.glance_api.subject_of",
    "nova_vhard.request.lookups.image_reader.read",
    "nova_vhard.request.server_request.evaluate",
    "nova_vhard.policy.events.write",
    "nova_vhard.policy.events._names",
)
UPDATE = (
    "glance.db.sqlalchemy.api.image_get",
    f"{GATES}.glance_api.changed",
    "nova_vhard.request.server_request.introduced_violations",
)
IMPORT = (
    f"{GATES}.glance_import.PolicyEnforcer",
    "nova_vhard.request.lookups.image_reader.read",
    "nova_vhard.request.server_request.evaluate",
    "nova_vhard.policy.events.write",
)
#: By an OSError it says that the client has sent less than announced.
READS_BODY = f"{GATES}.glance_api.buffer_body"

CASES = [
    (place, kind)
    for place in CREATE
    for kind in faults.KINDS
    if kind is not OSError or place != READS_BODY
]


def ours(response: webob.Response) -> None:
    """Check that a response is what we say of a fault of ours."""
    assert response.status_int == 503, response.text
    assert list(response.json) == ["serviceUnavailable"]
    text = response.json["serviceUnavailable"]["message"]
    assert "because of an internal error" in text
    assert response.headers["x-openstack-request-id"] in text
    assert faults.SECRET not in response.text


@pytest.mark.parametrize(("place", "kind"), CASES)
def test_an_upload(
    gated: User,
    plain: User,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    kind: type[Exception],
) -> None:
    monkeypatch.setattr(place, faults.failing(kind))
    with faults.errors() as logged:
        ours(gated.create(hw_disk_bus="virtio"))
    faults.check_logged(logged, kind)
    assert plain.images() == []


@pytest.mark.parametrize("place", UPDATE)
def test_a_change(
    gated: User, plain: User, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    image = plain.create().json
    monkeypatch.setattr(place, faults.failing(KeyError))
    with faults.errors() as logged:
        ours(gated.update(image["id"], add("/hw_machine_type", "q35")))
    faults.check_logged(logged, KeyError)
    assert plain.images() == [image]


def test_what_glance_itself_cannot_read(
    gated: User, plain: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the body's fault, as far as anybody knows; and it is logged."""
    from glance.api.v2 import images

    fail = faults.failing(AttributeError)
    monkeypatch.setattr(images.RequestDeserializer, "create", fail)
    with faults.errors() as logged:
        assert gated.create().status_int == 400
    faults.check_logged(logged, AttributeError)


def test_a_refused_upload(
    gated: User, plain: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "nova_vhard.explain.messages.api_message"
    monkeypatch.setattr(place, faults.failing(RuntimeError))
    ours(gated.create(hw_disk_bus="ide"))
    assert plain.images() == []


def test_a_search_of_a_fix(
    gated: User, plain: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal stays a refusal if the search for its fix fails."""
    place = "nova_vhard.explain.search._Search.run"
    monkeypatch.setattr(place, faults.failing(RuntimeError))
    with faults.errors() as logged:
        response = gated.create(hw_disk_bus="ide")
    assert response.status_int == 403
    assert "To fix" not in response.text
    faults.check_logged(logged, RuntimeError)
    assert plain.images() == []


def test_what_is_not_judged_goes_on(
    gated: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in CREATE:
        monkeypatch.setattr(place, faults.failing(RuntimeError))
    assert gated.send(Wire("GET", "/v2/images")).status_int == 200


@pytest.mark.parametrize("name", [faults.DECISIONS, faults.OURS])
def test_a_log_that_cannot_be_written(
    gated: User, plain: User, name: str
) -> None:
    with faults.broken_log(name):
        ours(gated.create())
        image = plain.create().json
        ours(gated.update(image["id"], add("/hw_disk_bus", "virtio")))
    assert plain.images() == [image]


def imported() -> str:
    """Judge an image in an import task; return what the user reads."""
    from glance import context
    from glance.common import exception

    from nova_vhard.gates.glance_import import JudgeImage

    who = context.RequestContext(project_id="p1", request_id="req-7")
    image = SimpleNamespace(owner="p1", disk_format="raw", extra_properties={})
    repository = SimpleNamespace(get={"image": image}.__getitem__)
    task = JudgeImage("task", who, repository, "image")
    with pytest.raises(exception.UploadException) as raised:
        task.execute()
    return str(raised.value)


@pytest.mark.parametrize("place", IMPORT)
def test_an_import(
    under: MakeUser, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    under()
    monkeypatch.setattr(place, faults.failing(KeyError))
    with faults.errors() as logged:
        text = imported()
    assert "because of an internal error" in text
    assert "req-7" in text
    assert faults.SECRET not in text
    faults.check_logged(logged, KeyError)


@pytest.mark.parametrize("name", [faults.DECISIONS, faults.OURS])
def test_an_import_and_a_log_that_cannot_be_written(
    under: MakeUser, name: str
) -> None:
    under()
    with faults.broken_log(name):
        assert "req-7" in imported()
