# SPDX-License-Identifier: Apache-2.0
"""Glance's gates in front of Glance's own router, without its database.

The tests check details that a status does not show, such as single headers and
names. If the gate fails, no request passes, and the user gets no blame.
"""

import collections
import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import webob

from tests import faults, logged
from tests.functional.glance.wire import (
    Wire,
    add,
    create,
    message,
    remove,
    update,
)
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
BROKEN = f"{POLICY}  disk_bux: {{}}\n"
LOGGER = "nova_vhard.gates.glance_api"
IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
STORED = {"id": IMAGE, "owner": "p1", "disk_format": "raw", "name": "x"}
IDE = {"hw_disk_bus": "ide"}
PROPERTY = "--property hw_disk_bus=virtio"
#: Without a bus of its own an ISO image is on ide, which is refused.
ISO = {"disk_format": "iso", "hw_machine_type": "pc"}
WHO = {"user_id": "user", "project_id": "p1", "roles": ["Member"]}
#: The gate keeps a copy of the policy for this service, and a record of the
#: policies that its processes run.
KEPT = {"policy-glance-api.json", "policy-glance-api.json.runs"}


class Cloud:
    """A gate before a Glance with one image.

    :ivar environs: of what has come through the gate
    :ivar context: of the last request
    """

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = dict(STORED)
        self.environs: list[dict[str, Any]] = []
        # as Glance's urlmap has it
        self.applications = [((None, "/v2"), router.API(wsgi.APIMapper()))]
        self.shown: list[tuple[Any, str]] = []
        call = glance_router.Router(
            self, [("ImagesController", "update")]
        ).call(update().environ())
        assert call is not None
        call.controller.gateway = SimpleNamespace(
            get_repo=lambda context: SimpleNamespace(
                get=lambda image_id: self.show(context, image_id)
            )
        )
        self.gate = glance_api.GlanceGate(self)
        self.status = 201
        self._service = Service(lambda _request: self.status, wsgi.Request)

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        """Answer as Glance."""
        self.environs.append(dict(environ))
        return self._service(environ, start)

    def show(self, context: Any, image_id: str) -> Any:
        """Return an image that a user may see, as Glance's repository."""
        self.shown.append((context, image_id))
        if self.stored is None:
            raise exception.ImageNotFound
        properties = dict(self.stored)
        return SimpleNamespace(
            owner=properties.pop("owner"),
            disk_format=properties.pop("disk_format"),
            extra_properties=properties,
        )

    def send(
        self, wire: Wire, service_roles: Any = None, **headers: str
    ) -> webob.Response:
        """Send a request with the context that Glance's middleware sets."""
        self.context = RequestContext(**WHO, project_domain_id="d1")
        self.context.service_roles = service_roles
        attributes = {"webob.adhoc_attrs": {"context": self.context}}
        environ = {**wire.about(IMAGE).environ(), **headers, **attributes}
        return webob.Request(environ).get_response(self.gate)


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
    assert answer.headers["Content-Type"] == "application/json"
    fault = {"code": code, "title": title, "message": "two lines"}
    assert (answer.status_int, answer.json) == (code, {name: fault})


EXEMPTION = """\
exemptions:
  - id: old
    reason: its driver
    projects: [p1]
    rules: {guest_devices.disk_bus: [ide]}
    until: 2999-12-31
"""
OFF = "enabled: false\n"
DISK, CDROM = "guest_devices.disk_bus", "guest_devices.cdrom_bus"
CONFIRMED = {"HTTP_X_SERVICE_IDENTITY_STATUS": "Confirmed"}
INVALID = {"HTTP_X_SERVICE_IDENTITY_STATUS": "Invalid"}
#: With a config drive, which is on the bus of CD-ROMs.
DRIVE = {**IDE, "img_config_drive": "mandatory"}
TO_IDE = add("/hw_disk_bus", "ide")

#: A request, its status, and operation and outcome in its one event; then
#: additions to the policy and to the stored image; service roles, and headers;
#: in the event: project, image, service, rules if the request does not pass,
#: and exemptions.
Case = collections.namedtuple(
    "Case",
    "wire status event policy stored roles headers project image service"
    " rules exemptions",
    defaults=("", {}, None, {}, "p1", None, False, [DISK], []),
)


