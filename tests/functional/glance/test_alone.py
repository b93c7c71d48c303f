# SPDX-License-Identifier: Apache-2.0
"""Glance's gates before Glance's own router, without Glance's database.

Header by header and name by name: what a status does not show.
"""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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


def event(caplog: pytest.LogCaptureFixture) -> tuple[Any, ...]:
    """Return the one event, as far as it says what came of the request."""
    (whole,) = logged.decisions(caplog)
    assert whole["gate"] == "glance-api"
    return whole["operation"], whole["outcome"], whole["service"]


def test_the_shape_of_a_refusal(cloud: Cloud) -> None:
    answer = cloud.send(create(IDE))
    assert answer.status == 403
    assert answer.headers["Content-Type"] == "application/json"
    (name,) = answer.json
    assert name == "forbidden"
    message = answer.json[name].pop("message")
    assert "hw_disk_bus='ide' is not allowed" in message
    assert answer.json[name] == {"code": 403, "title": "Forbidden"}


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


def test_of_whom_and_what_the_event_of_an_upload_is(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    assert cloud.send(create({"id": IMAGE})).status == 201
    (whole,) = logged.decisions(caplog)
    assert whole["subject"] == {
        "project": "p1",
        "image": IMAGE,
        "roles": ["member"],
    }


EXEMPTION = """\
exemptions:
  - id: old
    reason: its driver
    projects: [p1]
    rules: {guest_devices.disk_bus: [ide]}
    until: 2999-12-31
"""


def test_an_exemption_that_has_not_ended_holds(
    cloud: Cloud, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY + EXEMPTION)
    assert cloud.send(create(IDE)).status == 201
    assert cloud.send(update(add("/hw_disk_bus", "ide"))).status == 201
    cloud.stored = {**STORED, **IDE, "img_config_drive": "mandatory"}
    assert cloud.send(update(add("/hw_cdrom_bus", "sata"))).status == 201
    assert cloud.send(update(add("/hw_cdrom_bus", "ide"))).status == 403


@pytest.mark.parametrize(
    ("wire", "operation"),
    [
        (create({"id": IMAGE, **IDE}), "upload"),
        (update(add("/hw_disk_bus", "ide")), "update"),
        (update(add("/image_id", "x"), add("/hw_disk_bus", "ide")), "update"),
    ],
)
def test_switched_off_all_passes_with_an_event(
    cloud: Cloud,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    wire: Wire,
    operation: str,
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY + "enabled: false\n")
    assert cloud.send(wire).status == 201
    assert event(caplog) == (operation, "disabled", False)
    (whole,) = logged.decisions(caplog)
    who = {"project": "p1", "roles": ["member"]}
    assert whole["subject"] == {**who, "image": IMAGE}
    assert cloud.shown == []


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


def test_an_image_is_judged_as_its_owners(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.send(create({"owner": "p2"}))
    cloud.stored = {**STORED, "owner": "p3"}
    cloud.send(update(add("/hw_machine_type", "q35")))
    projects = [
        whole["subject"]["project"] for whole in logged.decisions(caplog)
    ]
    assert projects == ["p2", "p3"]


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

    WIRES = (create(IDE), update(add("/hw_disk_bus", "ide")))

    def refused(self, cloud: Cloud, wire: Wire) -> str:
        """Check the shape of an answer; return its text."""
        answer = cloud.send(wire)
        assert answer.status == 503
        fault = answer.json["serviceUnavailable"]
        assert fault["code"] == 503
        text: str = fault["message"]
        return text

    @pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.method)
    def test_without_a_policy(
        self, cloud: Cloud, tmp_path: Path, wire: Wire
    ) -> None:
        without_a_policy(tmp_path)
        assert self.refused(cloud, wire) == http.NO_POLICY_TEXT
        assert cloud.environs == []

    @pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.method)
    def test_by_a_fault_of_ours(
        self,
        cloud: Cloud,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        wire: Wire,
    ) -> None:
        monkeypatch.setattr(image_reader, "read", failing)
        text = self.refused(cloud, wire)
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


