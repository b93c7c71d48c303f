# SPDX-License-Identifier: Apache-2.0
"""Glance's gates before Glance's own router, without Glance's database.

Header by header and name by name: what a status does not show.
"""

import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from tests import logged
from tests.functional.glance.wire import Wire, add, create, remove, update
from tests.policy_option import policy_option

pytest.importorskip("glance", reason="Glance is not installed")

from glance.api.v2 import router
from glance.common import exception, wsgi
from glance.context import RequestContext

from nova_vhard.gates import (
    enforcer,
    glance_api,
    glance_import,
    glance_router,
    http,
    routing,
)
from nova_vhard.policy.hardware import Holder
from nova_vhard.request import image as image_reader
from tests.fuzz.service import Service

POLICY = """\
version: "1"
guest_devices:
  cdrom_bus: {allow: [sata]}
  disk_bus: {allow: [virtio]}
"""
LOGGER = "nova_vhard.gates.glance_api"
IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
STORED = {"id": IMAGE, "owner": "p1", "disk_format": "raw", "name": "x"}
IDE = {"hw_disk_bus": "ide"}
PROPERTY = "--property hw_disk_bus=virtio"
#: As Glance's database has one.
OLD = SimpleNamespace(owner="p1", disk_format="raw", extra_properties=IDE)
#: Without a bus of its own an ISO image is on ide, which is refused.
ISO = {"disk_format": "iso", "hw_machine_type": "pc"}


class Cloud:
    """A gate before a Glance with one image.

    :ivar environs: of what has come through the gate
    :ivar context: of the last request
    """

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = dict(STORED)
        self.environs: list[dict[str, Any]] = []
        self.context: RequestContext | None = None
        # as Glance's urlmap has it
        v2 = router.API(wsgi.APIMapper())
        self.applications = [((None, "/v2"), v2)]
        self.shown: list[tuple[Any, str]] = []
        call = glance_router.Router(
            self, [("ImagesController", "update")]
        ).call(update().environ())
        assert call is not None
        call.controller.gateway = SimpleNamespace(get_repo=self._repo)
        self.gate = glance_api.GlanceGate(self)
        self._service = Service(lambda _request: 201, wsgi.Request)

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        """Answer as Glance."""
        self.environs.append(dict(environ))
        return self._service(environ, start)

    def _repo(self, context: RequestContext) -> Any:
        """Return the images that a user may see, as Glance's gateway."""

        def get(image_id: str) -> Any:
            self.shown.append((context, image_id))
            if self.stored is None:
                raise exception.ImageNotFound
            properties = dict(self.stored)
            return SimpleNamespace(
                owner=properties.pop("owner"),
                disk_format=properties.pop("disk_format"),
                extra_properties=properties,
            )

        return SimpleNamespace(get=get)

    def send(
        self, wire: Wire, service_roles: Any = None, **headers: str
    ) -> SimpleNamespace:
        """Return status, headers and JSON of an answer."""
        environ = wire.about(IMAGE).environ()
        environ.update(headers)
        context = RequestContext(
            user_id="user", project_id="p1", roles=["member"]
        )
        context.service_roles = service_roles
        self.context = context
        environ["webob.adhoc_attrs"] = {"context": context}
        answers: list[tuple[int, dict[str, str]]] = []

        def start(status: str, result: Any, *_: Any) -> None:
            answers.append((int(status.split()[0]), dict(result)))

        body = b"".join(self.gate(environ, start))
        ((status, result),) = answers
        return SimpleNamespace(
            status=status, headers=result, json=json.loads(body)
        )


@pytest.fixture
def cloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Cloud]:
    """Give a cloud under the policy."""
    caplog.set_level(logging.INFO, "nova_vhard")
    with policy_option(tmp_path, POLICY):
        yield Cloud()


@pytest.mark.parametrize(
    ("code", "name", "title"),
    [
        (400, "badRequest", "Bad Request"),
        (403, "forbidden", "Forbidden"),
        (503, "serviceUnavailable", "Service Unavailable"),
    ],
)
def test_the_shape_of_each_answer(code: int, name: str, title: str) -> None:
    answer = glance_api._response(code, "two\nlines")
    assert answer.status_int == code
    assert answer.headers["Content-Type"] == "application/json"
    message = "two lines"
    assert answer.json == {
        name: {"code": code, "title": title, "message": message}
    }


