# SPDX-License-Identifier: Apache-2.0
"""The Nova API's gate before Nova's own router, without Nova's services.

Beyond a status: who is asked about a host, what is logged, and what text an
error has that nobody but a gate reads.
"""

import io
import json
import logging
from types import SimpleNamespace

import glanceclient.exc
import pytest
from nova import context, exception, policy
from nova.api import openstack
from nova.api.openstack import wsgi
from oslo_policy import policy as oslo_policy

from nova_vhard.gates import (
    enforcer,
    http,
    nova_images,
    nova_lookup,
    nova_router,
    nova_routes,
    posture_filter,
    routing,
)
from nova_vhard.gates.nova_schemas import NotAccepted
from nova_vhard.request.lookups import NotFound
from tests import logged, services
from tests.functional.nova.test_proven import Placement, host
from tests.fuzz import nova_stubs as known
from tests.fuzz.service import Service, environment, sent
from tests.policy_option import policy_option

LOGGER = "nova_vhard.gates.nova_api"
POLICY = """\
version: "1"
applies_to: {hypervisor_type: [QEMU]}
guest_devices: {disk_bus: {allow: [virtio]}}
passthrough: {allow: {aliases: [gpu], ports: [vf]}, require: [iommu]}
"""
#: As Nova's router takes one in a path.
PROJECT = "0a1b"
INTERFACES = f"/servers/{known.SERVER}/os-interface"
ATTACH = {"interfaceAttachment": {"port_id": known.PORT}}
ACTION = f"/servers/{known.SERVER}/action"
SPECS = "/flavors/1/os-extra_specs"
GPU = {"extra_specs": {"pci_passthrough:alias": "gpu:1"}}
DEEP = b'{"rebuild": ' + b"[" * 100_000
PROOF = (
    "the server's host has not passed the checks iommu; create a new "
    "server with"
)


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


