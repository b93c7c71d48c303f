# SPDX-License-Identifier: Apache-2.0
"""A described request gets the verdict that the Nova API's gate gives.

On one side the gate's own code over Nova's own objects, with the look-ups in
other services answered here; on the other the description that ``openstack
vhard policy test`` and ``explain`` take.
"""

import datetime
from typing import Any

import pytest
from nova import context as nova_context
from nova import objects

from nova_vhard.gates.nova_actions import Actions
from nova_vhard.gates.nova_boot import Boot
from nova_vhard.policy import document, explain
from nova_vhard.policy.verdict import Verdict, evaluate, violated
from nova_vhard.request import case as case_reader
from nova_vhard.request.passthrough import owned

TODAY = datetime.date(2026, 6, 15)
# Nova registers its objects by this call alone.
objects.register_all()

ACTIONS = {
    "rebuild": {"rebuild": {"imageRef": "image"}},
    "rescue": {"rescue": {"rescue_image_ref": "image"}},
    "resize": {"resize": {"flavorRef": "flavor"}},
}
IDE = {"hw_disk_bus": "ide"}
PC = {"hw_machine_type": "pc"}
GPU = {"pci_passthrough:alias": "gpu:1"}
SOUND = {"hw:sound_model": "sb16"}


def flavor(specs: dict[str, str]) -> Any:
    return objects.Flavor(name="name", flavorid="id", extra_specs=specs)


class Cloud:
    """Answers look-ups with what a description says."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._described = described

    def _same_image(self) -> bool:
        rebuilt = self._described["operation"] == "rebuild"
        return rebuilt and "same_image" in self._described["server"]

    def image(self, context: Any, image_id: Any) -> Any:
        # A stable rescue looks at the server's own image, too.
        name = "server" if image_id == "own" else "image"
        image = self._described.get(name)
        return None if image is None else {"id": image_id, **image}

    def volume(self, context: Any, volume_id: Any) -> Any:
        properties = self._described["volume"]["properties"]
        return {"volume_image_metadata": properties}

    def port(self, context: Any, port_id: Any) -> Any:
        vnic = self._described["ports"][0]["vnic_type"]
        return {"id": port_id, "binding:vnic_type": vnic}

    def flavor_of(self, context: Any, reference: Any) -> Any:
        return flavor(self._described.get("flavor", {}).get("extra_specs", {}))

    def devices(self, context: Any, server: Any) -> list[Any]:
        return []

    def server(self, context: Any, server_id: Any) -> Any:
        has = self._described.get("server", {})
        kept = {
            f"image_{name}": value
            for name, value in has.get("properties", {}).items()
        }
        return objects.Instance(
            project_id="p1",
            image_ref="image" if self._same_image() else "own",
            system_metadata=kept,
            flavor=flavor(has.get("extra_specs", {})),
            config_drive="True" if has.get("config_drive") else "",
        )


def body(described: dict[str, Any]) -> dict[str, Any]:
    """Return what a user would send to POST /servers."""
    server: dict[str, Any] = {"flavorRef": "flavor"}
    if "image" in described:
        server["imageRef"] = "image"
    devices = list(described.get("block_devices", ()))
    if "volume" in described:
        root = {"boot_index": 0, "source_type": "volume", "uuid": "volume"}
        devices.append(root)
    server["block_device_mapping_v2"] = devices
    if "ports" in described:
        server["networks"] = [{"port": "PORT"}]
    if "config_drive" in described:
        server["config_drive"] = described["config_drive"]
    return {"server": server}


def at_the_gate(policy: Any, described: dict[str, Any]) -> Verdict:
    context = nova_context.RequestContext(
        user_id="u", project_id="p1", roles=["member"], is_admin=False
    )
    cloud: Any = Cloud(described)
    operation = described["operation"]
    case = (
        Boot(cloud).case(context, body(described))
        if operation == "boot"
        else Actions(cloud).case(context, "server", ACTIONS[operation])
    )
    assert case is not None
    had, scheduled = (
        violated(policy, [owned(one)] if one else [], case.subject, TODAY)
        for one in (case.had, case.scheduled)
    )
    already = had - scheduled
    return evaluate(policy, case.request, case.subject, TODAY, already)


@pytest.mark.parametrize("name", document.SHIPPED)
@pytest.mark.parametrize(
    "described",
    [
        {"operation": "boot", "image": {"properties": {}}},
        {"operation": "boot", "image": {"properties": IDE}},
        {
            "operation": "boot",
            "image": {"properties": PC, "disk_format": "iso"},
        },
        {"operation": "boot", "volume": {"properties": IDE}},
        {
            "operation": "boot",
            "image": {"properties": PC},
            "config_drive": True,
        },
        {
            "operation": "boot",
            "image": {"properties": {}},
            "block_devices": [
                {"device_type": "lun", "disk_bus": "scsi"},
                {"device_type": "floppy"},
            ],
        },
        {
            "operation": "boot",
            "image": {"properties": {}},
            "flavor": {"extra_specs": SOUND | GPU},
        },
        *(
            {
                "operation": "boot",
                "image": {"properties": {}},
                "ports": [{"vnic_type": vnic}],
            }
            for vnic in ("normal", "direct", "direct-physical", "vdpa", "new")
        ),
        *(
            {
                "operation": operation,
                "image": {"properties": properties},
                "server": server,
            }
            for operation in ("rebuild", "rescue")
            for properties in (
                {},
                IDE,
                PC,
                {"hw_rescue_bus": "usb"},
                {"hw_rescue_device": "cdrom", **PC},
            )
            for server in (
                {"properties": {"hw_vif_model": "virtio"}},
                {"properties": PC, "config_drive": True},
                {"properties": PC, "config_drive": True, "same_image": True},
                {"properties": IDE},
                {"properties": IDE, "same_image": True},
                {"properties": {"hw_cdrom_bus": "sata"}, "config_drive": True},
            )
        ),
        *(
            {
                "operation": "resize",
                "flavor": {"extra_specs": new},
                "server": {"properties": {}, "extra_specs": old},
            }
            for new in ({}, GPU, SOUND | GPU)
            for old in ({}, GPU, {"pci_passthrough:alias": "gpu:2"})
        ),
    ],
    ids=str,
)
def test_a_description_gets_the_gates_verdict(
    name: str, described: dict[str, Any]
) -> None:
    policy = document.load(document.shipped(name))
    verdict = at_the_gate(policy, described)
    who = {"project": "p1", "roles": ["member"]}
    case = case_reader.read(who | described)
    found = case.verdict(policy, TODAY)
    assert [(one.key, one.mode) for one in found.violations] == [
        (one.key, one.mode) for one in verdict.violations
    ]
    assert found.outcome == verdict.outcome
    if verdict.refusals:
        assert explain.short(found.refusals) == explain.short(verdict.refusals)


def test_these_gates_do_refuse() -> None:
    """The comparison is of something."""
    policy = document.load(document.shipped("baseline"))
    described = {"operation": "boot", "image": {"properties": IDE}}
    verdict = at_the_gate(policy, described)
    assert verdict.outcome == "refuse"