def as_service(roles: list[str], headers: dict[str, str] = CONFIRMED) -> Case:
    """Return an upload by a service, which is never refused."""
    outcome = create(IDE), 201, "upload warn"
    return Case(*outcome, roles=roles, headers=headers, service=True)


def as_other(roles: list[str] | None, headers: dict[str, str]) -> Case:
    """Return an upload by somebody who is not taken for a service."""
    return Case(create(IDE), 403, "upload refuse", "", {}, roles, headers)


def under(who: str, mode: str) -> str:
    """Return a mode of a project or of a domain."""
    return f"projects: [{{{who}, mode: {mode}}}]\n"


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
        *(update(TO_IDE), 201, "update allow", EXEMPTION),
        image=IMAGE,
        exemptions=["old"],
    ),
    "beside what is exempt": Case(
        update(add("/hw_cdrom_bus", "sata")),
        201,
        "update allow",
        EXEMPTION,
        DRIVE,
        image=IMAGE,
        exemptions=["old"],
    ),
    "not exempt": Case(
        update(add("/hw_cdrom_bus", "ide")),
        403,
        "update refuse",
        EXEMPTION,
        DRIVE,
        image=IMAGE,
        rules=[CDROM],
        exemptions=["old"],
    ),
    "an exemption of another project": Case(
        create(IDE), 403, "upload refuse", EXEMPTION.replace("p1", "p2")
    ),
    "an exemption that has ended": Case(
        create(IDE), 403, "upload refuse", EXEMPTION.replace("2999", "2020")
    ),
    "an exemption of a role": Case(
        create(IDE),
        201,
        "upload allow",
        EXEMPTION.replace("projects: [p1]", "roles: [MEMBER]"),
        exemptions=["old"],
    ),
    "an exemption of another role": Case(
        create(IDE),
        403,
        "upload refuse",
        EXEMPTION.replace("projects: [p1]", "roles: [admin]"),
    ),
    "two devices, one of them exempt": Case(
        create({**DRIVE, "hw_cdrom_bus": "ide"}),
        403,
        "upload refuse",
        EXEMPTION,
        rules=[CDROM],
        exemptions=["old"],
    ),
    "two devices": Case(
        create({**DRIVE, "hw_cdrom_bus": "ide"}),
        403,
        "upload refuse",
        rules=[CDROM, DISK],
    ),
    "warned of": Case(create(IDE), 201, "upload warn", "mode: warn\n"),
    "audited": Case(create(IDE), 201, "upload audit", "mode: audit\n"),
    "warned of, change": Case(
        update(TO_IDE), 201, "update warn", "mode: warn\n", image=IMAGE
    ),
    "audited, change": Case(
        update(TO_IDE), 201, "update audit", "mode: audit\n", image=IMAGE
    ),
    "mode of a project": Case(
        create(IDE), 201, "upload audit", under("projects: [p1]", "audit")
    ),
    "mode of a domain": Case(
        create(IDE), 201, "upload audit", under("domains: [d1]", "audit")
    ),
    "mode of another domain": Case(
        create(IDE), 403, "upload refuse", under("domains: [d2]", "audit")
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
    "removed": Case(
        update(remove("/hw_disk_bus")),
        201,
        "update allow",
        stored=IDE,
        image=IMAGE,
    ),
    # Each gate judges the devices that follow from an image's format.
    "iso": Case(create(ISO), 403, "upload refuse", rules=[CDROM]),
    "raw": Case(create({**ISO, "disk_format": "raw"}), 201, "upload allow"),
    "changed to iso": Case(
        update(add("/disk_format", "iso")),
        403,
        "update refuse",
        stored={"hw_cdrom_bus": "ide"},
        image=IMAGE,
        rules=[CDROM],
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
    (event,) = logged.decisions(caplog)
    operation, outcome = case.event.split()
    subject = event["subject"]
    facts = [event[key] for key in ("gate", "operation", "outcome", "service")]
    assert (answer.status_int, "To fix: " in answer.text, *facts) == (
        *(case.status, case.status == 403, "glance-api", operation),
        *(outcome, case.service),
    )
    assert (subject["project"], subject.get("image"), subject["roles"]) == (
        *(case.project, case.image),
        ["member"] if case.project == "p1" else [],
    )
    passes = outcome in ("allow", "disabled")
    assert event["rules"] == ([] if passes else case.rules)
    assert event["exemptions"] == case.exemptions
    levels = {"refuse": ["INFO"], "warn": ["WARNING"]}.get(outcome, [])
    lines = logged.lines(caplog, "nova_vhard.gates.enforcer")
    assert [level for level, _ in lines] == levels
    read = operation == "update" and outcome != "disabled"
    assert bool(cloud.shown) == read
    assert {each.name for each in (tmp_path / "state").iterdir()} == KEPT


@pytest.mark.parametrize(
    "wire",
    [
        Wire("GET", "/v2/images/{id}"),
        Wire("POST", "/v2/images/{id}/actions/deactivate", b"{}"),
        Wire("POST", "/v2/nothing", b"{}"),
        Wire("PATCH", "/v2/nothing", b"{}"),
        update(add("/name", "y")),
    ],
    ids=lambda wire: f"{wire.method} {wire.path}",
)
def test_what_is_not_judged_passes_without_an_event(
    cloud: Cloud, caplog: pytest.LogCaptureFixture, wire: Wire
) -> None:
    assert cloud.send(wire).status_int == 201
    assert (logged.decisions(caplog), cloud.shown) == ([], [])
    assert len(cloud.environs) == 1


@pytest.mark.parametrize("path", ["file", "stage"])
def test_the_data_of_an_image_is_left_to_glance(
    cloud: Cloud, path: str
) -> None:
    stream = object()
    chunked = {"wsgi.input": stream, "HTTP_TRANSFER_ENCODING": "chunked"}
    for more in ({"wsgi.input": stream, "CONTENT_LENGTH": "9"}, chunked):
        cloud.send(Wire("PUT", f"/v2/images/{{id}}/{path}"), **more)
        assert more.items() <= cloud.environs.pop().items()


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/html",
        "text/plain",
        "text/html, application/xml;q=0.9, */*;q=0.1",
        "application/json",
        "application/json;q=0",
    ],
)
def test_it_is_json_whatever_the_client_accepts(
    cloud: Cloud, accept: str
) -> None:
    text = message(cloud.send(create(IDE), HTTP_ACCEPT=accept))
    assert "hw_disk_bus='ide'" in text
    assert " See " not in text


