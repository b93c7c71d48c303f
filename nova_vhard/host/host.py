# SPDX-License-Identifier: Apache-2.0
"""Host: all that a check may ask, and what it compares the answers with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_vhard.host.libvirt.libvirt import Libvirt, NoLibvirt
from nova_vhard.host.root import HostRoot

#: What to do where a check has no policy to compare with.
NO_POLICY = (
    "Install the cloud's policy at the path in [vhard_reporter] "
    "policy_file, or specify one with check --policy, such as --policy "
    "baseline. openstack vhard policy check shows whether a policy is "
    "valid."
)


@dataclass(frozen=True)
class Expected:
    """State of a host that the policy and the operator expect.

    :ivar policy: whether a policy was read; without one, a check that compares
        with it answers UNKNOWN
    :ivar refused: device kind to the values, in Nova's names, that no guest
        may have
    :ivar machines: families of the machine types that a guest may have
    :ivar virt_type: ``[libvirt] virt_type`` that the policy assumes
    :ivar machine_types: architecture to the machine type that the policy
        assumes
    :ivar virtio_for_bridges: ``[libvirt] use_virtio_for_bridges`` that the
        policy assumes
    :ivar force_config_drive: ``[DEFAULT] force_config_drive`` that the policy
        assumes
    :ivar pointer_model: ``[DEFAULT] pointer_model`` that the policy assumes;
        None if no rule depends on it
    :ivar cpu_mode: ``[libvirt] cpu_mode`` that the policy assumes; None if no
        rule depends on it
    :ivar booleans: SELinux booleans that the operator requires to be on
    :ivar vulnerabilities: CPU vulnerabilities that the operator accepts: name
        to reason
    :ivar digest: of the policy
    """

    policy: bool = False
    refused: Mapping[str, frozenset[str]] = field(default_factory=dict)
    machines: frozenset[str] = frozenset()
    virt_type: str = ""
    machine_types: Mapping[str, str] = field(default_factory=dict)
    virtio_for_bridges: bool = True
    force_config_drive: bool = False
    pointer_model: str | None = None
    cpu_mode: str | None = None
    booleans: frozenset[str] = frozenset()
    vulnerabilities: Mapping[str, str] = field(default_factory=dict)
    digest: str | None = None


@dataclass(frozen=True)
class Host:
    """A host to be judged: a live one, a container's view, or a capture.

    :ivar root: its file system
    :ivar libvirt: its libvirt
    :ivar expected: what it should be like
    :ivar run_dir: folder of the host in which the root pre-step leaves the
        few facts that an ordinary user cannot read
    :ivar state_dir: folder of this machine that outlives a round, for
        results that are kept by file identity; None keeps nothing
    :ivar shared: what checks that follow one another share in a round, by a
        name of theirs; a process that checks run in has its own
    :ivar name: its name, for those who read its report
    """

    root: HostRoot = field(default_factory=HostRoot)
    libvirt: Libvirt = field(default_factory=NoLibvirt)
    expected: Expected = Expected()
    # Below /run: facts of an earlier boot must be gone after the next.
    run_dir: str = "/run/nova-vhard"
    state_dir: str | None = None
    # Not compared: what a round has found out does not make another host.
    shared: dict[str, Any] = field(
        default_factory=dict, compare=False, repr=False
    )
    name: str = ""
