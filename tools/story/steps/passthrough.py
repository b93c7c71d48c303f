# SPDX-License-Identifier: Apache-2.0
"""Servers that ask for a device of the host."""

from cloud import machines
from story.telling import NotAsTold, fault, refusal, shown, step

#: What the explanations say about hosts, whatever the reason.
UNPROVEN = ("No valid host was found", "has proven", "interrupt_remapping")
REQUIRE = "passthrough.require"
_ALLOW = ("passthrough.allow", "pci_passthrough:alias")
_GPUS = "passthrough: {allow: {aliases: [gpu]}}\n"


def boot(stage, name, flavor=machines.GPU_FLAVOR):
    """Have a tenant boot a server with a device; return it."""
    image = stage.images["clean"].id
    return stage.member.boot(name, flavor=flavor, image_id=image)


def lands_on_proven(stage, name, flavor=machines.GPU_FLAVOR):
    """Boot a server, which has to land on the host that has proof."""
    text = stage.landed(boot(stage, name, flavor), machines.PROVEN)
    return stage.passed(text, "allow", "nova-api", "scheduler")


@step(
    "A server of flavor g1.tiny (pci_passthrough:alias=gpu:1), while the "
    "policy allows no passthrough",
    small=True,
)
def not_allowed(stage):
    """Refuse, as long as the policy does not name the device."""
    text = refusal(boot, stage, "gpu-1")
    return stage.refused("nova-api", text, *_ALLOW, "gpu")


@step(
    "The policy is edited to allow the alias gpu; no host has reported yet",
    small=True,
)
def nothing_proven(stage):
    """Refuse, as long as no host has proven its IOMMU."""
    stage.enforce(_GPUS)
    text = fault(boot(stage, "gpu-2"))
    words = ("no host of this cloud", *UNPROVEN)
    return stage.refused("scheduler", text, REQUIRE, *words)


@step(
    "The same server: compute2 has GPUs too, and Nova would take it first",
    small=True,
)
def lands(stage):
    """Land on the one host that has devices and proof."""
    return lands_on_proven(stage, "gpu-3")


@step(
    "A resize of the server web to f1.tiny, whose alias fpga the policy does "
    "not allow (of moves it only warns)",
    small=True,
)
def resize_not_allowed(stage):
    """Tell new passthrough from what a server has already."""
    server = stage.servers["clean"]
    text = refusal(_resize, stage, server, machines.FPGA_FLAVOR)
    return stage.refused("nova-api", text, *_ALLOW, "fpga")


@step("A resize of a server without devices to g1.tiny", small=True)
def resize_lands(stage):
    """Let a resize bring in a device, on the one host that has proof."""
    server = boot(stage, "growing", machines.TINY)
    before = stage.admin.host(server)
    after = _resize(stage, server, machines.GPU_FLAVOR)
    text = stage.landed(after, machines.PROVEN, "VERIFY_RESIZE")
    text += f", and was on {before}"
    return stage.passed(text, "allow", "nova-api", "scheduler")


@step(
    "Meanwhile a resize of another such server to g1.tiny; compute2 has GPUs",
    small=True,
)
def resize_elsewhere(stage):
    """Refuse the device by a resize wherever a boot would be refused it."""
    server = boot(stage, "growing-2", machines.TINY)
    after = _resize(stage, server, machines.GPU_FLAVOR)
    if after.status != "ACTIVE":
        raise NotAsTold(
            f"not refused: server {server.name} is {after.status} on "
            f"{stage.admin.host(server)}"
        )
    action, result, details = stage.admin.last_event(server)
    text = (
        f"{shown(after)} as before; openstack server event show: "
        f"{action}: {result}; to admins: {details}"
    )
    words = ("resize: Error", "No valid host")
    return stage.refused("scheduler", text, REQUIRE, *words)


def _resize(stage, server, flavor):
    stage.member.compute().resize_server(server, flavor.id)
    return stage.member.settle(server)
