# SPDX-License-Identifier: Apache-2.0
"""The Nova API's gate before Nova's own router, without Nova's services.

Beyond a status: who is asked about a host, what is logged, and what text an
error has that nobody but a gate reads.
"""

import functools
import io
import json
import logging
from types import SimpleNamespace
from unittest import mock

import glanceclient.exc
import pytest
from nova import context, exception, objects, policy, rpc
from nova.api import openstack
from nova.api.openstack import wsgi
from nova.api.openstack.compute import servers
from oslo_policy import policy as oslo_policy

from nova_vhard.gates import (
    enforcer,
    http,
    nova_api,
    nova_images,
    nova_lookup,
    nova_router,
    nova_routes,
    nova_servers,
    posture_filter,
    routing,
)
from nova_vhard.gates.nova_schemas import NotAccepted
from nova_vhard.request.lookups import NotFound
from tests import faults, logged, services
from tests.functional.nova.test_proven import Placement, host
from tests.fuzz import nova_stubs as known
from tests.fuzz import routers
from tests.fuzz.service import Service, environment, sent
from tests.policy_option import policy_option

LOGGER = "nova_vhard.gates.nova_api"
ACTIONS = servers.ServersController.wsgi_actions
#: A policy that cannot be read.
BAD = "version: 7\n"
POLICY = """\
version: "1"
applies_to: {hypervisor_type: [QEMU]}
guest_devices: {disk_bus: {allow: [virtio]}}
passthrough: {allow: {aliases: [gpu], ports: [vf]}, require: [iommu]}
"""
#: As Nova's router takes one in a path.
PROJECT = "0a1b"
ACTION = f"/servers/{known.SERVER}/action"
SPECS = "/flavors/1/os-extra_specs"
GPU = {"extra_specs": {"pci_passthrough:alias": "gpu:1"}}
DEEP = b'{"rebuild": ' + b"[" * 100_000
TRAIT = {"trait:CUSTOM_VHARD_IOMMU": "required"}
IDE = {"hw_disk_bus": "ide"}
METADATA = f"/images/{known.CLEAN}/metadata"
OLD_REBUILD = {"rebuild": {"imageRef": known.OLD}}
REBUILD = {"rebuild": {"imageRef": known.CLEAN}}


def boot(image=known.CLEAN, flavor="1"):
    """Return the body of a boot."""
    return {
        "server": {
            "name": "server",
            "imageRef": image,
            "flavorRef": flavor,
            "networks": "none",
        }
    }


def request(
    method, path, body=None, version="latest", role="member", more=None
):
    """Return the environment of a user's request.

    :param more: keys to add or replace
    """
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    environ = environment(method, path, content, "application/json")
    environ["HTTP_OPENSTACK_API_VERSION"] = f"compute {version}"
    environ["nova.context"] = context.RequestContext(
        "user", PROJECT, roles=[role], is_admin=role == "admin"
    )
    return sent({**environ, **(more or {})}, content)


@functools.cache
def router():
    """Return Nova's router, which is the same for each gate."""
    with pytest.MonkeyPatch.context() as patch:
        return routers.nova(patch)


class Cloud:
    """A gate, the service behind it, and what it asks Placement."""

    def __init__(self, patch):
        made = router()
        for name in ("get_client", "get_notifier"):
            patch.setattr(rpc, name, lambda *_, **__: SimpleNamespace())
        patch.setattr(routers, "nova", lambda _patch: made)
        self.placement = Placement("a")
        self.service = Service(lambda _request: 202, wsgi.Request)
        self.gate = known.gate(self.service, patch)
        patch.setattr(
            posture_filter, "_connect", lambda _limit: self.placement
        )

    def serve(self, patch, images, server, rows=()):
        """Let Nova have these images, and one server.

        :param images: id to properties; the first is of the server's volume
        :param rows: block devices of the server
        """
        volume = next(
            {"volume_image_metadata": {**properties, "image_id": name}}
            for name, properties in images.items()
        )
        self.gate._services = SimpleNamespace(
            servers=SimpleNamespace(get=lambda *_, **__: server),
            volumes=SimpleNamespace(get=lambda *_: volume),
        )
        devices = objects.BlockDeviceMappingList(objects=[*rows])
        record = objects.ImageMeta.from_instance(server)
        for owner, name, answer in (
            (nova_images, "get", lambda _, name: {"id": name, **images[name]}),
            (nova_servers, "_in_cell", lambda *_: devices),
            (nova_servers, "recorded", lambda *_: record),
        ):
            patch.setattr(owner, name, answer)

    def send(self, environ):
        """Return status, headers and message of an answer."""
        answers = []

        def start(status, headers, *_):
            answers.append((int(status.split()[0]), dict(headers)))

        content = json.loads(b"".join(self.gate(environ, start)))
        ((status, headers),) = answers
        (fault,) = content.values() or [{"message": ""}]
        text = fault["message"]
        return SimpleNamespace(status=status, headers=headers, text=text)


