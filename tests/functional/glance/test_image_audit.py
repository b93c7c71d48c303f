# SPDX-License-Identifier: Apache-2.0
"""openstack vhard image audit and restore, by the real command on Glance."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import webob
import yaml

from tests.functional.glance.shell import Command
from tests.functional.glance.wire import User, Wire, add

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
Restore = Callable[[], dict[str, str]]


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
    """Give a function that restores a journal; it returns images' states."""

    def run() -> dict[str, str]:
        _, output = openstack("vhard", "image", "restore", "done", "-fjson")
        return states(rows_of(output))

    return run


@pytest.fixture
def ungated(cloud: None, plain: User) -> None:
    """Let the clients reach Glance past the gate."""
    intercept = pytest.importorskip("wsgi_intercept")
    intercept.add_wsgi_intercept("glance.example", 80, lambda: plain.app)


def rows_of(output: str) -> list[dict[str, str]]:
    """Return the JSON that a command printed, before its other lines."""
    rows, _ = json.JSONDecoder().raw_decode(output[output.index("[") :])
    return list(rows)


def states(rows: list[dict[str, str]]) -> dict[str, str]:
    return {row["ID"]: row["State"] for row in rows}


def images(plain: User, *wanted: dict[str, Any]) -> list[Any]:
    return [plain.create(**each).json for each in wanted]


def upload(plain: User, image: str) -> None:
    path = f"/v2/images/{image}/file"
    octets = "application/octet-stream"
    response = plain.send(Wire("PUT", path, b"data", content_type=octets))
    assert response.status_int == 204, response.text


def test_every_violation_has_a_row_with_owner_and_fix(
    audit: Audit, plain: User
) -> None:
    old, _clean = images(plain, OLD, {"hw_disk_bus": "virtio"})
    rows = audit("--all")
    mine = [each for each in rows if each["ID"] == old["id"]]
    assert {each["Owner"] for each in rows} == {plain.project}
    assert [each["Rule"] for each in mine] == [
        "guest_devices.disk_bus",
        "guest_devices.vif_model",
    ]
    assert "hw_disk_bus='ide' (allowed: virtio, scsi)" in mine[0]["Asks For"]
    fix = mine[0]["Fix"]
    assert f"--property hw_disk_bus=virtio {old['id']}" in fix["text"]
    assert fix["changes"] == [
        {
            "place": "image",
            "id": old["id"],
            "property": "hw_disk_bus",
            "value": "virtio",
        }
    ]
    assert {each["State"] for each in rows} == {"violates"}


def test_an_image_by_its_name_or_its_id(audit: Audit, plain: User) -> None:
    kinds = ({**IDE, "name": "router"}, {**IDE, "os_hidden": True})
    first, hidden = images(plain, *kinds)
    for name in ("router", first["id"]):
        assert [row["ID"] for row in audit(name)] == [first["id"]]
    # hidden images are looked at, too
    assert hidden["id"] in {each["ID"] for each in audit("--all")}


@pytest.fixture
def pages(cloud: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a function: have Glance answer listings by the URL's query."""
    intercept = pytest.importorskip("wsgi_intercept")

    def put(page: Callable[[str], Any]) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            assert environ["PATH_INFO"] == "/v2/images"
            answer = page(environ["QUERY_STRING"])
            return webob.Response(
                json.dumps(answer),
                content_type="application/json",
                charset="UTF-8",
            )(environ, start_response)

        intercept.add_wsgi_intercept("glance.example", 80, lambda: app)

    yield put


LISTED = {"id": "a", "name": "n", "owner": "p", "status": "active", **IDE}


def circle(*markers: str) -> Callable[[str], Any]:
    """Return pages the last of which names the first as the next."""
    following = dict(zip(("", *markers), (*markers, markers[0]), strict=True))

    def page(query: str) -> Any:
        marker = following[query.partition("marker=")[2]]
        return {"images": [LISTED], "next": f"/v2/images?marker={marker}"}

    return page


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        *[
            (answer, "^Glance: an answer is not a page of images$")
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
        ],
        (circle("a"), "go round in a circle"),
        (circle("a", "b"), "go round in a circle"),
        (circle("a", "b", "c"), "go round in a circle"),
    ],
)
def test_what_is_no_page_of_images_is_an_error(
    command: Command, pages: Any, answer: Any, words: str
) -> None:
    pages(answer if callable(answer) else lambda _query: answer)
    status, output = command("--all")
    assert status == 1
    assert re.search(words, output.splitlines()[-1])


def test_each_page_is_read_and_what_an_image_lacks_is_not_missed(
    audit: Audit, pages: Any
) -> None:
    def page(query: str) -> Any:
        if "marker" in query:
            return {"images": [{"id": "b", **IDE}], "next": None}
        if "os_hidden=true" in query:
            return {"images": [{"id": "c", **IDE}]}
        return {"images": [LISTED], "next": "/v2/images?marker=a"}

    pages(page)
    assert [row["ID"] for row in audit("--all")] == ["a", "b", "c"]
    assert [row["State"] for row in audit("--all", "--deactivate")] == [
        "would deactivate",
        "nothing safe to do",
        "nothing safe to do",
    ]


