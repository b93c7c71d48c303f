# SPDX-License-Identifier: Apache-2.0
"""openstack vhard image audit and restore, by the real command on Glance."""

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import webob
import webob.dec
import yaml

from tests.functional.glance.shell import Command
from tests.functional.glance.wire import User, add

POLICY = """
version: "1"
extends: baseline
guest_devices:
  disk_bus: {allow: [virtio, scsi], replace: {ide: virtio}}
"""
OLD = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
IDE = {"hw_disk_bus": "ide"}
RAW = {"disk_format": "raw", "container_format": "bare"}

Audit = Callable[..., list[dict[str, str]]]
Restore = Callable[[], tuple[int, dict[str, str]]]


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "audit.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def command(openstack: Command, policy: Path) -> Command:
    """Give the command: options in, status and output out."""
    words = ("vhard", "image", "audit", f"--policy={policy}")
    return lambda *options: openstack(*words, *options)


@pytest.fixture
def audit(command: Command) -> Audit:
    """Give the command: options in, rows out."""

    def run(*options: str) -> list[dict[str, str]]:
        status, output = command("-fjson", *options)
        assert status == 0, output
        return rows_of(output)

    return run


@pytest.fixture
def restore(openstack: Command) -> Restore:
    """Give a function that restores a journal: status and images' states."""

    def run() -> tuple[int, dict[str, str]]:
        words = ("vhard", "image", "restore", "done", "-fjson")
        status, output = openstack(*words)
        return status, states(rows_of(output))

    return run


def rows_of(output: str) -> list[dict[str, str]]:
    """Return the JSON that a command printed, before its other lines."""
    rows, _ = json.JSONDecoder().raw_decode(output[output.index("[") :])
    return list(rows)


def states(rows: list[dict[str, str]]) -> dict[str, str]:
    return {row["ID"]: row["State"] for row in rows}


def images(plain: User, *wanted: dict[str, Any]) -> list[Any]:
    return [plain.create(**each).json for each in wanted]


def test_every_violation_has_a_row_with_owner_and_fix(
    audit: Audit, plain: User
) -> None:
    old, _clean = images(plain, OLD, {"hw_disk_bus": "virtio"})
    rows = [each for each in audit("--all") if each["ID"] == old["id"]]
    owned = [(row["Rule"], row["Owner"], row["State"]) for row in rows]
    assert owned == [
        (f"guest_devices.{kind}", plain.project, "violates")
        for kind in ("disk_bus", "vif_model")
    ]
    assert "hw_disk_bus='ide' (allowed: virtio, scsi)" in rows[0]["Asks For"]
    fix = rows[0]["Fix"]
    assert f"--property hw_disk_bus=virtio {old['id']}" in fix["text"]
    assert fix["changes"] == [
        {
            "place": "image",
            "id": old["id"],
            "property": "hw_disk_bus",
            "value": "virtio",
        }
    ]


def test_an_image_by_its_name_or_its_id(audit: Audit, plain: User) -> None:
    kinds = ({**IDE, "name": "router"}, {**IDE, "os_hidden": True})
    first, hidden = images(plain, *kinds)
    for name in ("router", first["id"]):
        assert [row["ID"] for row in audit(name)] == [first["id"]]
    # hidden images are looked at, too
    assert hidden["id"] in {each["ID"] for each in audit("--all")}


def paged(asked: list[str], *answers: Any) -> Any:
    """Return a Glance that answers its listings in turn.

    :param asked: is filled with the queries
    """
    following = itertools.cycle(answers)

    @webob.dec.wsgify
    def app(request: webob.Request) -> webob.Response:
        assert request.path_info == "/v2/images"
        asked.append(request.query_string)
        return webob.Response(json_body=next(following), charset="UTF-8")

    return app


LISTED = {"id": "a", "name": "n", "owner": "p", "status": "active", **IDE}
AFTER_A, AFTER_B, AFTER_C = (
    {"images": [LISTED], "next": f"/v2/images?marker={marker}"}
    for marker in "abc"
)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        *(
            ([answer], "^Glance: an answer is not a page of images$")
            for answer in (
                None,
                [],
                {},
                {"images": None},
                {"images": {"a": LISTED}},
                {"images": [LISTED, None]},
                {"images": [LISTED, "a"]},
                {"images": [LISTED, {}]},
                {"images": [LISTED, {**LISTED, "id": None}]},
                {"images": [LISTED], "next": {"url": "/v2/images?marker=a"}},
                {"images": [LISTED], "next": 1},
            )
        ),
        ([AFTER_A], "go round in a circle"),
        ([AFTER_A, AFTER_B], "go round in a circle"),
        ([AFTER_A, AFTER_B, AFTER_C], "go round in a circle"),
    ],
)
def test_what_is_no_page_of_images_is_an_error(
    command: Command, put: Any, answers: list[Any], words: str
) -> None:
    put(paged([], *answers))
    status, output = command("--all")
    assert status == 1
    assert re.search(words, output.splitlines()[-1])


def test_each_page_is_read_and_what_an_image_lacks_is_not_missed(
    audit: Audit, put: Any
) -> None:
    asked: list[str] = []
    last = {"images": [{"id": "b", **IDE}], "next": None}
    put(paged(asked, AFTER_A, last, {"images": [{"id": "c", **IDE}]}))
    assert [row["ID"] for row in audit("--all")] == ["a", "b", "c"]
    assert asked[1] == "marker=a"
    assert ["os_hidden=true" in query for query in asked] == [0, 0, 1]
    assert [row["State"] for row in audit("--all", "--deactivate")] == [
        "would deactivate",
        "nothing safe to do",
        "nothing safe to do",
    ]