@pytest.fixture
def make(tmp_path, monkeypatch, caplog):
    """Give a function: a cloud under a policy."""
    caplog.set_level(logging.DEBUG, "nova_vhard")
    with policy_option(tmp_path, POLICY) as path:

        def made(policy=POLICY):
            path.write_text(policy)
            return Cloud(monkeypatch)

        yield made


@pytest.fixture
def cloud(make, request):
    """Return a cloud under POLICY, or under that of a parameter."""
    return make(getattr(request, "param", POLICY))


ATTACHES = (
    "POST",
    (f"/servers/{known.SERVER}/os-interface"),
    {"interfaceAttachment": {"port_id": known.PORT}},
)
EXPLICIT = POLICY.replace("[virtio]", "[virtio], explicit: true")
#: What hosts have to prove for every new server.
OF_ALL = POLICY.replace("[iommu]", "[]") + (
    "hosts: {require: [kernel_aslr]}\n"
)
OFF = f"{POLICY}enabled: false\n"
EXEMPTS = f"""{POLICY}
exemptions:
  - id: old
    reason: its driver
    projects: ["{PROJECT}"]
    rules: {{guest_devices.disk_bus: [ide], passthrough.require: [iommu]}}
    until: 2999-12-31
"""
BUS, ALLOW, REQUIRE = (
    "guest_devices.disk_bus",
    "passthrough.allow",
    "passthrough.require",
)
OLD_BOOTS = ("boot", "refuse", BUS)
LINK = "http://nova.example/flavors/"
ADDS = ("POST", SPECS, GPU)
WITH_TRAIT = ("POST", SPECS, {"extra_specs": {**GPU["extra_specs"], **TRAIT}})
UPDATES = ("PUT", f"{SPECS}/trait:CUSTOM_VHARD_IOMMU", TRAIT)
DELETES = ("DELETE", f"{SPECS}/trait:CUSTOM_VHARD_IOMMU", None)
#: A policy, the server's host, a request, the status and the event, and how
#: often Placement is asked. Without an event the request is not judged.
ANSWERS = {
    # No scheduler sees a port that a running server gets.
    "proven": (POLICY, "a", ATTACHES, 202, ("attach", "allow"), 1),
    "unproven": (POLICY, "b", ATTACHES, 403, ("attach", "refuse", REQUIRE), 1),
    "gone": (POLICY, None, ATTACHES, 403, ("attach", "refuse", REQUIRE), 1),
    "ironic": (POLICY, "metal", ATTACHES, 202, ("attach", "allow"), 0),
    "warned": (
        POLICY.replace("require:", "mode: warn, require:"),
        "b",
        ATTACHES,
        202,
        ("attach", "warn", REQUIRE),
        1,
    ),
    # The server is there, whatever its host has proven since.
    "of all": (OF_ALL, "b", ATTACHES, 202, ("attach", "allow"), 0),
    "refused port": (
        POLICY.replace(", ports: [vf]", ""),
        "b",
        ATTACHES,
        403,
        ("attach", "refuse", ALLOW),
        0,
    ),
    # The scheduler asks.
    "boot": (
        POLICY,
        None,
        ("POST", "/servers", boot(flavor="gpu")),
        202,
        ("boot", "allow"),
        0,
    ),
    "own project": (
        POLICY,
        None,
        ("POST", f"/{PROJECT}/servers", boot(known.OLD)),
        403,
        ("boot", "refuse", BUS),
        0,
    ),
    "own project, action": (
        POLICY,
        None,
        ("POST", f"/{PROJECT}{ACTION}", OLD_REBUILD),
        403,
        ("rebuild", "refuse", BUS),
        0,
    ),
    # What is in the path counts as the user's.
    **{
        f"explicit {method} {path}": (
            EXPLICIT,
            "b",
            (method, path, body, "2.1"),
            403,
            (operation, "refuse", BUS),
            0,
        )
        for operation, method, path, body in (
            ("update", "POST", METADATA, {"metadata": IDE}),
            ("update", "PUT", METADATA, {"metadata": IDE}),
            ("update", "PUT", f"{METADATA}/hw_disk_bus", {"meta": IDE}),
            ("rebuild", "POST", ACTION, OLD_REBUILD),
        )
    },
    "explicit attach": (
        EXPLICIT,
        "b",
        (*ATTACHES, "2.1"),
        403,
        ("attach", "refuse", REQUIRE),
        1,
    ),
    # Break glass: each judged request has its event all the same.
    **{
        f"off: {operation}": (OFF, "b", sent, 202, (operation, "disabled"), 0)
        for operation, sent in (
            ("boot", ("POST", "/servers", boot(known.OLD))),
            ("attach", ATTACHES),
            ("rebuild", ("POST", ACTION, OLD_REBUILD)),
            ("flavor", ADDS),
        )
    },
    "flavor": (
        POLICY,
        None,
        (*ADDS, "latest", "admin"),
        403,
        ("flavor", "refuse", REQUIRE),
        0,
    ),
    **{
        f"trait: {sent[0]}": (
            POLICY,
            None,
            (*sent, "latest", "admin"),
            202,
            ("flavor", "allow"),
            0,
        )
        for sent in (WITH_TRAIT, UPDATES, DELETES)
    },
    "several servers on a network": (
        POLICY,
        None,
        (
            "POST",
            "/servers",
            {
                "server": {
                    **boot(known.OLD)["server"],
                    "networks": [{"uuid": known.PORT}],
                    "max_count": 2,
                }
            },
        ),
        403,
        OLD_BOOTS,
        0,
    ),
    # The fix brings a controller that is exempt.
    "fix": (
        EXEMPTS.replace(
            "[virtio]}", "[scsi]}, scsi_model: {allow: [virtio-scsi]}"
        ).replace("disk_bus: [ide]", "scsi_model: [lsilogic]"),
        "b",
        ("POST", "/servers", boot(known.OLD)),
        403,
        OLD_BOOTS,
        0,
    ),
    # An exemption that has not ended holds, but for no flavor.
    "exempt boot": (
        EXEMPTS,
        "b",
        ("POST", "/servers", boot(known.OLD)),
        202,
        ("boot", "allow"),
        0,
    ),
    # Nova takes the last part of a link as the flavor.
    **{
        f"exempt by {held}, {flavor}": (
            EXEMPTS.replace(f'projects: ["{PROJECT}"]', held),
            "b",
            ("POST", "/servers", boot(known.OLD, flavor), "latest", "Member"),
            *((202, ("boot", "allow")) if exempt else (403, OLD_BOOTS)),
            0,
        )
        for held, flavor, exempt in (
            ("roles: [member]", "1", True),
            ("roles: [other]", "1", False),
            ('flavors: ["1"]', "1", True),
            ('flavors: ["1"]', f"{LINK}1", True),
            ('flavors: ["1"]', "gpu", False),
            ('flavors: ["1"]', f"{LINK}gpu", False),
        )
    },
    "exempt attach": (EXEMPTS, "b", ATTACHES, 202, ("attach", "allow"), 0),
    "exempt flavor": (
        EXEMPTS,
        "b",
        (*ADDS, "latest", "admin"),
        403,
        ("flavor", "refuse", REQUIRE),
        0,
    ),
    **{
        f"not judged: {sent}": (POLICY, None, sent, 202, (), 0)
        for sent in (
            # A member who writes a flavor is Nova's to refuse.
            WITH_TRAIT,
            UPDATES,
            DELETES,
            ("GET", "/servers", {}),
            ("POST", "/os-keypairs", {}),
            ("POST", "/nowhere", {}),
            ("POST", ACTION, {"reboot": {"type": "SOFT"}}),
            ("POST", ACTION, {"createImage": {"name": "no metadata"}}),
            ("POST", "/0a1c/servers", boot(known.OLD)),
            ("POST", "/0a/servers", boot(known.OLD)),
            # Nova's own error says that the image is not found.
            ("POST", ACTION, {"rebuild": {"imageRef": known.PORT}}),
        )
    },
}


