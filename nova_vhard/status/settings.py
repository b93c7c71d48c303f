# SPDX-License-Identifier: Apache-2.0
"""Nova's own settings that a policy relies on, or that weaken it."""

from collections.abc import Iterator

from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.catalogue.devices import OF_FILE
from nova_vhard.catalogue.machines import NOVA_MACHINE_TYPES
from nova_vhard.catalogue.passthrough import ONE_TIME_USE
from nova_vhard.common.text import clean
from nova_vhard.policy.model import Assume, Mode, Policy
from nova_vhard.status.answers import (
    fail,
    fine,
    together,
    warn,
)
from nova_vhard.status.node import Node

_PCI_FILTER = "PciPassthroughFilter"


def service_token(node: Node) -> Result:
    """Check that Nova sends its service token to Glance.

    Without the token, a gate cannot tell a snapshot from a user's upload.
    """
    group = node.nova.service_user
    if not group.send_service_user_token:
        return warn(
            "[service_user] send_service_user_token is off: a server that "
            "is older than the policy, and has a device that it refuses, "
            "cannot be shelved or backed up. Turn it on in nova.conf of "
            "nova-api and nova-compute, with a user of role service, and "
            "likewise in cinder.conf."
        )
    if not (group.auth_type or group.auth_section):
        return warn(
            "[service_user] send_service_user_token is on, but the group "
            "has no auth_type: Nova has no login to get a token with. "
            "Configure the login of a user with role service."
        )
    return fine("send_service_user_token is on.")


def access_rules(node: Node) -> Result:
    """Check that Placement enforces the access rules of credentials.

    =======  ==========================================================
    SUCCESS  it does
    WARNING  it refuses all credentials with access rules, including
             those of enrolled hosts
    FAILURE  a user of such a credential can bypass its rules
    =======  ==========================================================
    """
    group = node.placement_api.keystone_authtoken
    where = "[keystone_authtoken] of placement.conf"
    if group.service_type != "placement":
        is_now = clean(group.service_type or "not set")
        return warn(
            f"service_type is {is_now} in {where}: Placement refuses "
            "every credential of openstack vhard host enroll. Set "
            "service_type = placement, and service_token_roles_required = "
            "true."
        )
    if not group.service_token_roles_required:
        return fail(
            f"service_token_roles_required is off in {where}: a user who also "
            "sends the same token as X-Service-Token bypasses access rules, "
            "so the credential of one host can write for every host. "
            "Set service_token_roles_required = true."
        )
    return fine("Placement enforces the access rules of credentials.")


def pci_passthrough(node: Node) -> Result:
    """Judge whether Nova finds hosts with free devices, and by Placement."""
    rule = node.policy.passthrough
    allowed = rule is None or any(
        rule.allow[kind].listed
        for kind in ("aliases", "ports")
        if kind in rule.allow
    )
    if not allowed:
        return fine("The policy allows no PCI passthrough.")
    group = node.nova.filter_scheduler
    if rule is not None and _PCI_FILTER not in group.enabled_filters:
        return fail(
            "The policy allows PCI passthrough, and [filter_scheduler] "
            f"enabled_filters lacks {_PCI_FILTER}: Nova then selects hosts "
            "without such a device. Add it, in nova.conf of nova-scheduler."
        )
    if group.pci_in_placement:
        return fine(f"{_PCI_FILTER} and pci_in_placement are on.")
    if rule is not None and ONE_TIME_USE in rule.of_devices:
        return fail(
            "passthrough.require of the policy has one_time_use, and "
            "[filter_scheduler] pci_in_placement is off: no device can be "
            "shown to be one_time_use, and every request for one is "
            "refused. Set [pci] report_in_placement on all hosts, then "
            "pci_in_placement for nova-scheduler."
        )
    return warn(
        "The policy allows PCI passthrough, and [filter_scheduler] "
        "pci_in_placement is off: one_time_use then has no effect, so a "
        "used device can be assigned before it is cleaned. Set [pci] "
        "report_in_placement on all hosts, then pci_in_placement for "
        "nova-scheduler."
    )