EXEMPTION = """\
exemptions:
  - id: old
    reason: its driver
    projects: [p1]
    rules: {guest_devices.disk_bus: [ide]}
    until: 2999-12-31
"""
OFF = "enabled: false\n"
CONFIRMED = {"HTTP_X_SERVICE_IDENTITY_STATUS": "Confirmed"}
INVALID = {"HTTP_X_SERVICE_IDENTITY_STATUS": "Invalid"}
#: With a config drive, which is on the bus of CD-ROMs.
DRIVE = {**IDE, "img_config_drive": "mandatory"}
TO_IDE = add("/hw_disk_bus", "ide")


@dataclass(frozen=True)
class Case:
    """A request, and what comes of it.

    :ivar event: operation and outcome in the one event
    :ivar policy: added to ``POLICY``
    :ivar stored: added to ``STORED``
    :ivar roles: of a service
    :ivar project: and the image, which the event must name
    :ivar rules: in the event, if they matter; exemptions, likewise
    """

    wire: Wire
    status: int
    event: str
    policy: str = ""
    stored: dict[str, str] = field(default_factory=dict)
    roles: list[str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    project: str = "p1"
    image: str | None = None
    service: bool = False
    rules: list[str] = field(default_factory=list)
    exemptions: list[str] = field(default_factory=list)


def as_service(roles: list[str], headers: dict[str, str] = CONFIRMED) -> Case:
    """Return an upload by a service, which is never refused."""
    return Case(
        create(IDE),
        201,
        "upload warn",
        roles=roles,
        headers=headers,
        service=True,
    )


def as_other(roles: list[str] | None, headers: dict[str, str]) -> Case:
    """Return an upload by somebody who is not taken for a service."""
    return Case(create(IDE), 403, "upload refuse", "", {}, roles, headers)


CASES = {
    "upload": Case(create({"id": IMAGE}), 201, "upload allow", image=IMAGE),
    "of another owner": Case(
        create({"owner": "p2"}), 201, "upload allow", project="p2"
    ),
    "changed, of another owner": Case(
        update(add("/hw_machine_type", "q35")),
        201,
        "update allow",
        stored={"owner": "p3"},
        project="p3",
        image=IMAGE,
    ),
    "exempt": Case(
        create(IDE), 201, "upload allow", EXEMPTION, exemptions=["old"]
    ),
    "exempt change": Case(
        update(TO_IDE), 201, "update allow", EXEMPTION, image=IMAGE
    ),
    "beside what is exempt": Case(
        update(add("/hw_cdrom_bus", "sata")),
        201,
        "update allow",
        EXEMPTION,
        DRIVE,
        image=IMAGE,
    ),
    "not exempt": Case(
        update(add("/hw_cdrom_bus", "ide")),
        403,
        "update refuse",
        EXEMPTION,
        DRIVE,
        image=IMAGE,
    ),
    "an exemption of another project": Case(
        create(IDE), 403, "upload refuse", EXEMPTION.replace("p1", "p2")
    ),
    "an exemption that has ended": Case(
        create(IDE), 403, "upload refuse", EXEMPTION.replace("2999", "2020")
    ),
    "two devices, one of them exempt": Case(
        create({**DRIVE, "hw_cdrom_bus": "ide"}),
        403,
        "upload refuse",
        EXEMPTION,
        rules=["guest_devices.cdrom_bus"],
    ),
    "two devices": Case(
        create({**DRIVE, "hw_cdrom_bus": "ide"}),
        403,
        "upload refuse",
        rules=["guest_devices.cdrom_bus", "guest_devices.disk_bus"],
    ),
    "switched off": Case(
        create({"id": IMAGE, **IDE}), 201, "upload disabled", OFF, image=IMAGE
    ),
    "switched off, change": Case(
        update(TO_IDE), 201, "update disabled", OFF, image=IMAGE
    ),
    "switched off, change of the id": Case(
        update(add("/image_id", "x"), TO_IDE),
        201,
        "update disabled",
        OFF,
        image=IMAGE,
    ),
    # Each gate judges the devices that follow from an image's format.
    "iso": Case(create(ISO), 403, "upload refuse"),
    "raw": Case(create({**ISO, "disk_format": "raw"}), 201, "upload allow"),
    "changed to iso": Case(
        update(add("/disk_format", "iso")),
        403,
        "update refuse",
        stored={"hw_cdrom_bus": "ide"},
        image=IMAGE,
    ),
    "service": as_service(["service"]),
    "Service": as_service(["Service"]),
    "other and SERVICE": as_service(["other", "SERVICE"]),
    "service without roles": as_other(None, CONFIRMED),
    "service with no role": as_other([], CONFIRMED),
    "member as service": as_other(["member"], CONFIRMED),
    "service of no status": as_other(["service"], {}),
    "invalid service": as_other(["service"], INVALID),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_comes_of_a_request(
    cloud: Cloud, caplog: pytest.LogCaptureFixture, tmp_path: Path, case: Case
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY + case.policy)
    cloud.stored = {**STORED, **case.stored}
    answer = cloud.send(case.wire, case.roles, **case.headers)
    assert answer.status == case.status
    (event,) = logged.decisions(caplog)
    operation, outcome = case.event.split()
    assert event["gate"] == "glance-api"
    assert (event["operation"], event["outcome"]) == (operation, outcome)
    assert event["service"] is case.service
    assert case.rules in ([], event["rules"])
    assert case.exemptions in ([], event["exemptions"])
    assert outcome not in ("allow", "disabled") or event["rules"] == []
    subject = event["subject"]
    assert (subject["project"], subject.get("image")) == (
        case.project,
        case.image,
    )
    assert subject["roles"] == (["member"] if case.project == "p1" else [])
    read = operation == "update" and outcome != "disabled"
    assert bool(cloud.shown) == read


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/v2/images/{IMAGE}"),
        ("POST", f"/v2/images/{IMAGE}/actions/deactivate"),
        ("POST", "/v2/nothing"),
        ("PATCH", "/v2/nothing"),
    ],
)
def test_what_is_not_judged_passes_without_an_event(
    cloud: Cloud,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
) -> None:
    assert cloud.send(Wire(method, path, b"{}")).status in (200, 201)
    assert logged.decisions(caplog) == []