def request(method, path, body=None, version="latest", role="member"):
    """Return the environment of a user's request."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    environ = environment(method, path, content, "application/json")
    environ["HTTP_OPENSTACK_API_VERSION"] = f"compute {version}"
    environ["nova.context"] = context.RequestContext(
        "user", PROJECT, roles=[role], is_admin=role == "admin"
    )
    return sent(environ, content)


class Cloud:
    """A gate, the service behind it, and what it asks Placement."""

    def __init__(self, patch):
        self._patch = patch
        self.placement = Placement("a")
        service = Service(lambda _request: 202, wsgi.Request)
        self.gate = known.gate(service, patch)
        patch.setattr(
            posture_filter, "_connect", lambda _limit: self.placement
        )

    def send(self, environ):
        """Return status, headers and text of an answer."""
        answers = []

        def start(status, headers, *_):
            answers.append((int(status.split()[0]), dict(headers)))

        text = b"".join(self.gate(environ, start)).decode()
        ((status, headers),) = answers
        return SimpleNamespace(status=status, headers=headers, text=text)

    def runs_on(self, node):
        """Let the server run on a host; None for one that is gone."""

        def look_up(_find, server):
            assert server == known.SERVER
            if node is None:
                raise NotFound("no such host")
            return node

        self._patch.setattr(nova_lookup.NovaLookups, "host", look_up)


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
def cloud(make):
    return make()


def event(caplog):
    """Return the one event, as far as it says what came of the request."""
    (whole,) = logged.decisions(caplog)
    assert whole["gate"] == "nova-api"
    return whole["operation"], whole["outcome"], whole["rules"]


class TestHostOfAnAttachment:
    """No scheduler sees a port that a running server gets."""

    def test_a_proven_host(self, cloud, caplog):
        cloud.runs_on(host("a"))
        assert cloud.send(request("POST", INTERFACES, ATTACH)).status == 202
        assert event(caplog) == ("attach", "allow", [])
        assert len(cloud.placement.asked) == 1

    @pytest.mark.parametrize("node", [host("b"), None])
    def test_another_host_or_none(self, cloud, caplog, node):
        cloud.runs_on(node)
        answer = cloud.send(request("POST", INTERFACES, ATTACH))
        assert answer.status == 403
        assert PROOF in answer.text
        assert event(caplog) == ("attach", "refuse", ["passthrough.require"])

    def test_a_host_that_is_not_judged(self, cloud):
        cloud.runs_on(host("b", "ironic"))
        assert cloud.send(request("POST", INTERFACES, ATTACH)).status == 202

    def test_in_mode_warn_the_rule_stands_in_the_event(self, make, caplog):
        cloud = make(POLICY.replace("require:", "mode: warn, require:"))
        cloud.runs_on(host("b"))
        assert cloud.send(request("POST", INTERFACES, ATTACH)).status == 202
        assert event(caplog) == ("attach", "warn", ["passthrough.require"])

    def test_what_hosts_demand_of_every_server_is_no_matter_here(self, make):
        """The server is there, whatever its host has proven since."""
        hosts = "hosts: {require: [kernel_aslr]}\n"
        cloud = make(POLICY.replace("[iommu]", "[]") + hosts)
        cloud.runs_on(host("b"))
        assert cloud.send(request("POST", INTERFACES, ATTACH)).status == 202
        assert cloud.placement.asked == []

    def test_of_what_is_refused_no_host_is_asked(self, make, caplog):
        cloud = make(POLICY.replace(", ports: [vf]", ""))
        cloud.runs_on(host("b"))
        answer = cloud.send(request("POST", INTERFACES, ATTACH))
        assert answer.status == 403
        assert PROOF not in answer.text
        assert event(caplog) == ("attach", "refuse", ["passthrough.allow"])
        assert cloud.placement.asked == []

    def test_of_a_boot_the_scheduler_asks(self, cloud, caplog):
        asked = request("POST", "/servers", boot(flavor="gpu"))
        assert cloud.send(asked).status == 202
        assert event(caplog) == ("boot", "allow", [])
        assert cloud.placement.asked == []


IDE = {"hw_disk_bus": "ide"}
METADATA = f"/images/{known.CLEAN}/metadata"


@pytest.mark.parametrize(
    ("operation", "method", "path", "body"),
    [
        ("update", "POST", METADATA, {"metadata": IDE}),
        ("update", "PUT", METADATA, {"metadata": IDE}),
        ("update", "PUT", f"{METADATA}/hw_disk_bus", {"meta": IDE}),
        ("attach", "POST", INTERFACES, ATTACH),
        ("rebuild", "POST", ACTION, {"rebuild": {"imageRef": known.OLD}}),
    ],
)
def test_what_stands_in_the_path_is_judged_as_the_users(
    make, caplog, operation, method, path, body
):
    cloud = make(POLICY.replace("[virtio]", "[virtio], explicit: true"))
    cloud.runs_on(host("b"))
    environ = request(method, path, body, "2.1")
    environ["nova.context"] = context.RequestContext(
        "user", "project", roles=["member"], is_admin=False
    )
    assert cloud.send(environ).status == 403
    (whole,) = logged.decisions(caplog)
    assert (whole["operation"], whole["outcome"]) == (operation, "refuse")
    subject = whole["subject"]
    assert (subject["project"], subject["roles"]) == ("project", ["member"])


class TestSwitchedOff:
    """Break glass: each judged request has its event all the same."""

    @pytest.mark.parametrize(
        ("operation", "method", "path", "body"),
        [
            ("boot", "POST", "/servers", boot(known.OLD)),
            ("attach", "POST", INTERFACES, ATTACH),
            ("rebuild", "POST", ACTION, {"rebuild": {"imageRef": known.OLD}}),
            ("flavor", "POST", SPECS, GPU),
        ],
    )
    def test_all_passes(self, make, caplog, operation, method, path, body):
        cloud = make(POLICY + "enabled: false\n")
        assert cloud.send(request(method, path, body)).status == 202
        assert event(caplog) == (operation, "disabled", [])
        (whole,) = logged.decisions(caplog)
        assert whole["subject"] == {"project": PROJECT, "roles": ["member"]}


def test_a_write_of_a_flavor_without_its_trait(cloud, caplog):
    answer = cloud.send(request("POST", SPECS, GPU, role="admin"))
    assert answer.status == 403
    assert "trait:CUSTOM_VHARD_IOMMU=required" in answer.text
    assert event(caplog) == ("flavor", "refuse", ["passthrough.require"])
    (whole,) = logged.decisions(caplog)
    assert whole["subject"]["flavor"]
    assert whole["policy"] == cloud.gate._enforcer.policy().digest


TRAIT = {"trait:CUSTOM_VHARD_IOMMU": "required"}
WRITES = [
    ("POST", SPECS, {"extra_specs": {**GPU["extra_specs"], **TRAIT}}),
    ("PUT", f"{SPECS}/trait:CUSTOM_VHARD_IOMMU", TRAIT),
    ("DELETE", f"{SPECS}/trait:CUSTOM_VHARD_IOMMU", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_write_of_a_flavor_with_its_trait(cloud, caplog, method, path, body):
    environ = request(method, path, body, role="admin")
    assert cloud.send(environ).status == 202
    assert event(caplog) == ("flavor", "allow", [])


@pytest.fixture
def own(monkeypatch):
    """Let a rule ask for the project of the target, which no flavor has."""
    authorize = "os_compute_api:os-flavor-extra-specs:create"
    rules = {authorize: "project_id:%(project_id)s"}
    policy.reset()
    policy.set_rules(oslo_policy.Rules.from_dict(rules), overwrite=False)
    yield
    policy.reset()


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_member_who_writes_a_flavor_is_novas_to_refuse(
    cloud, caplog, method, path, body
):
    assert cloud.send(request(method, path, body)).status == 202
    assert logged.decisions(caplog) == []


def test_a_write_of_a_flavor_has_no_target(cloud, caplog, own):
    assert cloud.send(request("POST", SPECS, GPU)).status == 202
    assert logged.decisions(caplog) == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/servers", {}),
        ("POST", "/os-keypairs", {}),
        ("POST", "/nowhere", {}),
        ("POST", ACTION, {"reboot": {"type": "SOFT"}}),
        ("POST", ACTION, {"createImage": {"name": "without metadata"}}),
    ],
)
def test_what_is_not_judged_passes_without_an_event(
    cloud, caplog, method, path, body
):
    assert cloud.send(request(method, path, body)).status == 202
    assert logged.decisions(caplog) == []


EXEMPTION = """\
exemptions:
  - id: old
    reason: its driver
    projects: ["0a1b"]
    rules: {guest_devices.disk_bus: [ide], passthrough.require: [iommu]}
    until: 2999-12-31