class TestIso:
    """Each gate judges the devices that follow from an image's format."""

    def test_an_upload(
        self, cloud: Cloud, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = cloud.send(create(ISO))
        assert answer.status == 403
        assert "an ISO image" in answer.json["forbidden"]["message"]
        assert event(caplog) == ("upload", "refuse", False)

    def test_the_same_properties_of_another_format(self, cloud: Cloud) -> None:
        raw = {**ISO, "disk_format": "raw"}
        assert cloud.send(create(raw)).status == 201

    def test_a_change(
        self, cloud: Cloud, caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.stored = {**STORED, "hw_cdrom_bus": "ide"}
        answer = cloud.send(update(add("/disk_format", "iso")))
        assert answer.status == 403
        assert event(caplog) == ("update", "refuse", False)
        (whole,) = logged.decisions(caplog)
        who = {"project": "p1", "roles": ["member"]}
        assert whole["subject"] == {**who, "image": IMAGE}

    def test_a_chunked_body_is_a_plain_one_afterwards(
        self, cloud: Cloud
    ) -> None:
        wire = create({"hw_disk_bus": "virtio"})
        answer = cloud.send(wire, HTTP_TRANSFER_ENCODING="chunked")
        assert answer.status == 201
        (passed,) = cloud.environs
        assert "HTTP_TRANSFER_ENCODING" not in passed
        assert int(passed["CONTENT_LENGTH"]) > 0


class TestService:
    """An image that a service makes for a user is never refused."""

    CONFIRMED = {"HTTP_X_SERVICE_IDENTITY_STATUS": "Confirmed"}

    @pytest.mark.parametrize(
        "roles", [["service"], ["Service"], ["other", "SERVICE"]]
    )
    def test_a_confirmed_one(
        self,
        cloud: Cloud,
        caplog: pytest.LogCaptureFixture,
        roles: list[str],
    ) -> None:
        answer = cloud.send(create(IDE), roles, **self.CONFIRMED)
        assert answer.status == 201
        assert event(caplog) == ("upload", "warn", True)

    @pytest.mark.parametrize(
        ("roles", "headers"),
        [
            (None, CONFIRMED),
            ([], CONFIRMED),
            (["member"], CONFIRMED),
            (["service"], {}),
            (["service"], {"HTTP_X_SERVICE_IDENTITY_STATUS": "Invalid"}),
        ],
    )
    def test_none(
        self,
        cloud: Cloud,
        caplog: pytest.LogCaptureFixture,
        roles: Any,
        headers: dict[str, str],
    ) -> None:
        answer = cloud.send(create(IDE), roles, **headers)
        assert answer.status == 403
        assert event(caplog) == ("upload", "refuse", False)


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
        assert len(cloud.environs) == 1


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
def test_a_route_to_no_controller_is_not_looked_at(
    cloud: Cloud, more: dict[str, str]
) -> None:
    ((_, v2),) = cloud.applications
    v2.map.connect("/odd", **more)
    result = glance_router.Router(cloud, [("ImagesController", "create")])
    path = {"PATH_INFO": "/v2/odd"}
    assert result.call(create({}).environ() | path) is None


def test_a_path_that_glance_fails_at_is_named(cloud: Cloud) -> None:
    judged = [("ImagesController", "create")]
    result = glance_router.Router(cloud, judged)
    with pytest.raises(routing.Unroutable) as raised:
        result.call(create({}).environ() | {"PATH_INFO": "images"})
    assert "images" in str(raised.value)
    assert result.call(create({}).environ() | {"PATH_INFO": "/images"}) is None


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


class TestMalformed:
    """Bodies that Glance itself cannot read, and why."""

    def refused(self, cloud: Cloud, wire: Wire) -> str:
        """Check that the gate refuses; return the text of its own error."""
        answer = cloud.send(wire)
        assert answer.status == 400
        fault = answer.json["badRequest"]["message"]
        assert fault == http.MALFORMED_TEXT
        return self.reason(cloud, wire.about(IMAGE).environ())

    def reason(self, cloud: Cloud, environ: dict[str, Any]) -> str:
        """Return the text of the gate's own error."""
        call = cloud.gate._router.call(environ)
        assert call is not None
        with pytest.raises(routing.Malformed) as raised:
            cloud.gate._answer(environ, call)
        return str(raised.value)

    def test_without_end(
        self, cloud: Cloud, caplog: pytest.LogCaptureFixture
    ) -> None:
        deep = Wire("POST", "/v2/images", b"[" * 100_000)
        text = self.refused(cloud, deep)
        assert text.startswith("maximum recursion depth exceeded")
        assert logged.lines(caplog, LOGGER) == []

    def test_what_fails_glance_is_logged(
        self, cloud: Cloud, caplog: pytest.LogCaptureFixture
    ) -> None:
        number = {"op": "add", "path": 7, "value": "x"}
        text = self.refused(cloud, update(number))
        assert "int" in text
        line = ("ERROR", "Glance itself cannot read the body")
        assert logged.lines(caplog, LOGGER) == [line, line]

    def test_cut_off(self, cloud: Cloud) -> None:
        answer = cloud.send(create(IDE), CONTENT_LENGTH="999")
        assert answer.status == 400
        fault = answer.json["badRequest"]["message"]
        assert fault == http.MALFORMED_TEXT
        environ = {**create(IDE).environ(), "CONTENT_LENGTH": "999"}
        text = "the body is shorter than announced"
        assert self.reason(cloud, environ) == text

    def test_another_method_in_the_query(self, cloud: Cloud) -> None:
        answer = cloud.send(create({}), QUERY_STRING="_method=PATCH")
        assert answer.status == 400
        fault = answer.json["badRequest"]["message"]
        assert fault == http.OVERRIDE_TEXT


@pytest.mark.usefixtures("cloud")
class TestImport:
    """The task that Glance adds to its imports."""

    @staticmethod
    def flow(**more: Any) -> Any:
        return glance_import.get_flow(
            task_type="api_image_import",
            task_id="task-1",
            context=RequestContext(
                user_id="user", project_id="p1", roles=["member"]
            ),
            image_id=IMAGE,
            **more,
        )

    def test_names_are_what_glance_logs(self) -> None:
        flow = self.flow(image_repo=None)
        assert flow.name == "api_image_import"
        ((task, _),) = flow.iter_nodes()
        assert task.name == "api_image_import-JudgeImage-task-1"

    @pytest.mark.parametrize(
        ("asked", "copied"),
        [
            (None, False),
            ({}, False),
            ({"method": None}, False),
            ({"method": {"name": "web-download"}}, False),
            ({"method": {"name": "glance-download"}}, True),
        ],
    )
    def test_by_which_it_knows_a_copy(self, asked: Any, copied: bool) -> None:
        flow = self.flow(image_repo=None, import_req=asked)
        ((task, _),) = flow.iter_nodes()
        assert task._copied is copied

    def test_it_judges_the_image_of_the_task(
        self,
        cloud: Cloud,
        caplog: pytest.LogCaptureFixture,
        tmp_path: Path,
    ) -> None:
        assert "hw_disk_bus='ide' is not allowed" in self.ran(OLD)
        (whole,) = logged.decisions(caplog)
        assert whole["gate"] == "glance-import"
        who = {"project": "p1", "roles": ["member"]}
        assert whole["subject"] == {**who, "image": IMAGE}
        kept = {each.name for each in (tmp_path / "state").iterdir()}
        assert kept == {
            "policy-glance-api.json",
            "policy-glance-api.json.runs",
        }
        assert whole["outcome"] == "refuse"

    def ran(self, image: Any, **more: Any) -> str:
        """Return why a task refuses."""
        repo = SimpleNamespace(get={IMAGE: image}.__getitem__)
        ((task, _),) = self.flow(image_repo=repo, **more).iter_nodes()
        with pytest.raises(exception.UploadException) as raised:
            task.execute()
        return str(raised.value)

    def test_what_it_lets_pass(
        self, cloud: Cloud, caplog: pytest.LogCaptureFixture
    ) -> None:
        clean = SimpleNamespace(**{**vars(OLD), "extra_properties": {}})
        repo = SimpleNamespace(get={IMAGE: clean}.__getitem__)
        ((task, _),) = self.flow(image_repo=repo).iter_nodes()
        task.execute()
        (whole,) = logged.decisions(caplog)
        assert whole["outcome"] == "allow"

    @pytest.mark.parametrize(
        ("method", "fix"),
        [
            (
                "web-download",
                f"run `openstack image set {PROPERTY} {IMAGE}`",
            ),
            ("glance-download", f"upload it with `{PROPERTY}`"),
        ],
        ids=["set", "copied"],
    )
    def test_how_to_mend_it(self, method: str, fix: str) -> None:
        """A copy would bring the properties again."""
        text = self.ran(OLD, import_req={"method": {"name": method}})
        assert text.endswith(f" To fix: {fix}")

    def test_it_is_judged_as_its_owners(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.ran(SimpleNamespace(**{**vars(OLD), "owner": "p2"}))
        (whole,) = logged.decisions(caplog)
        who = {"project": "p2", "roles": []}
        assert whole["subject"] == {**who, "image": IMAGE}

    def test_an_iso_image_is_a_cdrom(self) -> None:
        properties = {"hw_machine_type": "pc"}
        iso = {"disk_format": "iso", "extra_properties": properties}
        text = self.ran(SimpleNamespace(owner="p1", **iso))
        assert "an ISO image" in text

    def test_an_image_without_a_format_has_none(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = []

        def failing_read(*some: Any) -> Any:
            read.append(some[1:])
            raise RuntimeError("enough")

        monkeypatch.setattr(image_reader, "read", failing_read)
        for disk_format in (None, "", "raw"):
            changed = {**vars(OLD), "disk_format": disk_format}
            self.ran(SimpleNamespace(**changed))
        assert read == [
            (disk_format, "image", Holder(IMAGE, "p1", disk_format))
            for disk_format in (None, None, "raw")
        ]

    def test_a_task_is_no_copy_unless_it_is_said(self) -> None:
        repo = SimpleNamespace(get={IMAGE: OLD}.__getitem__)
        context = RequestContext(user_id="user", project_id="p1")
        task = glance_import.JudgeImage("task", context, repo, IMAGE)
        with pytest.raises(exception.UploadException) as raised:
            task.execute()
        assert str(raised.value) == self.ran(OLD)

    def test_without_a_policy(self, tmp_path: Path) -> None:
        without_a_policy(tmp_path)
        assert self.ran(OLD) == http.NO_POLICY_TEXT

    def test_imports_share_what_was_read_of_the_policy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, made = enforcer.PolicyFile, []

        def make(*arguments: Any) -> Any:
            made.append(arguments)
            return real(*arguments)

        monkeypatch.setattr(enforcer, "PolicyFile", make)
        enforcer._policy_file.cache_clear()
        assert len({self.ran(OLD) for _ in range(3)}) == 1
        assert len(made) == 1

    def test_an_image_that_is_gone(self) -> None:
        def get(_image: str) -> Any:
            raise exception.ImageNotFound("No image found")

        repo = SimpleNamespace(get=get)
        ((task, _),) = self.flow(image_repo=repo).iter_nodes()
        with pytest.raises(exception.UploadException) as raised:
            task.execute()
        text = "the hardening policy cannot judge this image: No image found"
        assert str(raised.value) == text

    def test_a_fault_of_ours(
        self,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(image_reader, "read", failing)
        repo = SimpleNamespace(get={IMAGE: OLD}.__getitem__)
        ((task, _),) = self.flow(image_repo=repo).iter_nodes()
        with pytest.raises(exception.UploadException) as raised:
            task.execute()
        assert str(raised.value) == http.fault_text(task._context)
        assert logged.lines(caplog, "nova_vhard.gates.glance_import") == [
            ("ERROR", "The gate of Glance's imports has failed")
        ]