def test_the_last_good_policy_is_kept_for_this_service(
    cloud: Cloud, tmp_path: Path
) -> None:
    cloud.send(create(IDE))
    kept = {each.name for each in (tmp_path / "state").iterdir()}
    assert kept == {"policy-glance-api.json", "policy-glance-api.json.runs"}


def without_a_policy(folder: Path) -> None:
    """Leave nothing of a policy that no gate has read yet."""
    (folder / "policy.yaml").write_text("")


def failing(*_: Any, **__: Any) -> Any:
    raise RuntimeError("broken")


class TestUnable:
    """A request that cannot be judged is refused, and says why."""

    @pytest.fixture(
        params=[create(IDE), update(TO_IDE)], ids=["POST", "PATCH"]
    )
    def refused(
        self, cloud: Cloud, request: pytest.FixtureRequest
    ) -> Callable[[], str]:
        """Give a function that sends a request and returns the answer."""

        def send() -> str:
            answer = cloud.send(request.param)
            assert answer.status == 503
            fault = answer.json["serviceUnavailable"]
            assert fault["code"] == 503
            return str(fault["message"])

        return send

    def test_without_a_policy(
        self, cloud: Cloud, tmp_path: Path, refused: Callable[[], str]
    ) -> None:
        without_a_policy(tmp_path)
        assert refused() == http.NO_POLICY_TEXT
        assert cloud.environs == []

    def test_by_a_fault_of_ours(
        self,
        cloud: Cloud,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        refused: Callable[[], str],
    ) -> None:
        monkeypatch.setattr(image_reader, "read", failing)
        text = refused()
        assert cloud.context is not None
        assert cloud.context.request_id in text
        assert text == http.fault_text(cloud.context)
        line = ("ERROR", "The gate of Glance's API has failed")
        assert logged.lines(caplog, LOGGER) == [line]
        (event,) = logged.decisions(caplog)
        assert (event["outcome"], event["policy"]) == ("unjudged", "")

    def test_before_the_filter_that_says_who_asks(self, cloud: Cloud) -> None:
        environ = create(IDE).environ()
        answers: list[str] = []
        body = cloud.gate(environ, lambda status, *_: answers.append(status))
        fault = json.loads(b"".join(body))["serviceUnavailable"]
        assert fault["message"] == http.fault_text(None)
        assert answers == ["503 Service Unavailable"]