"""


def test_an_exemption_that_has_not_ended_holds(make, caplog):
    cloud = make(POLICY + EXEMPTION)
    cloud.runs_on(host("b"))
    for path, body in (
        ("/servers", boot(known.OLD)),
        (INTERFACES, ATTACH),
        (SPECS, GPU),
    ):
        wanted, role = (403, "admin") if path is SPECS else (202, "member")
        environ = request("POST", path, body, role=role)
        assert cloud.send(environ).status == wanted
    events = logged.decisions(caplog)
    projects = [whole["subject"]["project"] for whole in events]
    assert projects == [PROJECT, PROJECT, PROJECT]
    assert cloud.placement.asked == []


def test_what_is_looked_up_is_looked_up_as_the_user(cloud, monkeypatch):
    asked = []
    monkeypatch.setattr(
        nova_images,
        "get",
        lambda who, name: asked.append(who) or {"id": name},
    )
    environ = request("POST", "/servers", boot())
    assert cloud.send(environ).status == 202
    assert asked == [environ["nova.context"]]


def test_what_was_read_before_refuses_nothing(cloud, caplog, monkeypatch):
    """Its owner may have corrected it."""
    image = {"id": known.CLEAN}
    monkeypatch.setattr(nova_images, "get", lambda *_: dict(image))
    for bus, status in (("ide", 403), ("ide", 403), ("virtio", 202)):
        image["hw_disk_bus"] = bus
        environ = request("POST", "/servers", boot())
        assert cloud.send(environ).status == status
    events = logged.decisions(caplog)
    assert [whole["outcome"] for whole in events] == [
        *("refuse", "refuse", "allow")
    ]
    assert {whole["subject"]["project"] for whole in events} == {PROJECT}


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/servers", boot(), None),
        (
            ACTION,
            {"rebuild": {"imageRef": known.CLEAN}},
            "Cannot find image for rebuild",
        ),
        (
            ACTION,
            {"rescue": {"rescue_image_ref": known.CLEAN}},
            "the image is not there: Image x could not be found.",
        ),
    ],
    ids=["boot", "rebuild", "rescue"],
)
def test_an_image_that_may_be_shared_before_nova_looks(
    cloud, monkeypatch, path, body, text
):
    """The scheduler's filter judges a boot, and nobody the others."""

    def hidden(*_):
        error = exception.ImageNotFound(image_id="x")
        raise error from glanceclient.exc.HTTPNotFound()

    monkeypatch.setattr(nova_images, "get", hidden)
    answer = cloud.send(request("POST", path, body))
    assert answer.status == (400 if text else 202)
    if text:
        assert json.loads(answer.text)["badRequest"]["message"] == text


