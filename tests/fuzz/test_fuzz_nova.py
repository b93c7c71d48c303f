# SPDX-License-Identifier: Apache-2.0
"""Odd requests to the Nova API's gate: no exception, no hang, no new 5xx."""

from typing import Any

import pytest
from nova import context
from nova.api.openstack import wsgi
from oslo_serialization import jsonutils

from tests import seeds
from tests.fuzz import nova_stubs as known
from tests.fuzz.mutate import Mutator, tried
from tests.fuzz.service import Service, check, environment

INPUTS = seeds.fuzz_inputs(1_000)

_BOOT = {
    "server": {
        "name": "server",
        "imageRef": known.OLD,
        "flavorRef": "1",
        "networks": [{"port": known.PORT}],
        "config_drive": True,
        "block_device_mapping_v2": [
            {"source_type": "image", "uuid": known.OLD, "boot_index": 0},
            {
                "source_type": "volume",
                "uuid": known.VOLUME,
                "boot_index": "0",
                "disk_bus": "ide",
                "device_type": "cdrom",
            },
        ],
    }
}
_CLEAN = {"server": {"name": "s", "imageRef": known.CLEAN, "flavorRef": "1"}}
_VOLUME = {
    "server": {
        "name": "server",
        "flavorRef": "http://nova.example/flavors/gpu",
        "block_device_mapping": [
            {"device_name": "vda", "volume_id": known.VOLUME}
        ],
    }
}
_ACTIONS = (
    {"rebuild": {"imageRef": known.OLD}},
    {"rescue": {"rescue_image_ref": known.OLD}},
    {"rescue": None},
    {"resize": {"flavorRef": "gpu"}},
    {"unshelve": {"availability_zone": "nova"}},
    {"createImage": {"name": "x", "metadata": {"hw_disk_bus": "ide"}}},
    {"createBackup": {"name": "x", "metadata": {"hw_vif_model": "e1000"}}},
    {"reboot": {"type": "HARD"}},
)
_SPECS = {"extra_specs": {"pci_passthrough:alias": "gpu:1", "hw:pmu": "1"}}
_META = {"metadata": {"hw_disk_bus": "ide"}}

#: Method, path, body.
GOOD: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/servers", _BOOT),
    ("POST", "/servers", _CLEAN),
    ("POST", "/project/servers", _VOLUME),
    ("POST", "/os-volumes_boot", _BOOT),
    *(
        ("POST", f"/servers/{server}/action", action)
        for server in (known.SERVER, known.SHELVED, "x")
        for action in _ACTIONS
    ),
    (
        "POST",
        f"/servers/{known.SERVER}/os-interface",
        {"interfaceAttachment": {"port_id": known.PORT}},
    ),
    (
        "POST",
        f"/servers/{known.SERVER}/os-volume_attachments",
        {"volumeAttachment": {"volumeId": known.VOLUME}},
    ),
    ("POST", f"/images/{known.CLEAN}/metadata", _META),
    ("PUT", f"/images/{known.CLEAN}/metadata", _META),
    ("PUT", f"/images/{known.CLEAN}/metadata/a", {"meta": {"a": "b"}}),
    ("POST", "/flavors/1/os-extra_specs", _SPECS),
    ("PUT", "/flavors/gpu/os-extra_specs/hw:pmu", {"hw:pmu": "1"}),
    ("DELETE", "/flavors/gpu/os-extra_specs/hw:pmu", None),
)


def answer(request: Any) -> int:
    """Read a request as Nova's Resource does, as far as it goes."""
    body = request.body
    if not request.content_length:
        return 400 if request.method == "POST" else 202
    try:
        read = jsonutils.loads(body)
    except ValueError:
        return 400
    return 202 if isinstance(read, dict) else 400


def wish(mutator: Mutator) -> tuple[dict[str, Any], bytes]:
    """Return an odd request."""
    method, path, good = mutator.one_of(GOOD)
    body = b"" if good is None else mutator.body(good)
    environ = environment(method, path, body, "application/json")
    environ["HTTP_OPENSTACK_API_VERSION"] = mutator.one_of(
        ("compute 2.1", "compute latest", "compute 9.9", "x", "\xff")
    )
    environ["nova.context"] = context.RequestContext(
        "user", "project", roles=["member"], is_admin=False
    )
    return mutator.environ(environ), body


def test_fuzz_of_the_api(
    policy_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(answer, wsgi.Request)
    gate = known.gate(service, monkeypatch)

    def outcome(mutator: Mutator) -> int:
        return check(gate, service, *wish(mutator), mutator)

    assert {202, 400, 403} <= tried(outcome, INPUTS).keys()