def test_without_yes_nothing_is_done(audit: Audit, plain: User) -> None:
    old, ide = images(plain, OLD, IDE)
    rows = audit("--all", "--fix", "--deactivate")
    assert states(rows) == {
        ide["id"]: "would set hw_disk_bus=virtio",
        old["id"]: "would set hw_disk_bus=virtio; 1 left",
    }
    for each in (old, ide):
        assert plain.image(each["id"]) == each
    assert list(Path().glob("*.journal")) == []


def test_fix_sets_what_the_policy_names_and_no_more(
    audit: Audit, openstack: Command, plain: User
) -> None:
    # given images with a device that the policy knows how to replace
    old, ide = images(plain, OLD, IDE)

    # when they are fixed
    rows = audit("--all", "--fix", "--yes", "--journal=done")

    # then just that is changed
    assert states(rows) == {ide["id"]: "fixed", old["id"]: "fixed; 1 left"}
    assert plain.image(ide["id"])["hw_disk_bus"] == "virtio"
    assert plain.image(old["id"])["hw_vif_model"] == "e1000"

    # and where the gate enforces the policy, nobody can go back
    ended, output = openstack("vhard", "image", "restore", "done", "-fjson")
    assert ended == 1
    for each in rows_of(output):
        assert each["State"].startswith("failed: HTTP This cloud's")
        assert "hw_disk_bus='ide' is not allowed" in each["State"]
    assert plain.image(ide["id"])["hw_disk_bus"] == "virtio"


def test_restore_undoes_exactly_what_was_done(
    audit: Audit, restore: Restore, plain: User, ungated: None
) -> None:
    # given fixed images, one of which somebody has changed since
    kinds = (OLD, IDE, {**IDE, "name": "changed"})
    old, ide, changed = images(plain, *kinds)
    audit("--all", "--fix", "--yes", "--journal=done")
    plain.update(changed["id"], add("/hw_disk_bus", "scsi"))

    # when the journal is restored,
    # then the others are as before, and the changed one is left alone
    assert restore() == {
        ide["id"]: "restored",
        old["id"]: "restored",
        changed["id"]: "changed since: hw_disk_bus",
    }
    for each in (old, ide):
        now = plain.image(each["id"])
        assert {**now, "updated_at": ""} == {**each, "updated_at": ""}
    # and once more does nothing
    assert set(restore().values()) == {
        "as before already",
        "changed since: hw_disk_bus",
    }


def test_a_property_that_was_not_set_is_removed_again(
    audit: Audit, restore: Restore, plain: User, ungated: None
) -> None:
    """An ISO on machine type pc: Nova would pick an IDE bus by itself."""
    wanted = {"disk_format": "iso", "container_format": "bare"}
    (iso,) = images(plain, {**wanted, "hw_machine_type": "pc"})
    rows = audit(iso["id"], "--fix", "--yes", "--journal=done")
    assert {each["State"] for each in rows} == {"fixed; 1 left"}
    assert plain.image(iso["id"])["hw_cdrom_bus"] == "sata"
    restore()
    assert "hw_cdrom_bus" not in plain.image(iso["id"])


def test_deactivated_and_reactivated(
    audit: Audit, restore: Restore, plain: User
) -> None:
    # given an image with data
    (old,) = images(plain, {**OLD, **RAW})
    upload(plain, old["id"])
    # when
    rows = audit("--all", "--deactivate", "--yes", "--journal=done")
    # then
    assert {each["State"] for each in rows} == {"deactivated"}
    assert plain.image(old["id"])["status"] == "deactivated"
    assert restore() == {old["id"]: "reactivated"}
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
    ],
)
def test_an_error_is_one_line_and_nothing_is_done(
    command: Command,
    plain: User,
    options: tuple[str, ...],
    ended: int,
    text: str,
) -> None:
    (ide,) = images(plain, IDE)
    status, output = command(*options)
    assert status == ended
    assert text in output.splitlines()[-1]
    assert "Traceback" not in output
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
    assert status == 1
    assert words in output
    assert len(output.splitlines()) == 1


def test_pipeline_reads_the_exit_status(
    command: Command, plain: User, policy: Path
) -> None:
    (ide,) = images(plain, IDE)
    options = ("--all", "--junit=a.xml")
    assert command(*options)[0] == 0
    status, output = command(*options, "--fail-on=violation")
    assert status == 3
    assert re.search(r"\b1 with violations \(1 in mode enforce, ", output)
    suite = ElementTree.parse("a.xml").getroot()
    assert [case[0].tag for case in suite if len(case)] == ["failure"]

    # when the policy only warns
    policy.write_text(f"mode: warn\n{POLICY}")
    assert command(*options, "--fail-on=violation")[0] == 0
    assert command(*options, "--fail-on=warning")[0] == 3

    # and when the image is fixed
    policy.write_text(POLICY)
    plain.update(ide["id"], add("/hw_disk_bus", "virtio"))
    assert command(*options, "--fail-on=warning")[0] == 0


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
    assert {entry["projects"][0] for entry in entries} == {plain.project}
    assert {name for entry in entries for name in entry["images"]} == {
        old["id"],
        ide["id"],
    }
    policy.write_text(POLICY.replace("baseline", "list.yaml"))

    # then only what it cannot name is left
    status, output = command("--all", "-fjson")
    assert {row["ID"] for row in rows_of(output)} == {odd["id"]}