def test_only_what_the_policy_names_is_set_and_undone(
    audit: Audit, restore: Restore, plain: User, put: Any
) -> None:
    kinds = (OLD, IDE, {**IDE, "name": "changed"})
    old, ide, changed = images(plain, *kinds)

    # without --yes nothing is done
    would = "would set hw_disk_bus=virtio"
    assert states(audit("--all", "--fix", "--deactivate")) == {
        ide["id"]: would,
        old["id"]: f"{would}; 1 left",
        changed["id"]: would,
    }
    assert [plain.image(each["id"]) for each in (old, ide)] == [old, ide]
    assert list(Path().glob("*.journal")) == []

    # with it just that is changed
    assert states(audit("--all", "--fix", "--yes", "--journal=done")) == {
        ide["id"]: "fixed",
        old["id"]: "fixed; 1 left",
        changed["id"]: "fixed",
    }
    assert plain.image(ide["id"])["hw_disk_bus"] == "virtio"
    assert plain.image(old["id"])["hw_vif_model"] == "e1000"

    # and where the gate enforces the policy, nobody can go back
    ended, told = restore()
    assert ended == 1
    for state in told.values():
        assert state.startswith("failed: HTTP This cloud's")
        assert "hw_disk_bus='ide' is not allowed" in state
    assert plain.image(ide["id"])["hw_disk_bus"] == "virtio"

    # elsewhere all is as before but for what somebody has changed since
    put(plain.app)
    plain.update(changed["id"], add("/hw_disk_bus", "scsi"))
    since = {changed["id"]: "changed since: hw_disk_bus"}
    for state in ("restored", "as before already"):
        done = dict.fromkeys((ide["id"], old["id"]), state)
        assert restore() == (1, done | since)
    for each in (old, ide):
        now = plain.image(each["id"])
        assert {**now, "updated_at": ""} == {**each, "updated_at": ""}


def test_a_property_that_was_not_set_is_removed_again(
    audit: Audit, restore: Restore, plain: User, put: Any
) -> None:
    """An ISO on machine type pc: Nova would pick an IDE bus by itself."""
    put(plain.app)
    (iso,) = images(
        plain, {**RAW, "disk_format": "iso", "hw_machine_type": "pc"}
    )
    rows = audit(iso["id"], "--fix", "--yes", "--journal=done")
    assert {each["State"] for each in rows} == {"fixed; 1 left"}
    assert plain.image(iso["id"])["hw_cdrom_bus"] == "sata"
    restore()
    assert "hw_cdrom_bus" not in plain.image(iso["id"])


def test_deactivated_and_reactivated(
    audit: Audit, restore: Restore, plain: User
) -> None:
    (old,) = images(plain, {**OLD, **RAW})
    plain.upload(old["id"])
    rows = audit("--all", "--deactivate", "--yes", "--journal=done")
    assert {each["State"] for each in rows} == {"deactivated"}
    assert plain.image(old["id"])["status"] == "deactivated"
    assert restore() == (0, {old["id"]: "reactivated"})
    assert plain.image(old["id"])["status"] == "active"


@pytest.mark.parametrize(
    ("options", "ended", "text"),
    [
        ((), 2, "specify images, or use --all, --public or --project"),
        (("--all", "--yes"), 2, "--yes requires"),
        (("--all", "--until=2099-01-01"), 2, "--write-exemptions"),
        (("nobody",), 1, "no image has the name or id nobody"),
        (("--all", "--policy=none.yaml"), 1, "none.yaml"),
        (
            ("--all", "--fix", "--yes", "--journal=audit.yaml"),
            1,
            "audit.yaml: cannot be written: File exists",
        ),
        (("--all", "--write-exemptions=audit.yaml"), 1, "already exists"),
        (("--all", "--junit=none/at.xml"), 1, "none/at.xml: cannot be"),
        (("--all", "--fail-on=violation"), 3, "1 with violations (1 in mode"),
    ],
)
def test_what_it_ends_with_while_nothing_is_done(
    command: Command,
    plain: User,
    options: tuple[str, ...],
    ended: int,
    text: str,
) -> None:
    (ide,) = images(plain, IDE)
    status, output = command(*options)
    assert (status, "Traceback" in output) == (ended, False)
    assert text in output.splitlines()[-1]
    assert plain.image(ide["id"]) == ide


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "done: cannot be read: No such file or directory"),
        ("\udcff", "done: is not UTF-8: "),
        ("", "is not the journal"),
        ("x\n", "done:1: is not JSON"),
        ('{"journal": 2}\n', "is not the journal"),
        ('{"journal": 1, "cloud": "http://b"}\n', "was written at http://b"),
    ],
)
def test_what_is_no_journal_of_this_cloud(
    openstack: Command, policy: Path, text: str | None, words: str
) -> None:
    if text is not None:
        Path("done").write_text(text, errors="surrogateescape")
    status, output = openstack("vhard", "image", "restore", "done")
    assert (status, len(output.splitlines())) == (1, 1)
    assert words in output


def test_exempted_images_are_found_no_more(
    command: Command, plain: User, policy: Path
) -> None:
    old, ide, odd = images(plain, OLD, IDE, {"hw_machine_type": "pc*"})
    status, output = command("--all", "--write-exemptions=list.yaml")
    assert status == 1
    assert "2 images exempted in list.yaml" in output
    assert "1 image with a value that no exemption can name" in output

    # when the policy extends the list
    entries = yaml.safe_load(Path("list.yaml").read_text())["exemptions"]
    assert {
        (*entry["projects"], name)
        for entry in entries
        for name in entry["images"]
    } == {(plain.project, each["id"]) for each in (old, ide)}
    policy.write_text(POLICY.replace("baseline", "list.yaml"))

    # then only what it cannot name is left
    status, output = command("--all", "-fjson")
    assert {row["ID"] for row in rows_of(output)} == {odd["id"]}
