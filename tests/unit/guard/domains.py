# SPDX-License-Identifier: Apache-2.0
"""Domains, policies and reports as the guard has them."""

import datetime
import json
import uuid

from nova_vhard.policy import document

UUID = "7d9ad5b0-4f1a-4c5b-9c8f-2f8f2f0a6a01"

_DOMAIN = """\
<domain type='kvm'>
  <name>instance-00000001</name>
  <uuid>{uuid}</uuid>
  <metadata>
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
      <nova:owner><nova:project uuid="9a1b2c3d4e5f60718293a4b5c6d7e8f9"/>
      </nova:owner>
    </nova:instance>
  </metadata>
  <os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <source file='/var/lib/nova/instances/{uuid}/{source}'/>
      <target dev='sda' bus='{bus}'/>
      <alias name='disk0'/>
      {inside}
    </disk>
    <controller type='usb' model='none'/>
    {devices}
  </devices>
</domain>
"""

CARD = (
    "<interface type='bridge'><model type='e1000e'/>"
    "<alias name='net1'/></interface>"
)
PASSED = (
    "<hostdev mode='subsystem' type='pci' managed='yes'><source><address "
    "domain='0x0000' bus='0x3b' slot='0x00' function='0x0'/></source>"
    "<alias name='hostdev0'/></hostdev>"
)
STICK = (
    "<hostdev mode='subsystem' type='usb'><alias name='hostdev1'/></hostdev>"
)
POLICY = """\
version: "1"
extends: baseline
mode: enforce
"""
ENFORCE = "on_host: {mode: enforce}\n"


def xml(
    bus="virtio", devices="", server=UUID, source="disk", inside=""
) -> bytes:
    """Return the XML of a guest.

    :param bus: of its disk
    :param devices: elements beside it
    :param inside: elements in it
    """
    return _DOMAIN.format(
        uuid=server, bus=bus, devices=devices, source=source, inside=inside
    ).encode()


def another() -> str:
    """Return the uuid of a guest that nobody has seen."""
    return str(uuid.uuid4())


def policy(path, more=""):
    """Load a policy that enforces everything that baseline has."""
    path.write_text(POLICY + more)
    return document.load(str(path))


def report(path, *passed, hours=0.0):
    """Write a report in which some checks passed, and one did not.

    :param hours: how old it is
    """
    time = datetime.datetime.now(datetime.UTC)
    results = [{"check": name, "status": "PASS"} for name in passed]
    results.append({"check": "smt", "status": "UNKNOWN"})
    result = {
        "time": (time - datetime.timedelta(hours=hours)).isoformat(),
        "results": results,
    }
    path.write_text(json.dumps(result))
