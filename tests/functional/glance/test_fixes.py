# SPDX-License-Identifier: Apache-2.0
"""Refusals of images, followed literally: the command is the real one.

For images that are older than the policy, the text is the one that Nova's
gate returns at a boot.
"""

import shlex
from pathlib import Path

import pytest

from nova_vhard.explain import fixes, messages
from nova_vhard.gates import nova_images
from nova_vhard.policy import document
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.request.server_request import of_image
from tests import following, refusals
from tests.functional.glance.conftest import MakeUser
from tests.functional.glance.shell import Command
from tests.functional.glance.wire import User, Wire, add, message
from tests.refusals import Refusal
from tests.unit.explain.requests import found


def rows(request: str) -> pytest.MarkDecorator:
    """Run a test with each refusal of a request."""
    every = [row for row in refusals.TABLE if row.request == request]
    return pytest.mark.parametrize("row", every, ids=lambda row: row.name)


@pytest.fixture
def gated(row: Refusal, under: MakeUser, policy_file: Path) -> User:
    """Give the user, at a Glance under the policy of a refusal."""
    policy_file.write_text(f'version: "1"\nextends: strict\n{row.policy}')
    return under(None)


def has(user: User, image: str, row: Refusal) -> bool:
    """Return whether an image has what the table says, and what was sent."""
    stored = user.image(image)
    expected = {**refusals.image(row.sends), **row.do}
    return {name: stored.get(name) for name in expected} == expected


def succeeds(openstack: Command, *command: str) -> None:
    status, output = openstack(*command)
    assert status == 0, output


def instead(text: str, row: Refusal, sent: dict[str, str]) -> list[str]:
    """Return the options by which a refused request is to be sent again."""
    assert f"[rule {row.rule}]" in text
    options: list[str] = []
    for step in following.steps(text):
        if step.kind == "by hand":
            sent |= refusals.image(row.do)
        for name in (*step.named("without"), *step.named("leave")):
            del sent[name]
        options += shlex.split(step.words.get("options") or "")
    return [*(f"--property={name}={sent[name]}" for name in sent), *options]


@rows("upload")
def test_an_upload(row: Refusal, gated: User, openstack: Command) -> None:
    sent = refusals.image(row.sends)
    options = instead(message(gated.create(**sent)), row, sent)
    create = ("image", "create", "--file=/dev/null")
    succeeds(openstack, *create, *options, "x")
    (image,) = gated.images()
    assert has(gated, image["id"], row)


@rows("change")
def test_a_change(
    row: Refusal, gated: User, plain: User, openstack: Command
) -> None:
    image = plain.create(**refusals.IMAGE).json["id"]
    changes = [add(f"/{name}", value) for name, value in row.sends.items()]
    text = message(gated.update(image, *changes))
    options = instead(text, row, dict(row.sends))
    succeeds(openstack, "image", "set", *options, image)
    assert has(plain, image, row)


def at_boot(file: Path, user: User, image: str) -> str:
    """Return what is said to who boots an image; empty for nothing."""
    who = Subject(BOOT, project=user.project)
    request = of_image(nova_images.read(user.image(image)), who)
    refused, fix = found(document.load(str(file)), request)
    return messages.api_message(refused, fixes.words(fix)) if refused else ""


def follow(text: str, row: Refusal, openstack: Command) -> following.Step:
    """Run the commands of the one step of a refusal."""
    assert f"[rule {row.rule}]" in text
    (step,) = following.steps(text)
    for command in step.commands:
        succeeds(openstack, *command[1:])
    return step


@rows("older image")
@pytest.mark.usefixtures("gated")
def test_an_image_that_is_older_than_the_policy(
    row: Refusal, plain: User, openstack: Command, policy_file: Path
) -> None:
    image = plain.create(**refusals.image(row.sends)).json["id"]
    follow(at_boot(policy_file, plain, image), row, openstack)
    assert at_boot(policy_file, plain, image) == ""
    assert has(plain, image, row)


@rows("public image")
@pytest.mark.usefixtures("gated")
def test_a_public_image_of_another_project(
    row: Refusal,
    plain: User,
    openstack: Command,
    policy_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    admin = User(plain.app, roles="admin,member,reader")
    raw = {"disk_format": "raw", "container_format": "bare"}
    public = {**refusals.image(row.sends), "visibility": "public", **raw}
    image = admin.create(**public).json["id"]
    admin.upload(image)
    # when
    step = follow(at_boot(policy_file, plain, image), row, openstack)
    # then
    assert step.words["owner"] == admin.project
    (copy,) = plain.images()
    assert (copy["status"], copy["size"]) == ("active", 4)
    assert copy["name"] == step.words["name"]
    assert at_boot(policy_file, plain, copy["id"]) == ""
    assert has(plain, copy["id"], row)
    # Glance does not let this user change the image itself.
    change = ("--property=hw_disk_bus=virtio", image)
    status, output = openstack("image", "set", *change)
    assert (status, "403" in output) == (1, True)
    admin.send(Wire("DELETE", f"/v2/images/{image}"))