def test_it_points_at_the_page_that_the_cloud_names(
    cloud: Cloud, override: Callable[..., None]
) -> None:
    override("help_url", "https://docs.example/why", "vhard")
    url = " See https://docs.example/why#rule-guest-devices-disk-bus"
    for wire in (create(IDE), update(TO_IDE)):
        assert message(Cloud().send(wire)).endswith(url)


def test_hostile_values_are_cut_and_cleaned(cloud: Cloud) -> None:
    value = "<script>\r\nSet-Cookie: a=b\x1b[2J\u202e" + "x" * 200
    answer = cloud.send(create({"hw_disk_bus": value}))
    text = message(answer)
    assert text.isprintable() and "x" * 65 not in text
    assert "Set-Cookie" not in answer.headers


GATES = "nova_vhard.gates"
READS_BODY = f"{GATES}.glance_api.buffer_body"
JUDGES = "nova_vhard.request.server_request.evaluate"
WRITES = "nova_vhard.policy.events.write"
READS_IMAGE = "nova_vhard.request.lookups.image_reader.read"
#: Functions in the order in which a request that creates an image calls them.
CREATE = (
    f"{GATES}.glance_router.Router.call",
    f"{GATES}.enforcer.PolicyEnforcer.policy",
    READS_BODY,
    f"{GATES}.glance_api.subject_of",
    READS_IMAGE,
    JUDGES,
    WRITES,
    "nova_vhard.policy.events._names",
)
UPDATE = (
    f"{__name__}.Cloud.show",
    f"{GATES}.glance_api.changed",
    "nova_vhard.request.server_request.introduced_violations",
)
IMPORT = (
    f"{GATES}.glance_import.PolicyEnforcer",
    READS_IMAGE,
    JUDGES,
    WRITES,
)
#: The explanation fails after the event of the refusal.
FAULTS = [
    *[
        (create({"hw_disk_bus": "virtio"}), place, kind)
        for place in CREATE
        for kind in faults.KINDS
        # There, an OSError means that the client has sent too few bytes.
        if (place, kind) != (READS_BODY, OSError)
    ],
    *[
        (update(add("/hw_machine_type", "q35")), name, KeyError)
        for name in UPDATE
    ],
    (create(IDE), "nova_vhard.explain.messages.api_message", RuntimeError),
    (update(TO_IDE), f"{__name__}.Cloud.show", exception.GlanceException),
]


