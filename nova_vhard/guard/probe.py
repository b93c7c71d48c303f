# SPDX-License-Identifier: Apache-2.0
"""The proof that libvirt asks the guard: a domain that can never start.

It is transient and its disk does not exist. libvirt calls its hooks before it
looks for the disk: where the guard is asked, the refusal has the guard's text
with this very domain's name in it; everywhere else libvirt misses the disk.
"""

import datetime
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from nova_vhard.common import files
from nova_vhard.common.text import clean
from nova_vhard.host.libvirt import guard_proof

_PREFIX = "nova-vhard-probe-"

_DOMAIN = """\
<domain type={type}>
  <name>{name}</name>
  <memory unit='MiB'>16</memory>
  <os><type arch={arch}>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <source file='/nonexistent/{name}'/>
      <target dev='sda' bus='scsi'/>
    </disk>
    <memballoon model='none'/>
  </devices>
</domain>
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """Result of a probe.

    :ivar guarded: whether the guard was called and answered
    :ivar reason: how that is known, or libvirt's answer instead
    """

    guarded: bool
    reason: str


def is_probe(name: str) -> bool:
    """Return whether a guest's name is that of a probe."""
    return name.startswith(_PREFIX)


def answer(name: str) -> str:
    """Return what the daemon says of a probe."""
    return f"nova-vhard-guard answers {clean(name)}"


def prove(capabilities: str, start: Callable[[str], str | None]) -> Proof:
    """Probe the guard.

    :param capabilities: libvirt's ``<capabilities>``
    :param start: starts a transient domain; returns libvirt's error, or None
        for one that was started, and ended again
    """
    name = f"{_PREFIX}{uuid.uuid4().hex[:16]}"
    host = ElementTree.fromstring(capabilities)  # noqa: S314 - libvirt's own
    arch = host.findtext("host/cpu/arch") or "x86_64"
    kinds = [
        domain.get("type", "")
        for guest in host.iterfind("guest/arch")
        if guest.get("name") == arch
        for domain in guest.iterfind("domain")
    ]
    kind = "kvm" if "kvm" in kinds or not kinds else kinds[0]
    refusal = start(
        _DOMAIN.format(type=quoteattr(kind), arch=quoteattr(arch), name=name)
    )
    if refusal is None:
        return Proof(False, "libvirt started a domain without its disk")
    if answer(name) in refusal:
        return Proof(True, "libvirt asks the guard, and the guard answers")
    return Proof(False, f"libvirt did not ask it: {clean(refusal, 300)}")


def leave(folder: str, proof: Proof, mode: str, valid: float) -> None:
    """Leave a proof for the check ``guard_in_force``.

    :param mode: what the guard does, by the policy that holds
    :param valid: seconds for which it counts
    :raises OSError: if it cannot be written
    """
    content = {
        "version": guard_proof.VERSION,
        "time": datetime.datetime.now(datetime.UTC).isoformat(),
        "valid": valid,
        "guarded": proof.guarded,
        "reason": proof.reason,
        "mode": mode,
    }
    files.replace(
        os.path.join(folder, guard_proof.FILE), json.dumps(content), 0o644
    )