@pytest.mark.parametrize(
    ("policy", "node", "sent", "status", "expected", "asked"),
    ANSWERS.values(),
    ids=ANSWERS,
)
def test_answers(
    make, caplog, monkeypatch, policy, node, sent, status, expected, asked
):
    def runs_on(_find, server):
        assert server == known.SERVER
        if node is None:
            raise NotFound("no such host")
        return host(node, "ironic" if node == "metal" else "QEMU")

    monkeypatch.setattr(nova_lookup.NovaLookups, "host", runs_on)
    cloud = make(policy)
    if policy is OFF:
        # Nothing is looked up, so nothing can fail.
        monkeypatch.setattr(nova_api, "NovaLookups", None)
    answer = cloud.send(request(*sent))
    assert answer.status == status
    assert len(cloud.placement.asked) == asked
    # A refused request does not reach Nova.
    assert bool(cloud.service.bodies) is (status == 202)
    of_host = expected == ("attach", "refuse", REQUIRE)
    assert [
        word in answer.text
        for word in ("the server's host", "To fix: ", "hw_scsi_model")
    ] == [of_host, status == 403 and not of_host, False]
    events = logged.decisions(caplog)
    assert [
        (each["operation"], each["outcome"], *each["rules"]) for each in events
    ] == list(filter(None, [expected]))
    role = "admin" if "admin" in sent else "member"
    for each in events:
        assert each["gate"] == "nova-api"
        assert each["policy"] == cloud.gate._enforcer.policy().digest
        subject = each["subject"]
        assert (subject["project"], subject["roles"]) == (PROJECT, [role])


