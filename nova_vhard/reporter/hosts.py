# SPDX-License-Identifier: Apache-2.0
"""The host that a configuration is about, and what it should be like."""

from typing import Any

from oslo_config import cfg

from nova_vhard.catalogue.devices import BY_POINTER, KINDS
from nova_vhard.catalogue.qemu import VERSIONS, family
from nova_vhard.catalogue.qemu_parts import MACHINES
from nova_vhard.common.log import get_logger
from nova_vhard.common.problems import PolicyError
from nova_vhard.daemon import identity
from nova_vhard.host.host import Expected, Host
from nova_vhard.host.libvirt import libvirt
from nova_vhard.host.root import HostRoot
from nova_vhard.policy import document
from nova_vhard.policy.model import DeviceRule, Mode, Policy

LOG = get_logger(__name__)


def of_conf(
    conf: cfg.ConfigOpts,
    root: str | None = None,
    policy: Policy | None = None,
) -> Host:
    """Return the host to report on.

    :param conf: with the group ``vhard_reporter``
    :param root: in place of the configured one
    :param policy: what it is compared with, in place of the configured one
    """
    options = conf.vhard_reporter
    place = HostRoot(root or options.root)
    return Host(
        root=place,
        name=options.provider_name or identity.name_of(place),
        libvirt=libvirt.of_tree(place, options.libvirt_uri),
        expected=_expected(options, policy),
        run_dir=options.run_dir,
        state_dir=options.state_path,
    )


def _expected(options: Any, policy: Policy | None) -> Expected:
    booleans = frozenset(options.selinux_booleans)
    # Entries are "name: reason".
    pairs = (
        item.partition(":") for item in options.accepted_vulnerabilities or ()
    )
    accepted = {name: reason.strip() for name, _, reason in pairs}
    try:
        policy = policy or document.load(options.policy_file)
    except PolicyError as error:
        LOG.warning(
            "Continuing without a policy (%s); name one with check --policy, "
            "or [vhard_reporter] policy_file",
            error,
        )
        return Expected(booleans=booleans, vulnerabilities=accepted)
    rules = policy.guest_devices.keys()
    by_pointer = not rules.isdisjoint(BY_POINTER)
    return Expected(
        policy=True,
        digest=policy.digest,
        refused=refused(policy),
        machines=machines(policy),
        virt_type=policy.assume.virt_type,
        machine_types=policy.assume.machine_type,
        virtio_for_bridges=policy.assume.use_virtio_for_bridges,
        force_config_drive=policy.assume.force_config_drive,
        pointer_model=policy.assume.pointer_model if by_pointer else None,
        cpu_mode=policy.assume.cpu_mode if "pmu" in rules else None,
        booleans=booleans,
        vulnerabilities=accepted,
    )


def refused(policy: Policy) -> dict[str, frozenset[str]]:
    """Return the values that Nova knows and no guest may have.

    :returns: device kind to values; a kind without a rule is not named. Of a
        kind that is a number, 1 stands for every number but 0
    """
    return {
        name: frozenset(
            value
            for value in (
                ("0", "1")
                if KINDS[name].value_type == "int"
                else KINDS[name].values
            )
            if not allowance(policy, name, value)
        )
        for name in policy.guest_devices
    }


def machines(policy: Policy) -> frozenset[str]:
    """Return the families of machine types that a guest may have."""
    return frozenset(
        name for name in VERSIONS if allowance(policy, "machine_type", name)
    )


def allowance(policy: Policy, kind: str, value: str) -> str:
    """Return why a guest may have a value; empty if no guest may.

    A rule whose own mode is not enforce allows each value to every project.
    The mode of the file or of a project does not count: it changes while a
    policy is rolled out, and a build of QEMU is made for the time after that.

    :param value: in Nova's name. Of a machine type it is the family; of a
        number 1 stands for every number but 0; ``*`` is any value at all
    """
    rule = policy.guest_devices.get(kind)
    if kind == "machine_type":
        arch = MACHINES[value].only
        if value == family(policy.assume.machine_type.get(arch, "")):
            return f"assume.machine_type: {arch} is {value}"
    if rule is None:
        return f"no rule on {kind}"
    if _allows(rule, value):
        return f"{rule.id} allows {value}"
    if rule.mode in (None, Mode.ENFORCE):
        return ""
    return f"{rule.id} is in mode {rule.mode} and lets {value} through"


def _allows(rule: DeviceRule, value: str) -> bool:
    """Return whether a value may be asked for, or a version of a machine."""
    if value in ("1", "*"):
        return any(item != "0" for item in rule.allow.listed)
    return value in rule.allow or (
        rule.kind == "machine_type"
        and any(
            family(item) == value
            or (item[-1:] == "*" and VERSIONS[value].startswith(item[:-1]))
            for item in rule.allow.listed
        )
    )
