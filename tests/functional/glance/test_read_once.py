# SPDX-License-Identifier: Apache-2.0
"""Glance changes the very image that the gate has judged.

Each of two changes may be allowed of the image as it was, and refused of what
the other makes of it.
"""

import copy
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nova_vhard.gates import glance_api, glance_images
from nova_vhard.gates.enforcer import PolicyEnforcer
from tests.functional.glance import test_routing
from tests.functional.glance.conftest import MakeUser
from tests.functional.glance.wire import (
    User,
    Wire,
    add,
    message,
    remove,
)

Between = Callable[[Callable[[], object]], None]
DRIVE = add("/img_config_drive", "mandatory")
OLD_MACHINE = add("/hw_machine_type", "pc")
#: Of the event that a change is judged with, and of one that is not.
NAMES = ("img_config_drive", "hw_machine_type")


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Between:
    """Have something happen when the next change is judged, just before."""
    judge = PolicyEnforcer.refusal

    def happens(other: Callable[[], object]) -> None:
        waiting = [other]

        def late(*arguments: object) -> object:
            while waiting:
                waiting.pop()()
            return judge(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(PolicyEnforcer, "refusal", late)

    return happens


def _stored(plain: User, image: str) -> dict[str, str | None]:
    content = plain.image(image)
    return {name: content.get(name) for name in NAMES}


def test_what_is_judged_is_what_is_stored(
    gated: User, plain: User, between: Between
) -> None:
    # given
    image = plain.create(hw_machine_type="q35").json["id"]
    between(lambda: gated.update(image, OLD_MACHINE))
    # when
    response = gated.update(image, DRIVE)
    # then
    assert response.status_int == 200
    assert _stored(plain, image) == dict(
        zip(NAMES, ("mandatory", "q35"), strict=True)
    )


def test_each_is_refused_after_the_other(gated: User, plain: User) -> None:
    for first, second in ((DRIVE, OLD_MACHINE), (OLD_MACHINE, DRIVE)):
        image = plain.create(hw_machine_type="q35").json["id"]
        assert gated.update(image, first).status_int == 200
        assert "ide" in message(gated.update(image, second))


def test_read_twice_both_would_be_stored(
    under: MakeUser,
    plain: User,
    between: Between,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    monkeypatch.setattr(glance_images, "share", lambda controllers: None)
    user = under()
    image = plain.create(hw_machine_type="q35").json["id"]
    between(lambda: user.update(image, OLD_MACHINE))
    # when
    user.update(image, DRIVE)
    # then
    assert _stored(plain, image) == dict(
        zip(NAMES, ("mandatory", "pc"), strict=True)
    )


def test_an_image_deleted_meanwhile_is_gone(
    gated: User, plain: User, between: Between
) -> None:
    # given
    image = plain.create().json["id"]
    between(lambda: plain.send(Wire("DELETE", f"/v2/images/{image}")))
    # when
    response = gated.update(image, add("/hw_machine_type", "q35"))
    # then
    assert response.status_int == 404


@pytest.mark.parametrize(
    "operation", [DRIVE, add("/hw_disk_bus", "ide"), remove("/hw_vif_model")]
)
def test_the_database_is_asked_as_often_as_without_the_gate(
    gated: User,
    plain: User,
    operation: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from glance.db import ImageRepo

    # given
    reads: list[str] = []
    get = ImageRepo.get

    def counted(self: ImageRepo, image_id: str) -> object:
        reads.append(image_id)
        return get(self, image_id)

    monkeypatch.setattr(ImageRepo, "get", counted)
    image = plain.create(hw_vif_model="virtio").json["id"]
    # when
    gated.update(image, operation)
    # then
    assert reads == [image]
    # and nothing of it is kept for the next request
    assert glance_images._kept.get() is None
    reads.clear()
    gated.update(image, operation)
    assert reads == [image]


def test_two_gates_in_a_pipeline(
    directory: Path, tmp_path: Path, plain: User, between: Between
) -> None:
    """The second one's judgement is the last before the image is stored."""
    # given
    path = tmp_path / "paste.ini"
    app = test_routing.started(directory, path, r"\bvhard\b", "vhard vhard")
    user = plain.of(app)
    image = user.create(hw_machine_type="q35").json["id"]
    between(lambda: plain.update(image, OLD_MACHINE))
    # when
    response = user.update(image, DRIVE)
    # then
    assert "ide" in message(response)
    assert _stored(plain, image) == dict(zip(NAMES, (None, "pc"), strict=True))
    again = user.update(image, add("/hw_machine_type", "q35"), DRIVE)
    assert again.status_int == 200


@pytest.mark.parametrize("context", [None, object()])
def test_requests_within_each_other(context: Any) -> None:
    """As with two gates, and where there is no context yet."""
    with glance_images.kept(context):
        outer = glance_images._kept.get()
        with glance_images.kept(context):
            assert glance_images._kept.get() is not outer
        assert glance_images._kept.get() is outer
    assert glance_images._kept.get() is None


def test_a_copy_of_the_gateway(gated: User) -> None:
    from glance.gateway import Gateway

    notifier = object()
    gateway = Gateway(object(), object(), notifier, object())
    copied = copy.copy(glance_images._Gateway(gateway))
    assert copied.notifier is notifier
    with pytest.raises(AttributeError, match="nothing"):
        _ = copied.nothing


@pytest.mark.parametrize(
    ("status", "hashed", "properties", "at_rest"),
    [
        ("queued", None, {}, True),
        ("active", "abc", {"hw_disk_bus": "virtio"}, True),
        ("deactivated", "abc", {}, True),
        ("active", None, {}, False),
        ("saving", None, {}, False),
        ("active", "abc", {"os_glance_import_task": "x"}, False),
        ("queued", None, {"os_glance_import_task": "x"}, False),
    ],
)
def test_what_a_task_is_at_work_on_is_read_anew(
    status: str,
    hashed: str | None,
    properties: dict[str, str],
    at_rest: bool,
) -> None:
    image = SimpleNamespace(
        status=status,
        os_hash_value=hashed,
        extra_properties=properties,
        disk_format="raw",
    )
    reads: list[str] = []
    images: dict[str, Any] = {}

    def get(image_id: str) -> Any:
        reads.append(image_id)
        return image

    for _ in range(2):
        repository = SimpleNamespace(save=None)
        assert glance_images._get(images, repository, get, "i") is image
    assert reads == (["i"] if at_rest else ["i", "i"])
    assert (repository.save is not None) == at_rest


def test_what_is_made_between_the_looks_is_not_there(
    gated: User, plain: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes an image names its id."""
    image = str(uuid.uuid4())
    look = glance_api.stored

    def then_made(*arguments: Any) -> Any:
        answer = look(*arguments)
        plain.create(id=image, hw_machine_type="pc")
        return answer

    monkeypatch.setattr(glance_api, "stored", then_made)
    # when
    response = gated.update(image, DRIVE)
    # then
    assert response.status_int == 404
    assert _stored(plain, image) == dict(zip(NAMES, (None, "pc"), strict=True))


def test_what_a_task_is_at_work_on_is_judged_as_it_is_stored(
    gated: User, plain: User, between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever uploads or imports an image says how long that takes."""
    # given
    monkeypatch.setattr(glance_images, "_is_at_rest", lambda _image: False)
    image = plain.create(hw_machine_type="q35").json["id"]
    between(lambda: gated.update(image, OLD_MACHINE))
    # when
    response = gated.update(image, DRIVE)
    # then
    assert response.status_int == 409
    assert _stored(plain, image) == dict(zip(NAMES, (None, "pc"), strict=True))
    assert "ide" in message(gated.update(image, DRIVE))
    # what nobody judges may change
    between(lambda: gated.update(image, add("/note", "mine")))
    again = gated.update(image, add("/hw_machine_type", "q35"), DRIVE)
    assert again.status_int == 200