def test_a_write_of_a_flavor_has_no_target(cloud, caplog):
    """A policy rule may need a target's project, which no flavor has."""
    authorize = "os_compute_api:os-flavor-extra-specs:create"
    rules = {authorize: "project_id:%(project_id)s"}
    policy.reset()
    policy.set_rules(oslo_policy.Rules.from_dict(rules), overwrite=False)
    answer = cloud.send(request(*ADDS))
    policy.reset()
    assert (answer.status, logged.decisions(caplog)) == (202, [])


HIDDEN = "the image is not there: Image x could not be found."


def forced(**more):
    """Return the body of a boot on a host, without the filter."""
    return {
        "server": {
            **boot()["server"],
            "availability_zone": "nova:host",
            **more,
        }
    }


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/servers", boot(), ""),
        ("/servers", forced(), ""),
        (
            "/servers",
            forced(
                block_device_mapping_v2=[
                    {
                        "boot_index": 0,
                        "uuid": known.CLEAN,
                        "source_type": "image",
                        "destination_type": "local",
                        "disk_bus": "virtio",
                    }
                ]
            ),
            "",
        ),
        (ACTION, REBUILD, "Cannot find image for rebuild"),
        (
            ACTION,
            {"rescue": {"rescue_image_ref": known.CLEAN}},
            HIDDEN,
        ),
    ],
    ids=["boot", "forced", "forced, with a disk", "rebuild", "rescue"],
)
def test_an_image_that_may_be_shared_before_nova_looks(
    cloud, monkeypatch, path, body, text
):
    """The scheduler's filter judges a boot, and nobody the others."""

    error = exception.ImageNotFound(image_id="x")
    error.__cause__ = glanceclient.exc.HTTPNotFound()
    monkeypatch.setattr(nova_images, "get", mock.Mock(side_effect=error))
    monkeypatch.setattr(
        objects.AggregateList, "get_by_host", mock.Mock(return_value=[])
    )
    answer = cloud.send(request("POST", path, body, role="admin"))
    assert (answer.status, answer.text) == (400 if text else 202, text)


