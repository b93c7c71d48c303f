# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-03: host devices are in translated domains."""

from collections import Counter

from nova_vhard.host import iommu, translated
from nova_vhard.host.check import Answer, Check, Status
from nova_vhard.host.host import Host

_IDENTITY = "identity"
_TRANSLATED = frozenset(("DMA", "DMA-FQ", "blocked", "unmanaged"))


class IommuStrict(Check):
    """No IOMMU group has a default domain of type identity.

    =========  ===========================================================
    PASS       every group is translated, at once or batched (DMA-FQ)
    FAIL       a group is an identity map, or there is no group, or none
               for a device that Nova offers
    UNKNOWN    a type that is not known, unreadable, or not verified
    =========  ===========================================================
    """

    name = "iommu_strict"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Judge the type of every group."""
        root = host.root
        real = [
            one
            for one in iommu.groups(root)
            if one.devices and not one.noiommu
        ]
        strange = iommu.unverified(root, iommu.units(root), evidence)
        if strange:
            return Status.UNKNOWN, strange
        amiss = translated.amiss(host, evidence)
        if amiss:
            return amiss
        if not real:
            evidence.append(f"{iommu.GROUPS}: no groups with devices")
            return Status.FAIL, "no device is in an IOMMU group"
        types = {one.path: root.read(f"{one.path}/type") for one in real}
        counts = Counter(types.values())
        evidence += [
            f"{iommu.GROUPS}/*/type: {kind or '(empty)'} in {count} groups"
            for kind, count in sorted(counts.items())
        ]
        if _IDENTITY in counts:
            named = [path for path, kind in types.items() if kind == _IDENTITY]
            evidence += [f"{path}/type: {_IDENTITY}" for path in named[:3]]
            return Status.FAIL, "host devices bypass translation"
        unknown = sorted(set(counts) - _TRANSLATED)
        if unknown:
            text = f"types that are not known: {' '.join(unknown)}"
            return Status.UNKNOWN, text
        lazy = " (batched invalidation)" if "DMA-FQ" in counts else ""
        return Status.PASS, f"host devices are translated{lazy}"
