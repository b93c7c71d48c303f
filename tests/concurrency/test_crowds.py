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
from glance.context import RequestContext
from nova import context, exception, objects

from nova_vhard.catalogue import traits
from nova_vhard.gates import glance_api, posture_filter, scheduler
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


def test_glance_create(policy_file: Path) -> None:
    taken.applications = routers.glance()
    gate = glance_api.GlanceGate(taken)
    who = RequestContext(user_id="user", project_id="project")
    attributes = {"webob.adhoc_attrs": {"context": who}}

    def ask(bus: str) -> Any:
        body = json.dumps({"hw_disk_bus": bus}).encode()
        environ = environment("POST", "/v2/images", body, "application/json")
        return answered(gate, environ | attributes, body)

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


def test_scheduler_while_placement_comes_and_goes(
    policy_file: Path, cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two hosts one is left, or none: which have passed is unknown."""
    stored.Stored(monkeypatch.setattr)
    now = datetime.datetime.now(datetime.UTC)
    hours = {
        traits.of_hour(now + datetime.timedelta(hours=number))
        for number in (0, 1)
    }
    good = cloud.host("good", hours | {traits.of_check("iommu")})
    hosts = [
        SimpleNamespace(host=each, uuid=each, hypervisor_type="QEMU")
        for each in (good, cloud.host("bad", hours))
    ]
    monkeypatch.setattr(posture_filter, "_connect", lambda _: Placement(cloud))
    gate = scheduler.VirtHardeningFilter()
    gate._hosts = posture_filter.PostureFilter(
        SimpleNamespace(
            posture_ttl=0.02, posture_max_age=0.1, posture_timeout=30
        )
    )
    who = context.RequestContext("user", "project", is_admin=False)
    specs = {"pci_passthrough:alias": "gpu:1"}
    seen: set[Any] = set()

    def ask(bus: str) -> Any:
        """Give a host that is left, and the lack of an answer, one name."""
        image = {"properties": {"hw_disk_bus": bus}}
        spec = objects.RequestSpec(
            who,
            image=objects.ImageMeta.from_dict(image),
            flavor=objects.Flavor(name="f", flavorid="1", extra_specs=specs),
            project_id="project",
            instance_uuid=IMAGE,
            num_instances=1,
        )
        try:
            left = [each.host for each in gate.filter_all(iter(hosts), spec)]
        except exception.NoValidHost as error:
            reason = str(error.kwargs["reason"])
            seen.add(reason)
            return "left" if reason == UNKNOWN else reason
        assert left == [good]
        return "left"

    def comes_and_goes(number: int) -> None:
        cloud.faults[:] = [_down] if number // 10 % 2 else []

    crowd.check(ask, policy_file, comes_and_goes)
    assert UNKNOWN in seen, "void: Placement has not gone"


def _down(*_: Any) -> None:
    raise ConnectionError("unreachable")
