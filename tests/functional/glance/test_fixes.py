# SPDX-License-Identifier: Apache-2.0
"""Commands of refusals, run with the real client and the real Glance.

For images that are older than the policy, the text is the one that Nova's
gate returns at a boot.
"""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from nova_vhard.explain import fixes, messages
from nova_vhard.gates import nova_images
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.request.server_request import of_image
from tests import following
from tests.functional.glance.conftest import MakeUser
from tests.functional.glance.shell import Command
from tests.functional.glance.wire import User, Wire, add, message
from tests.unit.explain.requests import found

Properties = Mapping[str, str]

_POLICIES = {name: following.policy(name) for name in ("baseline", "strict")}
_SETTINGS = {
    name: list(following.refused(rules)) for name, rules in _POLICIES.items()
}
_BASE = {"base_image_ref": "http://127.0.0.1/v2/images/x"}
_EACH = pytest.mark.parametrize("name", _POLICIES)


@pytest.fixture
def gated(name: str, under: MakeUser, policy_file: Path) -> User:
    """Give the user, at a Glance under a shipped policy."""
    policy_file.write_text(f'version: "1"\nextends: {name}\n')
    return under(None)


def every(name: str) -> Iterator[Properties]:
    """Yield properties until each refused value stood in some."""
    yield from _SETTINGS[name]
    yield {**_SETTINGS[name][0], **_BASE}


def without(properties: Properties, names: list[str]) -> Properties:
    return {k: v for k, v in properties.items() if k not in names}


@_EACH
def test_an_upload(name: str, gated: User) -> None:
    for properties in every(name):
        # given
        text = message(gated.create(**properties))
        # when
        (step,) = following.steps(text)
        again = without(properties, step.named("without"))
        response = gated.create(**{**again, **step.given})
        # then
        assert response.status_int == 201, response.text


@_EACH
def test_an_upload_typed(
    name: str, openstack: Command, tmp_path: Path
) -> None:
    # given
    data = tmp_path / "data"
    data.write_text("data")
    create = ("image", "create", f"--file={data}", "an-image")
    properties = _SETTINGS[name][0]
    given = [f"--property={k}={v}" for k, v in properties.items()]
    status, output = openstack(*create, *given)
    assert status == 1
    # when
    (step,) = following.steps(output)
    fragment = shlex.split(step.words["options"] or "")
    kept = without(properties, step.named("without"))
    again = [f"--property={k}={v}" for k, v in kept.items()]
    status, output = openstack(*create, *again, *fragment)
    # then
    assert status == 0, output


def written(user: User, image: str, properties: Properties) -> int:
    """Return the status of a PATCH that sets properties."""
    changes = [add(f"/{name}", value) for name, value in properties.items()]
    return user.update(image, add("/x", "2"), *changes).status_int


@_EACH
def test_a_change(name: str, gated: User, plain: User) -> None:
    for properties in every(name):
        # given
        image = plain.create(x="1").json["id"]
        changes = [add(f"/{key}", value) for key, value in properties.items()]
        text = message(gated.update(image, *changes))
        # when
        (step,) = following.steps(text)
        fewer = without(properties, step.named("leave"))
        # then
        assert written(gated, image, {**fewer, **step.given}) == 200


@pytest.mark.parametrize("name", ["baseline"])
def test_a_change_typed(name: str, openstack: Command, plain: User) -> None:
    # given
    image = plain.create().json["id"]
    change = ("image", "set", image)
    status, output = openstack(*change, "--property=hw_disk_bus=ide")
    assert status == 1
    # when
    (step,) = following.steps(output)
    fragment = shlex.split(step.words["options"] or "")
    status, output = openstack(*change, *fragment)
    # then
    assert status == 0, output
    assert plain.image(image)["hw_disk_bus"] == "virtio"


def at_boot(name: str, user: User, image: str) -> str | None:
    """Return what is said to who boots an image; None for nothing."""
    who = Subject(BOOT, project=user.project)
    request = of_image(nova_images.read(user.image(image)), who)
    refusals, fix = found(_POLICIES[name], request)
    text = fixes.words(fix)
    return messages.api_message(refusals, text) if refusals else None


def with_data(user: User, properties: Properties, **more: Any) -> str:
    """Return the id of an active image."""
    formats = {"disk_format": "raw", "container_format": "bare"}
    image = str(user.create(**formats, **properties, **more).json["id"])
    stream = "application/octet-stream"
    path = f"/v2/images/{image}/file"
    answer = user.send(Wire("PUT", path, b"data", content_type=stream))
    assert answer.status_int == 204, answer.text
    return image


@_EACH
def test_an_image_that_is_older_than_the_policy(
    name: str, openstack: Command, plain: User
) -> None:
    for properties in every(name):
        # given
        image = plain.create(**properties).json["id"]
        # when
        text = at_boot(name, plain, image)
        assert text
        for step in following.steps(text):
            assert step.kind == "run"
            for command in step.commands:
                assert command.pop(0) == "openstack"
                status, output = openstack(*command)
                assert status == 0, output
        # then
        assert at_boot(name, plain, image) is None


@pytest.fixture
def elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Run commands in a directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    yield


@_EACH
def test_a_public_image_of_another_project(
    name: str, openstack: Command, plain: User, elsewhere: None
) -> None:
    admin = User(plain.app, roles="admin,member,reader")
    first, *_, last = _SETTINGS[name]
    for properties in (first, {**last, **_BASE}):
        # given
        image = with_data(admin, properties, visibility="public")
        # when
        text = at_boot(name, plain, image)
        assert text
        (step,) = following.steps(text)
        assert step.words["owner"] == admin.project
        before = {each["id"] for each in plain.images()}
        for command in step.commands:
            status, output = openstack(*command[1:])
            assert status == 0, output
        # then
        (copy,) = {each["id"] for each in plain.images()} - before
        result = plain.image(copy)
        assert (result["status"], result["size"]) == ("active", 4)
        assert result["name"] == step.words["name"]
        assert at_boot(name, plain, copy) is None
        admin.send(Wire("DELETE", f"/v2/images/{image}"))


@pytest.mark.parametrize("name", ["baseline"])
def test_glance_lets_nobody_else_change_a_public_image(
    name: str, openstack: Command, plain: User
) -> None:
    """So the text does not suggest it."""
    admin = User(plain.app, roles="admin,member,reader")
    image = admin.create(visibility="public").json["id"]
    status, output = openstack(
        "image", "set", "--property=hw_disk_bus=virtio", image
    )
    assert status == 1
    assert "403" in output
    admin.send(Wire("DELETE", f"/v2/images/{image}"))