def unable(answer: webob.Response) -> str:
    """Return why a request could not be judged."""
    assert answer.status_int == 503, answer.text
    return str(answer.json["serviceUnavailable"]["message"])


def unjudged(caplog: pytest.LogCaptureFixture) -> bool:
    """Return True if the last event has the outcome "unjudged"."""
    event = logged.decisions(caplog)[-1]
    return (event["outcome"], event["policy"]) == ("unjudged", "")


@pytest.mark.parametrize(("wire", "place", "kind"), FAULTS)
def test_a_fault_in_the_gate(
    cloud: Cloud,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    wire: Wire,
    place: str,
    kind: type[Exception],
) -> None:
    monkeypatch.setattr(place, faults.failing(kind))
    with faults.errors() as errors:
        text = unable(cloud.send(wire))
    assert text == http.fault_text(cloud.context)
    assert cloud.context.request_id in text
    faults.check_logged(errors, kind)
    assert ".events." in place or unjudged(caplog)
    assert cloud.environs == []


@pytest.mark.refused_policy
@pytest.mark.parametrize("text", [None, "", BROKEN])
@pytest.mark.parametrize("wire", [create({}), update(TO_IDE)])
def test_without_a_policy(
    cloud: Cloud,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    wire: Wire,
    text: str | None,
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.unlink()
    if text is not None:
        policy.write_text(text)
    assert unable(cloud.send(wire)) == http.NO_POLICY_TEXT
    assert unjudged(caplog)
    assert cloud.environs == []
    # Requests that are not judged pass, and the next policy is obeyed.
    assert cloud.send(Wire("DELETE", "/v2/images/{id}")).status_int == 201
    policy.write_text(f"{POLICY}mode: audit\n")
    assert cloud.send(wire).status_int == 201


def test_a_fault_of_glance_is_not_ours(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.status = 503
    answer = cloud.send(update(add("/hw_disk_bus", "virtio")))
    assert answer.status_int == 503
    (event,) = logged.decisions(caplog)
    assert event["outcome"] == "allow"


@pytest.mark.parametrize("name", [faults.DECISIONS, faults.OURS])
@pytest.mark.parametrize(
    "wire", [create({}), update(add("/hw_disk_bus", "virtio"))]
)
def test_a_log_that_cannot_be_written(
    cloud: Cloud, wire: Wire, name: str
) -> None:
    with faults.broken_log(name):
        assert unable(cloud.send(wire)) == http.fault_text(cloud.context)
    assert cloud.environs == []


def test_a_refusal_remains_if_the_search_for_its_fix_fails(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "nova_vhard.explain.search._Search.run"
    monkeypatch.setattr(place, faults.failing(RuntimeError))
    with faults.errors() as errors:
        assert "To fix" not in message(cloud.send(create(IDE)))
    faults.check_logged(errors, RuntimeError)


def test_a_request_that_is_not_judged_passes_despite_a_fault(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in CREATE:
        monkeypatch.setattr(place, faults.failing(RuntimeError))
    assert cloud.send(Wire("GET", "/v2/images")).status_int == 201


def test_a_chunked_body_is_a_plain_one_afterwards(cloud: Cloud) -> None:
    wire = create({"hw_disk_bus": "virtio"})
    assert cloud.send(wire, HTTP_TRANSFER_ENCODING="chunked").status_int == 201
    (passed,) = cloud.environs
    assert "HTTP_TRANSFER_ENCODING" not in passed
    assert int(passed["CONTENT_LENGTH"]) > 0


def test_an_image_is_read_as_the_user_who_changes_it(cloud: Cloud) -> None:
    wire = update(add("/hw_machine_type", "q35"))
    assert cloud.send(wire, HTTP_RANGE="bytes=0-1").status_int == 201
    assert cloud.shown == [(cloud.context, IMAGE)]
    (passed,) = cloud.environs
    assert passed["REQUEST_METHOD"] == "PATCH"
    assert passed["HTTP_RANGE"] == "bytes=0-1"


def test_both_states_have_the_id_and_owner_of_the_image(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = mock.Mock(wraps=image_reader.read)
    monkeypatch.setattr(image_reader, "read", reader)
    cloud.stored = {**STORED, "owner": "p2", "hw_disk_bus": "virtio"}
    message(cloud.send(update(TO_IDE)))
    before = {**cloud.stored}
    del before["owner"]
    read = [call.args for call in reader.call_args_list]
    assert [each[0] for each in read[:2]] == [{**before, **IDE}, before]
    # and so do the states that the search for a fix reads
    rest = ("raw", "image", Holder(IMAGE, "p2", "raw"))
    assert {each[1:] for each in read} == {rest}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"CONTENT_LENGTH": "0"},
        {"CONTENT_LENGTH": "2", "webob.is_body_seekable": True},
    ],
)
def test_an_empty_body_or_a_buffer_is_not_read(more: dict[str, Any]) -> None:
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


def test_which_paths_the_router_finds(cloud: Cloud) -> None:
    judged = [("ImagesController", "create")]
    found = glance_router.Call(judged[0], {})
    environ = create({}).environ()
    ((_, v2),) = cloud.applications
    bare = glance_router.Router(v2, judged)
    assert bare.call(environ | {"PATH_INFO": "/images"}) == found
    # An application without a router, and routes that lead nowhere.
    cloud.applications.append(((None, "/x"), lambda *_: None))
    v2.map.connect("/odd")
    v2.map.connect("/strange", controller="strange")
    result = glance_router.Router(cloud, judged)
    paths = ("/v2/images", "/x/images", "/v2/odd", "/v2/strange", "/images")
    calls = [result.call(environ | {"PATH_INFO": path}) for path in paths]
    assert calls == [found, None, None, None, None]
    with pytest.raises(routing.Unroutable, match="images"):
        result.call(environ | {"PATH_INFO": "images"})


UNREADABLE = ("ERROR", "Glance itself cannot read the body")
#: Request, headers, text of the response, and lines of the log.
MALFORMED: dict[str, tuple[Wire, dict[str, str], str, list[Any]]] = {
    "without end": (
        Wire("POST", "/v2/images", b"[" * 100_000),
        {},
        http.MALFORMED_TEXT,
        [],
    ),
    "a path that is a number": (
        update({"op": "add", "path": 7, "value": "x"}),
        {},
        http.MALFORMED_TEXT,
        [UNREADABLE],
    ),
    "cut off": (
        create(IDE),
        {"CONTENT_LENGTH": "999"},
        http.MALFORMED_TEXT,
        [],
    ),
    "another method in the query": (
        create({}),
        {"QUERY_STRING": "_method=PATCH"},
        http.OVERRIDE_TEXT,
        [],
    ),
}


@pytest.mark.parametrize(
    ("wire", "headers", "text", "lines"), MALFORMED.values(), ids=MALFORMED
)
def test_a_request_that_is_rejected(
    cloud: Cloud,
    caplog: pytest.LogCaptureFixture,
    wire: Wire,
    headers: dict[str, str],
    text: str,
    lines: list[Any],
) -> None:
    answer = cloud.send(wire, **headers)
    assert answer.status_int == 400
    assert answer.json["badRequest"]["message"] == text
    assert logged.lines(caplog, LOGGER) == lines
    errors = [each for each in caplog.records if each.levelname == "ERROR"]
    assert all(each.exc_info for each in errors)
    assert cloud.environs == []


#: An image as Glance's database returns it.
OLD = SimpleNamespace(owner="p1", disk_format="raw", extra_properties=IDE)
#: Stored disk format, and the format that the gate reads.
FORMATS = {None: None, "": None, "raw": "raw"}


def old(**changes: Any) -> SimpleNamespace:
    """Return the stored image with changes."""
    return SimpleNamespace(**{**vars(OLD), **changes})


def import_task(image: Any, **more: Any) -> Any:
    """Return the task that judges the image in Glance's import flow."""
    options = {
        "task_type": "api_image_import",
        "task_id": "task-1",
        "context": RequestContext(**WHO),
        "image_id": IMAGE,
        "image_repo": SimpleNamespace(get={IMAGE: image}.__getitem__),
    }
    flow = glance_import.get_flow(**{**options, **more})
    ((task, _),) = flow.iter_nodes()
    assert (flow.name, task.name) == (
        "api_image_import",
        "api_image_import-JudgeImage-task-1",
    )
    return task


def refused(image: Any, **more: Any) -> str:
    """Return the reason for which the import task refuses an image."""
    with pytest.raises(exception.UploadException) as raised:
        import_task(image, **more).execute()
    return str(raised.value)


SET = f" To fix: run `openstack image set {PROPERTY} {IMAGE}`"


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(
    ("asked", "fix"),
    [
        (None, SET),
        ({}, SET),
        ({"method": None}, SET),
        ({"method": {"name": "web-download"}}, SET),
        # Another copy would have the same properties.
        (
            {"method": {"name": "glance-download"}},
            f" To fix: upload it with `{PROPERTY}`",
        ),
    ],
)
def test_the_fix_for_a_refused_import(asked: Any, fix: str) -> None:
    assert refused(OLD, import_req=asked).endswith(fix)


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(("owner", "roles"), [("p1", ["member"]), ("p2", [])])
def test_an_import_is_judged_for_the_owner_of_the_image(
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    owner: str,
    roles: list[str],
) -> None:
    assert "hw_disk_bus='ide' is not allowed" in refused(old(owner=owner))
    (event,) = logged.decisions(caplog)
    assert (event["gate"], event["outcome"]) == ("glance-import", "refuse")
    who = {"project": owner, "roles": roles, "image": IMAGE}
    assert event["subject"] == who
    assert {each.name for each in (tmp_path / "state").iterdir()} == KEPT


@pytest.mark.usefixtures("cloud")
def test_what_an_import_lets_pass(caplog: pytest.LogCaptureFixture) -> None:
    import_task(old(extra_properties={})).execute()
    (event,) = logged.decisions(caplog)
    assert event["outcome"] == "allow"


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(("stored", "read"), FORMATS.items())
def test_an_image_without_a_format_has_none(
    monkeypatch: pytest.MonkeyPatch, stored: str | None, read: str | None
) -> None:
    reader = mock.Mock(side_effect=RuntimeError("enough"))
    monkeypatch.setattr(image_reader, "read", reader)
    refused(old(disk_format=stored))
    holder = Holder(IMAGE, "p1", read)
    reader.assert_called_once_with(IDE, read, "image", holder)


@pytest.mark.refused_policy
def test_an_import_without_a_policy(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("")
    assert refused(OLD) == http.NO_POLICY_TEXT


@pytest.mark.usefixtures("cloud")
def test_imports_share_one_policy_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = mock.Mock(wraps=enforcer.PolicyFile)
    monkeypatch.setattr(enforcer, "PolicyFile", made)
    enforcer._policy_file.cache_clear()
    assert len({refused(OLD) for _ in range(3)}) == 1
    made.assert_called_once()


@pytest.mark.usefixtures("cloud")
def test_an_image_that_is_gone() -> None:
    gone = mock.Mock(side_effect=exception.ImageNotFound("No image found"))
    text = "the hardening policy cannot judge this image: No image found"
    assert refused(OLD, image_repo=mock.Mock(get=gone)) == text


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("place", IMPORT)
def test_a_fault_in_the_import_plugin(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(place, faults.failing(KeyError))
    context = RequestContext(**WHO)
    with faults.errors() as errors:
        assert refused(OLD, context=context) == http.fault_text(context)
    faults.check_logged(errors, KeyError)


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("name", [faults.DECISIONS, faults.OURS])
def test_an_import_and_a_log_that_cannot_be_written(name: str) -> None:
    context = RequestContext(**WHO)
    with faults.broken_log(name):
        assert refused(OLD, context=context) == http.fault_text(context)
