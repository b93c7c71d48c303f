# SPDX-License-Identifier: Apache-2.0
"""Odd requests to Glance's two gates: no exception, no hang, no new 5xx."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from glance.api.v2 import images
from glance.common import exception, wsgi
from glance.context import RequestContext

from nova_vhard.gates import glance_api, glance_import
from nova_vhard.gates.enforcer import PolicyEnforcer
from tests import seeds
from tests.functional.glance.wire import PATCH_20, PATCH_21
from tests.fuzz import routers
from tests.fuzz.mutate import Mutator, patience, tried
from tests.fuzz.odd import VALUES
from tests.fuzz.service import Service, check, environment

INPUTS = seeds.fuzz_inputs(1_000)
IMAGE = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
CREATE = {
    "name": "image",
    "hw_disk_bus": "ide",
    "hw_vif_model": "virtio",
    "hw_machine_type": "pc",
    "hw_architecture": "x86_64",
    "os_distro": "windows",
    "min_ram": 1,
    "tags": ["a"],
    "disk_format": "iso",
    "bdm_v2": "true",
    "block_device_mapping": json.dumps(
        [{"device_type": "cdrom", "disk_bus": "ide"}]
    ),
}
PATCH = [
    {"op": "add", "path": "/hw_disk_bus", "value": "ide"},
    {"op": "replace", "path": "/name", "value": "x"},
    {"op": "remove", "path": "/hw_disk_bus"},
]
OLD_PATCH = [{"add": "/hw_disk_bus", "value": "ide"}]
_READ = images.RequestDeserializer(
    glance_api._AnySchema(), glance_api._AnySchema()
)


def answer(request: Any) -> int:
    """Read a request with Glance's own code, as far as it goes."""
    # as its urlmap demands
    assert request.environ["PATH_INFO"].startswith("/")
    if request.method == "GET":
        return 200
    if request.method == "POST":
        _READ.create(request)
        return 201
    _READ.update(request)
    return 200


def wish(mutator: Mutator) -> tuple[dict[str, Any], bytes]:
    """Return an odd request."""
    if mutator.chance(0.4):
        body = mutator.body(CREATE)
        environ = environment("POST", "/v2/images", body, "application/json")
    else:
        old = mutator.chance(0.3)
        body = mutator.body(OLD_PATCH if old else PATCH)
        path = f"/v2/images/{mutator.one_of((IMAGE, IMAGE, 'x', '%00'))}"
        environ = environment(
            "PATCH", path, body, PATCH_20 if old else PATCH_21
        )
    environ["webob.adhoc_attrs"] = {
        "context": RequestContext(
            user_id="user", project_id="project", roles=["member"]
        )
    }
    return mutator.environ(environ), body


def test_fuzz_of_the_api(policy_file: Any) -> None:
    service = Service(answer, wsgi.Request)
    service.applications = routers.glance(hw_disk_bus="virtio")
    gate = glance_api.GlanceGate(service)

    def outcome(mutator: Mutator) -> int:
        return check(gate, service, *wish(mutator), mutator)

    # Without each of these the inputs are not what they should be.
    assert {200, 201, 400, 403} <= tried(outcome, INPUTS).keys()


def test_fuzz_of_the_import(
    policy_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = PolicyEnforcer("glance-import", "glance-api")
    monkeypatch.setattr(glance_import, "PolicyEnforcer", lambda *_: judge)

    def outcome(mutator: Mutator) -> str:
        image = SimpleNamespace(
            owner=mutator.one_of(("project", None, "other", 7)),
            disk_format=mutator.one_of(("raw", "iso", *VALUES)),
            extra_properties=mutator.mapping(
                mutator.one_of((CREATE, {"hw_disk_bus": "virtio"})), 4
            ),
        )
        repo = SimpleNamespace(get=lambda _id: image)
        task = glance_import.JudgeImage(
            "task",
            RequestContext(user_id="user", project_id="project"),
            repo,
            IMAGE,
        )
        with patience():
            try:
                task.execute()
            except exception.UploadException as error:
                assert "cannot judge" not in str(error), mutator.name
                return "refused"
        return "passes"

    assert len(tried(outcome, INPUTS)) == 2
