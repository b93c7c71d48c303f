# SPDX-License-Identifier: Apache-2.0
"""The gate judges the image that Glance has saved.

Two changes can each be allowed for the image as it was, and still be refused
together.
"""

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from glance.db.sqlalchemy import api

from nova_vhard.gates.enforcer import PolicyEnforcer
from tests import logged
from tests.functional.glance import service
from tests.functional.glance.conftest import MakeUser
from tests.functional.glance.wire import (
    OCTETS,
    User,
    Wire,
    add,
    message,
    remove,
)

Between = Callable[[Callable[[], object]], None]
DRIVE = add("/img_config_drive", "mandatory")
#: Of no device, as long as the image has no CD-ROM.
OLD_BUS = add("/hw_cdrom_bus", "ide")
ISO = add("/disk_format", "iso")
NAMES = ("img_config_drive", "hw_cdrom_bus", "hw_vif_model", "disk_format")
QCOW2 = add("/disk_format", "qcow2")
#: Changes that are undone with a refused one.
MORE = (add("/note", "mine"), remove("/hw_vif_model"))


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Between:
    """Return a function that runs others just before changes are judged."""
    judge = PolicyEnforcer.refusal

    def happens(*others: Callable[[], object]) -> None:
        """Run one function before each of the next judgements."""
        waiting = [*others]

        def late(*arguments: object) -> object:
            if waiting:
                waiting.pop(0)()
            return judge(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(PolicyEnforcer, "refusal", late)

    return happens


def _stored(plain: User, image: str) -> tuple[str | None, ...]:
    content = plain.image(image)
    return tuple(content.get(name) for name in NAMES)


@pytest.mark.parametrize(
    ("before", "others", "mine"),
    [
        ({}, [OLD_BUS], [DRIVE, *MORE]),
        ({}, [DRIVE], [OLD_BUS, *MORE]),
        ({NAMES[0]: "optional"}, [OLD_BUS], [DRIVE, *MORE]),
        ({NAMES[1]: "sata"}, [DRIVE], [OLD_BUS, *MORE]),
        ({}, [ISO], [OLD_BUS, *MORE]),
        # A value that is gone before it is set again: no change at first.
        ({NAMES[1]: "ide"}, [remove("/hw_cdrom_bus"), DRIVE], [OLD_BUS]),
        # A disk format is put back, also where there was none.
        ({"disk_format": None}, [DRIVE], [OLD_BUS, QCOW2]),
        ({"disk_format": "qcow2"}, [DRIVE], [OLD_BUS, QCOW2]),
    ],
)
def test_the_later_change_is_undone(
    gated: User,
    plain: User,
    between: Between,
    before: dict[str, Any],
    others: list[dict[str, str]],
    mine: list[dict[str, str]],
) -> None:
    image = plain.create(hw_vif_model="virtio", **before).json["id"]
    left: list[tuple[str | None, ...]] = []

    def change() -> None:
        assert plain.update(image, *others).status_int == 200
        left.append(_stored(plain, image))

    between(change)
    # Without a fix, the first part is empty.
    assert (
        "ide" in message(gated.update(image, *mine)).rpartition("To fix: ")[0]
    )
    assert left == [_stored(plain, image)]


ADMIN = "admin,member,reader"
UPLOAD, STAGE = (
    Wire("PUT", f"/v2/images/{{id}}/{name}", b"data", OCTETS)
    for name in ("file", "stage")
)
DEACTIVATE, REACTIVATE = (
    Wire("POST", f"/v2/images/{{id}}/actions/{name}")
    for name in ("deactivate", "reactivate")
)
DELETE = Wire("DELETE", "/v2/images/{id}")


@pytest.mark.parametrize(
    ("earlier", "other", "status"),
    [
        ([], UPLOAD, "active"),
        ([], STAGE, "uploading"),
        ([UPLOAD], DEACTIVATE, "deactivated"),
        ([UPLOAD, DEACTIVATE], REACTIVATE, "active"),
        ([], DELETE, None),
    ],
    ids=["uploaded", "staged", "deactivated", "reactivated", "deleted"],
)
@pytest.mark.parametrize("roles", ["member,reader", ADMIN])
def test_the_newer_status_stays(
    gated: User,
    plain: User,
    between: Between,
    earlier: list[Wire],
    other: Wire,
    status: str | None,
    roles: str,
) -> None:
    """Glance stores an image as a whole, with the status that it has read.

    The gate restores no status: an image that was uploaded stays usable, and
    one that was deactivated stays unusable.
    """
    admin = replace(plain, roles=ADMIN)
    made = plain.create(disk_format="raw", container_format="bare")
    image = made.json["id"]
    for wire in earlier:
        assert admin.send(wire.about(image)).status_int == 204
    between(lambda: admin.send(other.about(image)))
    user = replace(gated, roles=roles)
    response = user.update(image, add("/hw_machine_type", "q35"))
    assert response.status_int == (200 if status else 404)
    if status:
        stored = plain.image(image)
        given = stored["status"], stored["hw_machine_type"]
        assert given == (status, "q35")


def test_nothing_is_saved_under_the_id_of_another_image(
    gated: User, plain: User
) -> None:
    old = plain.create(hw_disk_bus="ide").json["id"]
    image = plain.create().json["id"]
    change = add("/image_id", image)
    told = message(gated.update(old, change))
    assert told == "Attribute 'image_id' is read-only."
    assert "hw_disk_bus" not in plain.image(image)
    assert plain.update(old, change).status_int == 200
    assert plain.image(image)["hw_disk_bus"] == "ide"


def test_what_a_user_must_not_read_is_neither_judged_nor_told(
    under: MakeUser,
    plain: User,
    tmp_path: Path,
    override: Callable[..., None],
) -> None:
    # given a property that only an admin may read, and an old one beside it
    old = {"hw_disk_bus": "virtio", "vmware_adaptertype": "ide"}
    image = plain.create(**old).json["id"]
    rules = tmp_path / "protections.conf"
    each = "create = {0}\nread = {0}\nupdate = {0}\ndelete = {0}\n"
    rules.write_text(
        f"[^hw_disk_bus$]\n{each.format('admin')}[.*]\n{each.format('@')}"
    )
    override("property_protection_file", str(rules))
    # when a Glance that has these rules is asked
    response = under().update(image, add("/hw_vif_model", "virtio"))
    override("property_protection_file", None)
    # then
    assert response.status_int == 200, response.text
    assert "hw_disk_bus" not in response.json
    assert plain.image(image)["hw_vif_model"] == "virtio"


def test_what_is_saved_after_the_change_is_another_requests(
    gated: User, plain: User, between: Between
) -> None:
    # given a change that comes when the first one has been saved
    image = plain.create().json["id"]
    late: list[Any] = []
    between(
        lambda: gated.update(image, add("/hw_vif_model", "virtio")),
        lambda: None,
        lambda: late.append(gated.update(image, OLD_BUS)),
    )
    # then it is the one that is refused
    assert gated.update(image, DRIVE).status_int == 200
    assert "ide" in message(late[0])
    assert _stored(plain, image)[:2] == ("mandatory", None)


def test_a_change_that_cannot_be_undone_is_refused_and_logged(
    gated: User,
    plain: User,
    between: Between,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # given an image that is deleted when its change has been saved
    image = plain.create().json["id"]
    between(
        lambda: plain.update(image, OLD_BUS),
        lambda: plain.send(DELETE.about(image)),
    )
    # then
    assert gated.update(image, DRIVE).status_int == 403
    text = "Cannot undo a refused change: 404 Not Found"
    lines = logged.lines(caplog, "nova_vhard.gates.glance_api")
    assert lines == [("ERROR", text)]


@pytest.mark.usefixtures("directory")
def test_two_gates_in_a_pipeline(
    tmp_path: Path, plain: User, between: Between
) -> None:
    gate = {"paste.filter_factory": service.GATE}
    two = {"filter:again": gate, "filter:vhard": {"filter-with": "again"}}
    paste = service.paste_file(tmp_path / "a.ini", service.GATE, **two)
    user = plain.of(service.load(paste))
    image = user.create().json["id"]
    between(lambda: plain.update(image, OLD_BUS))
    assert "ide" in message(user.update(image, DRIVE))
    assert _stored(plain, image)[:2] == (None, "ide")
    again = user.update(image, add("/hw_cdrom_bus", "sata"), DRIVE)
    assert again.status_int == 200


@pytest.mark.parametrize(
    ("made", "operations", "status"),
    [
        ({"hw_cdrom_bus": "sata"}, [DRIVE], 200),
        ({}, [add("/hw_disk_bus", "ide")], 403),
        ({}, [add("/hw_disk_bus", "ide"), add("/disk_format", "raw")], 403),
        ({"hw_cdrom_bus": "ide"}, [DRIVE], 403),
        # A default is checked at the boot, as with every other change.
        (
            {"disk_format": "iso", "hw_machine_type": "pc"},
            [add("/hw_vif_model", "virtio")],
            200,
        ),
    ],
)
def test_what_is_made_between_the_looks_is_judged(
    gated: User,
    plain: User,
    monkeypatch: pytest.MonkeyPatch,
    made: dict[str, str],
    operations: list[dict[str, str]],
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A user can choose the id of a new image."""
    caplog.set_level("INFO")
    image = str(uuid.uuid4())
    look = api.image_get

    def then_made(*arguments: Any) -> Any:
        monkeypatch.undo()
        try:
            return look(*arguments)
        finally:
            plain.create(id=image, **made)

    monkeypatch.setattr(api, "image_get", then_made)
    assert gated.update(image, *operations).status_int == status
    events = {each["operation"] for each in logged.decisions(caplog)}
    assert events == {"update"}
    name = operations[0]["path"].removeprefix("/")
    assert (name in plain.image(image)) == (status == 200)
