# SPDX-License-Identifier: Apache-2.0
"""Servers that ask for a device of the host."""

from demo import flavors, machines, policies, telling

#: What the explanations say about hosts, whatever the reason.
UNPROVEN = ("No valid host was found", "has proven", "interrupt_remapping")
REQUIRE = "passthrough.require"
ALLOW = "passthrough.allow"


def boot(stage, name, flavor=flavors.GPU):
    """Have a tenant boot a server with a device.

    :returns: the server
    """
    return stage.alice.boot(
        name, flavor=flavor, image_id=stage.images["clean"].id
    )


@telling.step(
    "A server of flavor g1.tiny (pci_passthrough:alias=gpu:1), while the "
    "policy allows no passthrough"
)
def not_allowed(stage):
    """Refuse, as long as the policy does not name the device."""
    said = telling.refusal(boot, stage, "gpu-1")
    return stage.refused(
        "nova-api", said, ALLOW, "pci_passthrough:alias", "gpu"
    )


@telling.step(
    "The policy is edited to allow the alias gpu; no host has reported yet"
)
def nothing_proven(stage):
    """Refuse, as long as no host has proven its IOMMU."""
    stage.policy(policies.with_gpus())
    said = telling.fault(boot(stage, "gpu-2"))
    return stage.refused(
        "scheduler", said, REQUIRE, "no host of this cloud", *UNPROVEN
    )


@telling.step(
    "The same server: compute2 has GPUs too, and Nova would take it first"
)
def lands(stage):
    """Land on the one host that has devices and proof."""
    server = boot(stage, "gpu-3")
    said = stage.landed(server, machines.PROVEN)
    return stage.passed(said, "allow", "nova-api", "scheduler")


@telling.step(
    "A resize of the server web to f1.tiny, whose alias fpga the policy does "
    "not allow (of moves it only warns)"
)
def resize_not_allowed(stage):
    """Tell new passthrough from what a server has already."""
    server = stage.servers["clean"]
    said = telling.refusal(_resize, stage, server, flavors.FPGA)
    return stage.refused(
        "nova-api", said, ALLOW, "pci_passthrough:alias", "fpga"
    )


@telling.step("A resize of a server without devices to g1.tiny")
def resize_lands(stage):
    """Let a resize bring in a device, on the one host that has proof."""
    server = boot(stage, "growing", flavors.TINY)
    before = stage.admin.host(server)
    after = _resize(stage, server, flavors.GPU)
    said = stage.landed(after, machines.PROVEN, "VERIFY_RESIZE")
    return stage.passed(
        f"{said}, and was on {before}", "allow", "nova-api", "scheduler"
    )


@telling.step(
    "Meanwhile a resize of another such server to g1.tiny; compute2 has GPUs"
)
def resize_elsewhere(stage):
    """Refuse the device by a resize wherever a boot would be refused it."""
    server = boot(stage, "growing-2", flavors.TINY)
    after = _resize(stage, server, flavors.GPU)
    if after.status != "ACTIVE":
        raise telling.NotAsTold(
            f"not refused: server {server.name} is {after.status} on "
            f"{stage.admin.host(server)}"
        )
    action, result, details = stage.admin.last_event(server)
    said = (
        f"{telling.active(after)} as before; openstack server event show: "
        f"{action}: {result}; to admins: {details}"
    )
    return stage.refused(
        "scheduler", said, REQUIRE, "resize: Error", "No valid host"
    )


def _resize(stage, server, flavor):
    stage.alice.compute().resize_server(server, flavor.id)
    return stage.alice.settle(server)