@pytest.mark.refused_policy
def test_without_a_policy_nothing_is_judged(make, tmp_path, caplog):
    cloud = make(BAD)
    answer = cloud.send(request("POST", "/servers", boot()))
    assert (answer.status, answer.text) == (503, http.NO_POLICY_TEXT)
    assert cloud.send(request("POST", "/os-keypairs", {})).status == 202
    (runs,) = (tmp_path / "state").iterdir()
    assert json.loads(runs.read_text())["policy"] is None
    (event,) = logged.decisions(caplog)
    assert (event["operation"], event["outcome"]) == ("unknown", "unjudged")
    # A corrected policy is obeyed without a restart, and a bad edit is not.
    for text in (POLICY, BAD):
        (tmp_path / "policy.yaml").write_text(text)
        for image, status in ((known.OLD, 403), (known.CLEAN, 202)):
            sent = request("POST", "/servers", boot(image))
            assert cloud.send(sent).status == status


def test_the_last_good_policy_is_kept_for_this_service(cloud, tmp_path):
    cloud.send(request("POST", "/servers", boot()))
    kept = {each.name for each in (tmp_path / "state").iterdir()}
    assert kept == {"policy-nova-api.json", "policy-nova-api.json.runs"}


GATES, READER = "nova_vhard.gates", "nova_vhard.request"
IN_BODY, EVENT = f"{READER}.nova_api.in_body", "nova_vhard.policy.events.write"
THE_POLICY = f"{GATES}.enforcer.PolicyEnforcer.policy"
BOOT = ("POST", "/servers", boot())
OLD_BOOT = ("POST", "/servers", boot(known.OLD))
#: Requests, and functions that fail, in the order in which requests call them.
FAULTS = (
    (
        BOOT,
        (
            f"{GATES}.nova_schemas.validate",
            f"{GATES}.nova_router.Router.call",
            THE_POLICY,
            IN_BODY,
            f"{READER}.nova_api.ServerReader.boot",
            f"{GATES}.nova_images.read",
            f"{GATES}.nova_servers.flavor",
            f"{READER}.server_request.evaluate",
            EVENT,
            "nova_vhard.policy.events._names",
        ),
    ),
    (OLD_BOOT, ("nova_vhard.explain.messages.api_message",)),
    (
        ("POST", ACTION, REBUILD),
        (
            f"{READER}.nova_api.ServerReader._anew",
            f"{GATES}.nova_servers.read",
            f"{GATES}.nova_servers.kept_devices",
            f"{READER}.nova_api.with_kept",
            f"{READER}.server_request.violated",
        ),
    ),
    (
        (*ADDS, "latest", "admin"),
        (
            f"{GATES}.nova_flavor.changed",
            f"{GATES}.nova_flavor.introduced_violations",
            f"{GATES}.nova_api.with_more",
        ),
    ),
)


@pytest.mark.parametrize(
    ("sent", "place", "kind"),
    [
        (sent, place, kind)
        for sent, places in FAULTS
        for place in places
        # Other errors have a meaning of their own where a body is read.
        for kind in (
            faults.KINDS if place in (IN_BODY, EVENT) else [TypeError]
        )
    ],
)
def test_no_request_passes_if_the_gate_fails(cloud, sent, place, kind):
    environ = request(*sent)
    with mock.patch(place, faults.failing(kind)), faults.errors() as logged:
        answer = cloud.send(environ)
    text = http.fault_text(environ["nova.context"])
    assert (answer.status, answer.text) == (503, text)
    assert cloud.service.bodies == []
    faults.check_logged(logged, kind)


@pytest.mark.parametrize("place", ["draft.Draft.of", "search._Search.run"])
def test_a_refusal_remains_if_the_search_for_its_fix_fails(cloud, place):
    failing = faults.failing(RuntimeError)
    with (
        mock.patch(f"nova_vhard.explain.{place}", failing),
        faults.errors() as logged,
    ):
        answer = cloud.send(request(*OLD_BOOT))
    assert (answer.status, "To fix" in answer.text) == (403, False)
    faults.check_logged(logged, RuntimeError)
    assert "To fix" in cloud.send(request(*OLD_BOOT)).text