def test_a_chunked_body_is_a_plain_one_afterwards(cloud: Cloud) -> None:
    wire = create({"hw_disk_bus": "virtio"})
    assert cloud.send(wire, HTTP_TRANSFER_ENCODING="chunked").status == 201
    (passed,) = cloud.environs
    assert "HTTP_TRANSFER_ENCODING" not in passed
    assert int(passed["CONTENT_LENGTH"]) > 0


class TestChange:
    """The stored image is read as the user who changes it."""

    def test_who_reads_it(self, cloud: Cloud) -> None:
        wire = update(add("/hw_machine_type", "q35"))
        answer = cloud.send(wire, HTTP_RANGE="bytes=0-1")
        assert answer.status == 201
        assert cloud.shown == [(cloud.context, IMAGE)]
        (passed,) = cloud.environs
        assert passed["REQUEST_METHOD"] == "PATCH"
        assert passed["HTTP_RANGE"] == "bytes=0-1"

    def test_what_glance_does_not_show_is_its_own_to_answer(
        self, cloud: Cloud
    ) -> None:
        cloud.stored = None
        for change in (
            add("/hw_disk_bus", "virtio"),
            add("/hw_machine_type", "q35"),
            remove("/hw_disk_bus"),
        ):
            assert cloud.send(update(change)).status == 201

    def test_both_states_are_of_the_image_and_its_owner(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = []
        real = image_reader.read

        def noted(*some: Any) -> Any:
            read.append(some)
            return real(*some)

        monkeypatch.setattr(image_reader, "read", noted)
        cloud.stored = {**STORED, "owner": "p2", "hw_disk_bus": "virtio"}
        assert cloud.send(update(add("/hw_disk_bus", "ide"))).status == 403
        rest = ("raw", "image", Holder(IMAGE, "p2", "raw"))
        before = {**cloud.stored}
        del before["owner"]
        after = {**before, "hw_disk_bus": "ide"}
        assert [each[0] for each in read[:2]] == [after, before]
        # and so is what is read again for a fix
        assert {each[1:] for each in read} == {rest}

    def test_of_other_properties_nothing_is_read(self, cloud: Cloud) -> None:
        assert cloud.send(update(add("/name", "y"))).status == 201
        assert (len(cloud.environs), cloud.shown) == (1, [])


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"CONTENT_LENGTH": "0"},
        {"CONTENT_LENGTH": "2", "webob.is_body_seekable": True},
    ],
)
def test_a_body_that_is_none_or_was_read_stays(more: dict[str, Any]) -> None:
    stream = io.BytesIO(b"12")
    environ = {"wsgi.input": stream, "REQUEST_METHOD": "POST", **more}
    glance_api.buffer_body(wsgi.Request(environ))
    assert environ["wsgi.input"] is stream
    assert stream.tell() == 0


def test_a_gate_without_glances_router_does_not_start(cloud: Cloud) -> None:
    with pytest.raises(routing.NoRouter) as raised:
        glance_router.Router(lambda *_: None, ())
    assert str(raised.value) == (
        "no router of Glance's API comes after the filter vhard in this "
        "pipeline (found: function): in glance-api-paste.ini the line "
        "filter-with = vhard belongs in [composite:rootapp]"
    )
    judged = [("ImagesController", name) for name in ("save", "create", "a")]
    with pytest.raises(routing.NoRouter) as raised:
        glance_router.Router(cloud, judged)
    assert str(raised.value) == (
        "this Glance has no ('ImagesController', 'a'), ('ImagesController', "
        "'save'); see the releases that nova-vhard supports"
    )


@pytest.mark.usefixtures("cloud")
def test_an_application_without_a_router_is_not_looked_at() -> None:
    v2 = router.API(wsgi.APIMapper())
    applications = [((None, "/v2"), v2), ((None, "/x"), lambda *_: None)]
    judged = [("ImagesController", "create")]
    for application in (SimpleNamespace(applications=applications), v2):
        result = glance_router.Router(application, judged)
        path = "/v2/images" if application is not v2 else "/images"
        call = result.call(create({}).environ() | {"PATH_INFO": path})
        assert call == glance_router.Call(judged[0], {})
        elsewhere = {"PATH_INFO": "/x/images"}
        assert result.call(create({}).environ() | elsewhere) is None