def test_without_a_policy_nothing_is_judged(make, tmp_path, caplog):
    cloud = make("version: 7\n")
    answer = cloud.send(request("POST", "/servers", boot()))
    assert answer.status == 503
    assert json.loads(answer.text)["serviceUnavailable"]["message"] == (
        http.NO_POLICY_TEXT
    )
    assert cloud.send(request("POST", "/os-keypairs", {})).status == 202
    (runs,) = (tmp_path / "state").iterdir()
    assert json.loads(runs.read_text())["policy"] is None
    assert event(caplog) == ("unknown", "unjudged", [])


def test_an_event_that_cannot_be_written_changes_no_answer(make, monkeypatch):
    monkeypatch.setattr(enforcer.events, "write", failing)
    cloud = make("version: 7\n")
    assert cloud.send(request("POST", "/servers", boot())).status == 503


def test_the_last_good_policy_is_kept_for_this_service(cloud, tmp_path):
    cloud.send(request("POST", "/servers", boot()))
    kept = {each.name for each in (tmp_path / "state").iterdir()}
    assert kept == {"policy-nova-api.json", "policy-nova-api.json.runs"}


def failing(*_):
    raise OSError("cut off")


def test_a_fault_of_ours_is_logged(cloud, caplog, monkeypatch):
    monkeypatch.setattr(cloud.gate._router, "call", failing)
    asked = request("POST", "/servers", boot())
    answer = cloud.send(asked)
    assert answer.status == 503
    text = http.fault_text(asked["nova.context"])
    assert asked["nova.context"].request_id in text
    assert json.loads(answer.text)["serviceUnavailable"]["message"] == text
    assert logged.lines(caplog, LOGGER) == [
        ("ERROR", "The gate of Nova's API has failed")
    ]


def test_a_look_up_that_fails_is_logged_with_its_reason(
    cloud, caplog, monkeypatch
):
    monkeypatch.setattr(nova_images, "get", failing)
    rebuild = {"rebuild": {"imageRef": known.CLEAN}}
    answer = cloud.send(request("POST", ACTION, rebuild))
    assert answer.status == 503
    assert json.loads(answer.text)["serviceUnavailable"]["message"] == (
        http.LOOKUP_TEXT
    )
    assert logged.lines(caplog, LOGGER) == [
        ("ERROR", "Cannot be judged: image: OSError: cut off")
    ]