def test_a_request_that_is_not_judged_passes_despite_a_fault(cloud):
    reboot = request("POST", ACTION, {"reboot": {"type": "HARD"}})
    with mock.patch(THE_POLICY, faults.failing(RuntimeError)):
        assert cloud.send(request("GET", "/flavors")).status == 202
        assert cloud.send(reboot).status == 202


@pytest.mark.parametrize(
    ("log", "sent", "error"),
    [
        (faults.DECISIONS, BOOT, None),
        (faults.OURS, BOOT, None),
        (faults.OURS, OLD_BOOT, None),
        # The gate logs that it cannot judge the request.
        (faults.OURS, ("POST", ACTION, REBUILD), OSError("cut off")),
    ],
    ids=["event", "allowed", "refused", "look-up"],
)
def test_no_request_passes_if_the_log_cannot_be_written(
    cloud, monkeypatch, log, sent, error
):
    if error:
        get = mock.Mock(side_effect=error)
        monkeypatch.setattr(nova_images, "get", get)
    with faults.broken_log(log):
        assert cloud.send(request(*sent)).status == 503
    assert cloud.service.bodies == []


@pytest.mark.refused_policy
@pytest.mark.parametrize(
    ("text", "broken", "name", "sent", "answered", "lines"),
    [
        # An event that cannot be written changes no answer.
        (BAD, enforcer.events, "write", BOOT, http.NO_POLICY_TEXT, None),
        (
            *(POLICY, nova_images, "get", ("POST", ACTION, REBUILD)),
            http.LOOKUP_TEXT,
            [
                (
                    "ERROR",
                    "Not judged, answered with 503: image: OSError: cut off",
                )
            ],
        ),
    ],
    ids=["event", "look-up"],
)
def test_no_request_passes_if_an_event_or_a_look_up_fails(
    make, caplog, monkeypatch, text, broken, name, sent, answered, lines
):
    cloud = make(text)
    failing = mock.Mock(side_effect=OSError("cut off"))
    monkeypatch.setattr(broken, name, failing)
    answer = cloud.send(request(*sent))
    assert (answer.status, answer.text) == (503, answered)
    assert lines in (None, logged.lines(caplog, LOGGER))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize("path", ["/servers", "/v2//servers", "/flavors/1"])
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("_method=POST", 400),
        ("_method=post", 400),
        ("x=1&_method=POST", 400),
        ("_method=GET&_method=POST", 400),
        # Routes searches the encoded query for the name, and decodes it to
        # read the value, so a value that contains the name is enough.
        ("%5fmethod=POST&x=_method", 400),
        ("name=method&limit=1", 202),
    ],
)
def test_a_query_that_overrides_the_method(cloud, method, path, query, status):
    """Routes lets ``_method`` replace the method, on any path."""
    sent = request(method, path, boot(), more={"QUERY_STRING": query})
    assert cloud.send(sent).status == status


NOT_KNOWN = ("DEBUG", "No microversion in the answer: Version 2.9999 is not")


@pytest.mark.parametrize(
    ("version", "lines"), [("2.90", []), ("2.9999", [NOT_KNOWN])]
)
def test_an_answer_has_the_headers_of_its_version(
    cloud, caplog, version, lines
):
    """An unknown microversion does not make the gate fail."""
    query = {"QUERY_STRING": "_method=PUT"}
    answer = cloud.send(request(*BOOT, version, more=query))
    assert (answer.status, answer.text) == (400, http.OVERRIDE_TEXT)
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["OpenStack-API-Version"] == f"compute {version}"
    assert [
        (level, text[: len(NOT_KNOWN[1])])
        for level, text in logged.lines(caplog, LOGGER)
    ] == lines


def test_without_a_context_the_path_says_nothing(cloud):
    """vhard runs before the filter that sets it: an error, not a pass."""
    environ = request("POST", "/0a1c/servers", boot(known.OLD))
    del environ["nova.context"]
    assert cloud.send(environ).status == 503


DEPTH = "maximum recursion depth"