@pytest.mark.parametrize("more", [{}, {"controller": "odd"}])
def test_paths_that_lead_nowhere(cloud: Cloud, more: dict[str, str]) -> None:
    ((_, v2),) = cloud.applications
    v2.map.connect("/odd", **more)
    result = glance_router.Router(cloud, [("ImagesController", "create")])
    environ = create({}).environ()
    for path in ("/v2/odd", "/images"):
        assert result.call(environ | {"PATH_INFO": path}) is None
    with pytest.raises(routing.Unroutable, match="images"):
        result.call(environ | {"PATH_INFO": "images"})


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (add("/a", "2"), {"a": "2"}),
        (add("/b", "2"), {"a": "1", "b": "2"}),
        (remove("/a"), {}),
        (remove("/b"), {"a": "1"}),
    ],
)
def test_what_a_change_makes_of_an_image(
    change: dict[str, Any], after: dict[str, str]
) -> None:
    read = {**change, "path": [change["path"].strip("/")]}
    before = {"a": "1"}
    assert glance_api.changed(before, [read]) == after
    assert before == {"a": "1"}


UNREADABLE = ("ERROR", "Glance itself cannot read the body")
#: Request, headers, the gate's own error, and what is logged of each.
MALFORMED: dict[str, tuple[Wire, dict[str, str], str, list[Any]]] = {
    "without end": (
        Wire("POST", "/v2/images", b"[" * 100_000),
        {},
        "^maximum recursion depth exceeded",
        [],
    ),
    "what fails Glance": (
        update({"op": "add", "path": 7, "value": "x"}),
        {},
        "int",
        [UNREADABLE],
    ),
    "cut off": (
        create(IDE),
        {"CONTENT_LENGTH": "999"},
        "^the body is shorter than announced$",
        [],
    ),
}


@pytest.mark.parametrize(
    ("wire", "headers", "why", "lines"), MALFORMED.values(), ids=MALFORMED
)
def test_a_body_that_glance_cannot_read(
    cloud: Cloud,
    caplog: pytest.LogCaptureFixture,
    wire: Wire,
    headers: dict[str, str],
    why: str,
    lines: list[Any],
) -> None:
    answer = cloud.send(wire, **headers)
    assert answer.status == 400
    assert answer.json["badRequest"]["message"] == http.MALFORMED_TEXT
    assert logged.lines(caplog, LOGGER) == lines
    environ = wire.about(IMAGE).environ() | headers
    call = cloud.gate._router.call(environ)
    assert call is not None
    with pytest.raises(routing.Malformed, match=why):
        cloud.gate._answer(environ, call)


def test_another_method_in_the_query(cloud: Cloud) -> None:
    answer = cloud.send(create({}), QUERY_STRING="_method=PATCH")
    assert answer.status == 400
    assert answer.json["badRequest"]["message"] == http.OVERRIDE_TEXT


GONE = exception.ImageNotFound("No image found")
#: The format that is read of each stored one.
FORMATS = {None: None, "": None, "raw": "raw"}
COPY = {"method": {"name": "glance-download"}}
DOWNLOAD = {"method": {"name": "web-download"}}