class TestShape:
    """An answer has Nova's own shape, and its headers of the version."""

    def overridden(self, cloud, version):
        environ = request("POST", "/servers", boot(), version)
        environ["QUERY_STRING"] = "_method=PUT"
        answer = cloud.send(environ)
        assert answer.status == 400
        (fault,) = json.loads(answer.text).values()
        assert fault["message"] == http.OVERRIDE_TEXT
        return answer.headers

    def test_a_version_that_nova_has(self, cloud, caplog):
        headers = self.overridden(cloud, "2.90")
        assert headers["OpenStack-API-Version"] == "compute 2.90"
        assert logged.lines(caplog, LOGGER) == []

    def test_a_version_that_nova_does_not_have(self, cloud, caplog):
        headers = self.overridden(cloud, "2.9999")
        assert headers["Content-Type"].startswith("application/json")
        ((level, line),) = logged.lines(caplog, LOGGER)
        assert level == "DEBUG"
        assert line.startswith(
            "No microversion in the answer: "
            "Version 2.9999 is not supported by the API."
        )


def test_a_gate_without_novas_router_does_not_start(cloud):
    with pytest.raises(routing.NoRouter) as raised:
        nova_router.Router(lambda *_: None, ())
    start, end = str(raised.value).split(" (found: function): ")
    assert start == (
        "no router of Nova's API comes after the filter vhard in this pipeline"
    )
    assert end == nova_router._PLACE
    judged = [("ServersController", "action", name) for name in "ba"]
    with pytest.raises(routing.NoRouter) as raised:
        nova_router.Router(cloud.gate._application, judged)
    assert str(raised.value) == (
        "this Nova has no ('ServersController', 'action', 'a'), "
        "('ServersController', 'action', 'b'); see the releases that "
        "nova-vhard supports"
    )