@pytest.mark.parametrize(
    ("sent", "kind", "text"),
    [
        (
            ("/0a1c/servers", boot(known.OLD)),
            NotAccepted,
            "another project in the path",
        ),
        (
            ("/servers", boot(), "x"),
            NotAccepted,
            "API Version String x is of invalid format.",
        ),
        (
            ("/servers", boot(), "2.9999"),
            NotAccepted,
            "Version 2.9999 is not supported by the API.",
        ),
        ((ACTION, {"rebuilt": None}), NotAccepted, ".*rebuilt"),
        ((ACTION, DEEP), routing.Malformed, DEPTH),
        (("/servers", DEEP), routing.Malformed, DEPTH),
        (
            (
                "/servers",
                boot(),
                "latest",
                "member",
                {"CONTENT_LENGTH": "9999"},
            ),
            routing.Malformed,
            "^the body is shorter than announced$",
        ),
        pytest.param(
            ("/servers", {"server": {}}),
            NotAccepted,
            "(?s).*is a required property",
            marks=services.needs_nova(34, "request_body_schemas of a method"),
        ),
    ],
)
def test_why_there_is_no_judgement(cloud, sent, kind, text):
    environ = request("POST", *sent)
    status = 202 if kind is NotAccepted else 400
    with pytest.raises(kind, match=text):
        cloud.gate._router.call(dict(environ)).body()
    answer = cloud.send(request("POST", *sent))
    # What is not accepted is for Nova to answer.
    assert answer.status == status
    assert answer.text == ("" if status == 202 else http.MALFORMED_TEXT)


@pytest.mark.parametrize(
    "more", [{}, {"controller": "odd"}, {"action": "action"}]
)
def test_a_route_to_no_controller(monkeypatch, more):
    application = routers.nova_application(monkeypatch)
    application.map.connect("/odd", **more)
    router = nova_router.Router(application, nova_routes.ROUTES)
    assert router.call(request("POST", "/odd", {})) is None


@pytest.mark.parametrize("name", ["rebuild", "createImage"])
def test_a_router_that_lacks_a_judged_method(monkeypatch, name):
    kept = {key: ACTIONS[key] for key in ACTIONS if key != name}
    monkeypatch.setattr(servers.ServersController, "wsgi_actions", kept)
    application = routers.nova_application(monkeypatch)
    judged = [*nova_routes.ROUTES, ("Renamed", "create", None)]
    lacking = rf"\('Renamed', 'create', None\), .*'{name}'.*releases"
    with pytest.raises(routing.NoRouter, match=lacking):
        nova_router.Router(application, judged)


def test_a_body_that_a_filter_has_read(cloud):
    environ = request("POST", "/servers", boot())
    stream = io.BytesIO(environ["wsgi.input"].read())
    stream.seek(0, io.SEEK_END)
    environ |= {"wsgi.input": stream, "webob.is_body_seekable": True}
    assert cloud.gate._router.call(environ).body() == boot()


SERVER = {"name": "a", "imageRef": known.CLEAN, "flavorRef": "1"}


@pytest.mark.parametrize(
    ("path", "body", "header", "left"),
    [
        # Keys that the v2 API ignores, and a version that it does not read
        pytest.param(
            "/servers",
            {"server": {**SERVER, "odd": "1"}},
            {name: value},
            {"server": SERVER},
            marks=services.needs_nova(34, "request_body_schemas of a method"),
        )
        for name, value in (
            ("HTTP_OPENSTACK_API_VERSION", "compute 2.9999"),
            ("HTTP_X_OPENSTACK_NOVA_API_VERSION", "2.9999"),
        )
    ]
    + [
        # Names that later versions reject
        (path, body, {}, body)
        for path, body in (
            ("/servers", {"server": {**SERVER, "name": " a"}}),
            (ACTION, {"rebuild": {"imageRef": known.OLD, "name": " a"}}),
        )
    ],
)
def test_what_the_v2_api_reads(cloud, path, body, header, left):
    behind = openstack.LegacyV2CompatibleWrapper(cloud.gate._application)
    router = nova_router.Router(behind, nova_routes.ROUTES)
    environ = request("POST", path, body)
    del environ["HTTP_OPENSTACK_API_VERSION"]
    environ |= header
    assert router.call(environ).body() == left
    # The service reads what the client has sent.
    assert environ.items() >= header.items()
    assert wsgi.ENV_LEGACY_V2 not in environ
