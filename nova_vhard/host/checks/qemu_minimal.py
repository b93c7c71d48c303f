# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-16: QEMU offers no device that the policy refuses."""

import re
from collections.abc import Iterator
from posixpath import basename

from nova_vhard.catalogue.qemu import (
    DEVICES,
    ELSEWHERE,
    SELECTED,
    SELECTS,
    part,
    served,
)
from nova_vhard.catalogue.qemu_parts import MACHINES
from nova_vhard.host.cache import Cache
from nova_vhard.host.check import (
    Answer,
    Check,
    failed,
    not_applicable,
    passed,
    unknown,
    unread,
)
from nova_vhard.host.host import NO_POLICY, Expected, Host
from nova_vhard.host.qemu import qemu_binaries, qemu_devices
from nova_vhard.host.root import Unreadable

#: A device kind and a value, in Nova's names.
Choice = tuple[str, str]
#: A device of QEMU's to the refused choices that it would serve.
Extra = dict[str, tuple[Choice, ...]]

# What is called otherwise, such as qemu-kvm, does not say for which.
_EMULATOR = re.compile(r"qemu-system-([a-z0-9_]+)")


class QemuMinimal(Check):
    """The QEMU build omits the devices that the policy refuses.

    =================  ===================================================
    PASS               no emulator that libvirt would start offers a
                       device that only refused values need
    FAIL               one does; the evidence lists what to leave out
    UNKNOWN            no policy, an emulator that gives no list, a tree
                       other than this machine's, or libvirt cannot be
                       asked
    NOT_APPLICABLE     libvirt has no emulator to start
    =================  ===================================================
    """

    name = "qemu_minimal"
    id = "Check-Virt-16"
    title = "QEMU offers no device that the policy refuses"
    guide = "Minimizing the QEMU code base"
    meaning = (
        "No emulator that runs or that libvirt would start offers a device "
        "that is needed only for values that the policy refuses. A rule "
        "whose own mode is not enforce refuses nothing. A device does not "
        "count if the build cannot omit it, because an allowed device or "
        "machine type of this architecture includes it."
    )
    remediation = (
        "Omit the listed devices from the build (openstack vhard qemu "
        "build-config writes the file for QEMU's "
        "--with-devices-<architecture>), or remove the packages that "
        "contain them as modules. Before you omit the USB tablet, set "
        "[DEFAULT] pointer_model = ps2mouse in nova.conf."
    )
    early = True

    def answer(self, host: Host) -> Answer:
        """Compare what each emulator offers with the policy."""
        # First: it would start programs for nothing.
        if not host.expected.policy:
            return unknown("there is no policy to compare with", NO_POLICY)
        named, _ = qemu_binaries.examined(host)
        cache = Cache(host.state_dir, qemu_devices.CACHE, qemu_devices.VERSION)
        lists: dict[str, tuple[str, frozenset[str]]] = {}
        untold: list[Unreadable] = []
        for target in named.targets:
            try:
                offered = qemu_devices.offered(host, cache, target)
                # The architecture matters only where the catalogue has devices
                # of it.
                match = _EMULATOR.fullmatch(basename(target.path))
                lists[target.label] = (
                    (match[1] if match and match[1] in ELSEWHERE else ""),
                    offered,
                )
            except Unreadable as error:
                untold.append(error)
        # Also where one of them failed: the others are not asked again.
        cache.save()
        extra: Extra = {}
        asked = []
        for label, (arch, offered) in lists.items():
            result = unwanted(host.expected, offered, arch)
            extra |= result
            asked.append(
                f"{label} -device help: {len(offered)} devices, "
                f"{len(result)} to omit"
            )
        # What to do first: evidence is cut at some length.
        host.root.note(*_lines(extra), *map(str, untold), *asked)
        # A device that is there is a FAIL, even if others are unknown.
        if extra:
            return failed("QEMU offers devices that the policy refuses")
        if named.doubts:
            return named.doubts[0]
        if untold:
            return unread(untold[0])._replace(
                reason="a QEMU does not list its devices"
            )
        if not named.targets:
            return not_applicable("libvirt has no emulator to start")
        return passed("QEMU offers no device that the policy refuses")


def unwanted(
    expected: Expected, offered: frozenset[str], arch: str = ""
) -> Extra:
    """Return the devices that can be left out.

    A device stays if a value that is not refused needs it, or another device
    that cannot be had without it, or if a machine type is not built without
    it.

    :param offered: names of ``-device help``
    :param arch: whose guests are run; empty for any of the policy's
    """
    needed = {
        part(device)
        for kind, value in _choices()
        if value not in expected.refused.get(kind, ())
        for device in served(kind, value, arch)
    }
    for name in expected.machines:
        if arch in ("", MACHINES[name].only):
            needed |= SELECTED[name]
    # Kconfig of QEMU: a part selects others, and is not built without them.
    needed = needed.union(*(SELECTS.get(item, ()) for item in needed))
    result: Extra = {}
    for kind, value in _choices():
        if value in expected.refused.get(kind, ()):
            for item in DEVICES[kind][value]:
                # One part of the build can bring several devices: it stays if
                # one of them is needed.
                if item in offered and part(item) not in needed:
                    result[item] = (*result.get(item, ()), (kind, value))
    return result


def _choices() -> Iterator[Choice]:
    for kind, values in DEVICES.items():
        for value in values:
            yield kind, value


def _lines(extra: Extra) -> Iterator[str]:
    """Yield a line on the devices that serve the same refused choices."""
    grouped: dict[tuple[Choice, ...], list[str]] = {}
    for device, choices in extra.items():
        grouped.setdefault(choices, []).append(device)
    for choices, devices in grouped.items():
        kinds: dict[str, list[str]] = {}
        for kind, value in choices:
            kinds.setdefault(value, []).append(kind)
        refused = "; ".join(
            f"{value} ({', '.join(names)})" for value, names in kinds.items()
        )
        yield f"omit {', '.join(devices)}: needed only for {refused}"