@pytest.mark.usefixtures("cloud")
class TestImport:
    """The task that Glance adds to its imports."""

    @staticmethod
    def task(image: Any, **more: Any) -> Any:
        """Return the task of Glance's flow that judges an image."""

        def get(wanted: str) -> Any:
            assert wanted == IMAGE
            if isinstance(image, Exception):
                raise image
            return image

        flow = glance_import.get_flow(
            task_type="api_image_import",
            task_id="task-1",
            context=RequestContext(
                user_id="user", project_id="p1", roles=["member"]
            ),
            image_id=IMAGE,
            image_repo=SimpleNamespace(get=get),
            **more,
        )
        assert flow.name == "api_image_import"
        ((task, _),) = flow.iter_nodes()
        assert task.name == "api_image_import-JudgeImage-task-1"
        return task

    def refused(self, image: Any, **more: Any) -> str:
        """Return why a task refuses."""
        with pytest.raises(exception.UploadException) as raised:
            self.task(image, **more).execute()
        return str(raised.value)

    @pytest.mark.parametrize(
        ("asked", "copied"),
        [
            (None, False),
            ({}, False),
            ({"method": None}, False),
            (DOWNLOAD, False),
            (COPY, True),
        ],
    )
    def test_by_which_it_knows_a_copy(self, asked: Any, copied: bool) -> None:
        assert self.task(OLD, import_req=asked)._copied is copied

    @pytest.mark.parametrize(
        ("owner", "roles"), [("p1", ["member"]), ("p2", [])]
    )
    def test_it_judges_the_image_as_its_owners(
        self,
        caplog: pytest.LogCaptureFixture,
        tmp_path: Path,
        owner: str,
        roles: list[str],
    ) -> None:
        text = self.refused(SimpleNamespace(**{**vars(OLD), "owner": owner}))
        assert "hw_disk_bus='ide' is not allowed" in text
        (event,) = logged.decisions(caplog)
        assert (event["gate"], event["outcome"]) == ("glance-import", "refuse")
        who = {"project": owner, "roles": roles}
        assert event["subject"] == {**who, "image": IMAGE}
        kept = {each.name for each in (tmp_path / "state").iterdir()}
        assert kept == {
            "policy-glance-api.json",
            "policy-glance-api.json.runs",
        }

    def test_what_it_lets_pass(self, caplog: pytest.LogCaptureFixture) -> None:
        clean = SimpleNamespace(**{**vars(OLD), "extra_properties": {}})
        self.task(clean).execute()
        (event,) = logged.decisions(caplog)
        assert event["outcome"] == "allow"

    @pytest.mark.parametrize(
        ("asked", "fix"),
        [
            (DOWNLOAD, f"run `openstack image set {PROPERTY} {IMAGE}`"),
            (COPY, f"upload it with `{PROPERTY}`"),
        ],
        ids=["set", "copied"],
    )
    def test_how_to_mend_it(self, asked: Any, fix: str) -> None:
        """A copy would bring the properties again."""
        text = self.refused(OLD, import_req=asked)
        assert text.endswith(f" To fix: {fix}")

    def test_an_iso_image_is_a_cdrom(self) -> None:
        properties = {"hw_machine_type": "pc"}
        iso = {"disk_format": "iso", "extra_properties": properties}
        text = self.refused(SimpleNamespace(owner="p1", **iso))
        assert "an ISO image" in text

    @pytest.mark.parametrize(("stored", "read"), FORMATS.items())
    def test_an_image_without_a_format_has_none(
        self,
        monkeypatch: pytest.MonkeyPatch,
        stored: str | None,
        read: str | None,
    ) -> None:
        reader = mock.Mock(side_effect=RuntimeError("enough"))
        monkeypatch.setattr(image_reader, "read", reader)
        self.refused(SimpleNamespace(**{**vars(OLD), "disk_format": stored}))
        ((_, *rest),) = (call.args for call in reader.call_args_list)
        assert rest == [read, "image", Holder(IMAGE, "p1", read)]

    def test_a_task_is_no_copy_unless_it_is_said(self) -> None:
        repo = SimpleNamespace(get={IMAGE: OLD}.__getitem__)
        context = RequestContext(user_id="user", project_id="p1")
        task = glance_import.JudgeImage("task", context, repo, IMAGE)
        with pytest.raises(exception.UploadException) as raised:
            task.execute()
        assert str(raised.value) == self.refused(OLD)

    def test_without_a_policy(self, tmp_path: Path) -> None:
        without_a_policy(tmp_path)
        assert self.refused(OLD) == http.NO_POLICY_TEXT

    def test_imports_share_what_was_read_of_the_policy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = mock.Mock(wraps=enforcer.PolicyFile)
        monkeypatch.setattr(enforcer, "PolicyFile", made)
        enforcer._policy_file.cache_clear()
        assert len({self.refused(OLD) for _ in range(3)}) == 1
        made.assert_called_once()

    def test_an_image_that_is_gone(self) -> None:
        text = "the hardening policy cannot judge this image: No image found"
        assert self.refused(GONE) == text

    def test_a_fault_of_ours(
        self,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(image_reader, "read", failing)
        task = self.task(OLD)
        with pytest.raises(exception.UploadException) as raised:
            task.execute()
        assert str(raised.value) == http.fault_text(task._context)
        assert logged.lines(caplog, "nova_vhard.gates.glance_import") == [
            ("ERROR", "The gate of Glance's imports has failed")
        ]