class TestRouter:
    """Why there is no judgement: the texts of the gate's own errors."""

    def call(self, cloud, environ):
        return cloud.gate._router.call(environ)

    @pytest.mark.parametrize("project", ["0a1c", "0a"])
    def test_another_project_in_the_path(self, cloud, caplog, project):
        old = request("POST", f"/{project}/servers", boot(known.OLD))
        with pytest.raises(NotAccepted) as raised:
            self.call(cloud, dict(old))
        assert str(raised.value) == "another project in the path"
        # Nova answers it
        assert cloud.send(old).status == 202
        assert logged.decisions(caplog) == []

    def test_the_own_project_in_the_path(self, cloud):
        old = request("POST", f"/{PROJECT}/servers", boot(known.OLD))
        assert cloud.send(old).status == 403
        body = {"rebuild": {"imageRef": known.OLD}}
        call = self.call(cloud, request("POST", f"/{PROJECT}{ACTION}", body))
        assert call.ids == {"id": known.SERVER}

    def test_without_a_context_the_path_says_nothing(self, cloud):
        """vhard runs before the filter that sets it: an error, not a pass."""
        environ = request("POST", "/0a1c/servers", boot(known.OLD))
        del environ["nova.context"]
        assert cloud.send(environ).status == 503

    @pytest.mark.parametrize(
        ("version", "text"),
        [
            ("x", "API Version String x is of invalid format."),
            ("2.9999", "Version 2.9999 is not supported by the API."),
        ],
    )
    def test_a_version_that_is_none(self, cloud, version, text):
        environ = request("POST", "/servers", boot(), version)
        with pytest.raises(NotAccepted) as raised:
            self.call(cloud, environ)
        assert str(raised.value).startswith(text)

    def test_an_action_that_nova_does_not_know(self, cloud):
        environ = request("POST", ACTION, {"rebuilt": None})
        with pytest.raises(NotAccepted) as raised:
            self.call(cloud, environ)
        assert str(raised.value) == str(raised.value.__cause__)
        assert "rebuilt" in str(raised.value)

    def test_an_action_that_nests_without_end(self, cloud):
        environ = request("POST", ACTION, DEEP)
        with pytest.raises(routing.Malformed) as raised:
            self.call(cloud, environ)
        assert str(raised.value).startswith("maximum recursion depth")
        answer = cloud.send(request("POST", ACTION, DEEP))
        assert answer.status == 400
        assert http.MALFORMED_TEXT in answer.text

    def test_a_body_that_nests_without_end(self, cloud):
        call = self.call(cloud, request("POST", "/servers", DEEP))
        with pytest.raises(routing.Malformed) as raised:
            call.body()
        assert str(raised.value).startswith("maximum recursion depth")

    def test_a_body_that_ends_too_early(self, cloud):
        environ = request("POST", "/servers", boot())
        environ["CONTENT_LENGTH"] = "9999"
        with pytest.raises(routing.Malformed) as raised:
            self.call(cloud, environ)
        text = "the body is shorter than announced"
        assert str(raised.value) == text

    @services.needs_nova(34, "request_body_schemas of a method")
    def test_a_body_that_nova_does_not_take(self, cloud):
        call = self.call(cloud, request("POST", "/servers", {"server": {}}))
        with pytest.raises(NotAccepted) as raised:
            call.body()
        text = str(raised.value)
        assert "is a required property" in text

    def test_what_is_not_looked_at(self, cloud):
        assert self.call(cloud, request("POST", "/os-keypairs", {})) is None
        assert self.call(cloud, request("POST", "/nowhere", {})) is None

    @pytest.mark.parametrize(
        "more", [{}, {"controller": "odd"}, {"action": "action"}]
    )
    def test_a_route_to_no_controller(self, cloud, more):
        application = cloud.gate._application
        application.map.connect("/odd", **more)
        router = nova_router.Router(application, nova_routes.ROUTES)
        assert router.call(request("POST", "/odd", {})) is None

    def test_a_body_that_a_filter_has_read(self, cloud):
        environ = request("POST", "/servers", boot())
        stream = io.BytesIO(environ["wsgi.input"].read())
        stream.seek(0, io.SEEK_END)
        environ |= {"wsgi.input": stream, "webob.is_body_seekable": True}
        assert self.call(cloud, environ).body() == boot()


class TestLegacyRouter:
    """The v2 API: Nova removes the microversion, and keys that it ignores.

    It accepts names that later versions reject.
    """

    @pytest.fixture
    def router(self, cloud):
        behind = openstack.LegacyV2CompatibleWrapper(cloud.gate._application)
        return nova_router.Router(behind, nova_routes.ROUTES)

    @services.needs_nova(34, "request_body_schemas of a method")
    @pytest.mark.parametrize(
        "header",
        [
            {"HTTP_OPENSTACK_API_VERSION": "compute 2.9999"},
            {"HTTP_X_OPENSTACK_NOVA_API_VERSION": "2.9999"},
        ],
        ids=["today", "once"],
    )
    def test_what_nova_reads(self, router, header):
        server = {"name": "a", "imageRef": known.CLEAN, "flavorRef": "1"}
        body = {"server": {**server, "odd": "1"}}
        environ = request("POST", "/servers", body)
        del environ["HTTP_OPENSTACK_API_VERSION"]
        environ.update(header)
        assert router.call(environ).body() == {"server": server}
        # and the service reads what the client has sent
        assert environ.items() >= header.items()
        assert wsgi.ENV_LEGACY_V2 not in environ

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/servers", {"server": {**boot()["server"], "name": " a"}}),
            (ACTION, {"rebuild": {"imageRef": known.OLD, "name": " a"}}),
        ],
    )
    def test_a_name_that_only_v2_accepts(self, router, path, body):
        body.get("server", {}).pop("networks", None)
        assert router.call(request("POST", path, body)).body() == body
