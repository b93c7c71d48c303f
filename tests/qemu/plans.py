# SPDX-License-Identifier: Apache-2.0
"""Plans of the shipped policies, and of one that forbids nothing."""

import pathlib

from nova_vhard.osc.qemu import needs
from nova_vhard.osc.qemu.needs import Plan
from nova_vhard.policy import document

#: The policy that the build is made for.
BUILT = "strict"
#: The machine that runs the tests may lack /dev/kvm.
EXTRAS = ("tcg",)
PERMISSIVE = 'version: "1"\nguest_devices: {}\n'


def of(
    name: str, place: pathlib.Path, *extras: str, arch: str = "x86_64"
) -> Plan:
    """Return the plan of a shipped policy, or of ``permissive``."""
    path = pathlib.Path(place, "permissive.yaml")
    path.write_text(PERMISSIVE, encoding="utf-8")
    result = str(path) if name == "permissive" else document.shipped(name)
    return needs.make(document.load(result), arch, extras)