def prefilter(node: Node) -> Result:
    """Judge whether an image can switch Nova's own prefilter off.

    ``hw_viommu_model`` on an image makes Nova leave
    ``image_metadata_prefilter`` before it demands any trait (Nova 31 to 34).
    """
    if not node.nova.scheduler.image_metadata_prefilter:
        return fine("image_metadata_prefilter is off.")
    rule = node.policy.guest_devices.get("viommu_model")
    mode = _weakest(node.policy, rule.mode if rule else None)
    if rule is not None and not rule.allow.listed and mode is Mode.ENFORCE:
        return fine("The policy refuses every hw_viommu_model.")
    return warn(
        "[scheduler] image_metadata_prefilter is on, and the policy does "
        "not refuse every hw_viommu_model: an image with this property "
        "bypasses the whole prefilter (a bug in Nova). Set "
        "guest_devices.viommu_model to {allow: [], mode: enforce} in the "
        "policy, or do not rely on the prefilter."
    )


def signatures(node: Node) -> Result:
    """Judge whether a signature that the policy demands is verified at all."""
    rules = node.policy.guest_devices
    wanted = {name for name in OF_FILE if name in rules}
    demanded = {name for name in wanted if rules[name].explicit}
    if not wanted:
        return fine("The policy does not require signed images.")
    if missing := [name for name in OF_FILE if name not in demanded]:
        return warn(
            "The policy has rules about image signatures, but does not "
            f"require all parts of a signature: {', '.join(missing)} with "
            "explicit: true are missing. An image without them passes, and "
            "cannot be verified."
        )
    if not node.nova.glance.verify_glance_signatures:
        return warn(
            "The policy requires signed images, and [glance] "
            "verify_glance_signatures is off: signatures in image "
            "properties are not verified. Turn it on in nova.conf of "
            "nova-compute, with a key manager."
        )
    if node.nova.libvirt.images_type == "rbd":
        return warn(
            "The policy requires signed images, and [libvirt] images_type "
            "is rbd: Nova clones an image that is already in Ceph without "
            "verifying its signature. Verify signatures in Glance at "
            "upload, and do not allow changes of img_signature properties."
        )
    return fine("The policy requires signatures, and Nova verifies them.")


def _weakest(policy: Policy, own: Mode | None) -> Mode:
    """Return the weakest mode in which a rule holds for anybody."""
    if not policy.enabled:
        return Mode.AUDIT
    modes = {own or policy.mode}
    if own is None:
        modes.update(project.mode for project in policy.projects)
    return next(mode for mode in Mode if mode in modes)


def defaults(node: Node) -> Result:
    """Compare nova-compute's defaults with ``assume`` of the policy.

    Only for this nova.conf; a host check covers hosts with another one.
    """
    conf = node.nova
    driver = conf.compute_driver or ""
    if "libvirt" not in driver.lower():
        return fine(
            "No nova-compute with libvirt uses this nova.conf "
            f"(compute_driver is {driver or 'not set'})."
        )
    result = _differences(conf, node.policy.assume)
    return together(result, "nova.conf matches the policy's assumptions.")


def _differences(conf: cfg.ConfigOpts, assume: Assume) -> Iterator[Result]:
    architecture = assume.architecture
    machine = _machine_type(conf, architecture)
    assumed = assume.machine_type.get(architecture) or (
        NOVA_MACHINE_TYPES.get(architecture, "")
    )
    pairs = [
        ("[libvirt] virt_type", conf.libvirt.virt_type, assume.virt_type),
        (
            "[libvirt] use_virtio_for_bridges",
            conf.libvirt.use_virtio_for_bridges,
            assume.use_virtio_for_bridges,
        ),
        (
            "force_config_drive",
            conf.force_config_drive,
            assume.force_config_drive,
        ),
    ]
    if _family(machine) != _family(assumed):
        option = f"[libvirt] hw_machine_type of {architecture}"
        pairs.insert(0, (option, machine, assumed))
    for option, is_now, wanted in pairs:
        if is_now != wanted:
            yield warn(
                f"{option} is {is_now}, but the policy assumes {wanted}: "
                "defaults are checked incorrectly. Change one of them."
            )


def _machine_type(conf: cfg.ConfigOpts, architecture: str) -> str:
    """Return what Nova picks: its own default where nothing is set."""
    for item in conf.libvirt.hw_machine_type:
        name, _, machine = item.partition("=")
        if name == architecture and machine:
            return str(machine)
    return NOVA_MACHINE_TYPES.get(architecture, "")


def _family(machine: str) -> str:
    """Return the machine without its version: q35 of pc-q35-9.2."""
    if "q35" in machine:
        return "q35"
    return "pc" if machine.startswith("pc") else machine.partition("-")[0]
