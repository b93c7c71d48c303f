# SPDX-License-Identifier: Apache-2.0
"""Every answer is right for one of two policies, however many ask.

The policy file changes, by rename, while thirty-two threads ask; Placement
comes and goes while the scheduler's gate asks it for the hosts' posture.
"""

import datetime
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import webob
from glance.common import exception as glance_exception
from glance.context import RequestContext
from nova import context, exception, objects

from nova_vhard.catalogue import traits
from nova_vhard.gates import (
    glance_api,
    glance_import,
    posture_filter,
    scheduler,
)
from nova_vhard.gates.enforcer import PolicyEnforcer
from nova_vhard.placement.client import Placement
from nova_vhard.policy import hosts as policy_hosts
from tests.concurrency import crowd
from tests.functional.nova import stored
from tests.fuzz import nova_stubs, routers
from tests.fuzz.service import environment, sent

IMAGE = nova_stubs.CLEAN
UNKNOWN = policy_hosts.UNKNOWN.format(checks="iommu")


def answered(gate: Any, environ: dict[str, Any], body: bytes) -> Any:
    """Return status and body of a gate's answer."""
    request = webob.Request(sent(environ, body))
    response = request.get_response(gate)
    return response.status_int, response.body


def taken(environ: dict[str, Any], start: Any) -> Any:
    """Stand for the service behind a gate; it has one image, with usb."""
    stored = {"id": IMAGE, "hw_disk_bus": "usb"}
    return webob.Response(json_body=stored)(environ, start)


def glance_environ(method: str, path: str, body: bytes) -> dict[str, Any]:
    kind = "application/openstack-images-v2.1-json-patch"
    environ = environment(method, path, body, kind)
    who = RequestContext(user_id="user", project_id="project")
    return environ | {"webob.adhoc_attrs": {"context": who}}


def test_glance_create(policy_file: Path) -> None:
    taken.applications = routers.glance()
    gate = glance_api.GlanceGate(taken)

    def ask(bus: str) -> Any:
        body = json.dumps({"hw_disk_bus": bus}).encode()
        return answered(gate, glance_environ("POST", "/v2/images", body), body)

    crowd.check(ask, policy_file)


def test_glance_update(policy_file: Path) -> None:
    taken.applications = routers.glance(hw_disk_bus="usb")
    gate = glance_api.GlanceGate(taken)

    def ask(bus: str) -> Any:
        change = {"op": "add", "path": "/hw_disk_bus", "value": bus}
        body = json.dumps([change]).encode()
        path = f"/v2/images/{IMAGE}"
        return answered(gate, glance_environ("PATCH", path, body), body)

    crowd.check(ask, policy_file)


def test_glance_import(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = PolicyEnforcer("glance-import", "glance-api")
    monkeypatch.setattr(glance_import, "PolicyEnforcer", lambda *_: judge)
    who = RequestContext(user_id="user", project_id="project")

    def ask(bus: str) -> Any:
        image = SimpleNamespace(
            owner="project",
            disk_format="raw",
            extra_properties={"hw_disk_bus": bus},
        )
        repo = SimpleNamespace(get=lambda _id: image)
        try:
            glance_import.JudgeImage("task", who, repo, IMAGE).execute()
        except glance_exception.UploadException as error:
            return str(error)
        return None

    crowd.check(ask, policy_file)


def test_nova_api(policy_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = {
        bus: nova_stubs.image_of(number, {"hw_disk_bus": bus})
        for number, bus in enumerate(crowd.BUSES)
    }
    gate = nova_stubs.gate(taken, monkeypatch)
    who = context.RequestContext(
        "user", "project", roles=["member"], is_admin=False
    )

    def ask(bus: str) -> Any:
        wish = {
            "server": {"name": "s", "imageRef": images[bus], "flavorRef": "1"}
        }
        body = json.dumps(wish).encode()
        environ = environment("POST", "/servers", body, "application/json")
        return answered(gate, environ | {"nova.context": who}, body)

    crowd.check(ask, policy_file)


def spec_of(bus: str, specs: dict[str, str]) -> objects.RequestSpec:
    """Return what the scheduler is asked."""
    properties = {"hw_disk_bus": bus}
    return objects.RequestSpec(
        context.RequestContext("user", "project", is_admin=False),
        image=objects.ImageMeta.from_dict({"properties": properties}),
        flavor=objects.Flavor(name="f", flavorid="1", extra_specs=specs),
        project_id="project",
        instance_uuid=IMAGE,
        num_instances=1,
    )


def asker(uuids: list[str], specs: dict[str, str]) -> tuple[Any, Any]:
    """Return a scheduler's gate, and how to ask it about two hosts.

    The answer is the hosts that are left, or why there is none.
    """
    gate = scheduler.VirtHardeningFilter()
    hosts = [
        SimpleNamespace(host=each, uuid=each, hypervisor_type="QEMU")
        for each in uuids
    ]

    def ask(bus: str) -> Any:
        try:
            left = gate.filter_all(iter(hosts), spec_of(bus, specs))
        except exception.NoValidHost as error:
            return str(error.kwargs["reason"])
        return tuple(each.host for each in left)

    return gate, ask


def test_scheduler(policy_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.Stored(monkeypatch.setattr)
    crowd.check(asker(["a", "b"], {})[1], policy_file)


def test_scheduler_while_placement_comes_and_goes(
    policy_file: Path, cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.Stored(monkeypatch.setattr)
    now = datetime.datetime.now(datetime.UTC)
    hours = {
        traits.of_hour(now + datetime.timedelta(hours=number))
        for number in (0, 1)
    }
    good = cloud.host("good", hours | {traits.of_check("iommu")})
    bad = cloud.host("bad", hours)
    gate, wanted = asker([good, bad], {"pci_passthrough:alias": "gpu:1"})
    monkeypatch.setattr(posture_filter, "_connect", lambda _: Placement(cloud))
    gate._hosts = posture_filter.PostureFilter(
        SimpleNamespace(
            posture_ttl=0.02, posture_max_age=0.1, posture_timeout=30
        )
    )
    seen: set[Any] = set()

    def ask(bus: str) -> Any:
        """Give a host that is left, and the lack of an answer, one name."""
        answer = wanted(bus)
        unknown = str(answer) == UNKNOWN
        assert unknown or answer != (good, bad)
        assert answer not in ((), (bad,), (bad, good)), answer
        seen.add("unknown" if unknown else answer)
        return (good,) if unknown else answer

    def comes_and_goes(number: int) -> None:
        cloud.faults[:] = [_down] if number // 10 % 2 else []

    crowd.check(ask, policy_file, comes_and_goes)
    assert {"unknown", (good,)} <= seen, "void: Placement has not gone"


def _down(*_: Any) -> None:
    raise ConnectionError("unreachable")
