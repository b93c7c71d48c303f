# SPDX-License-Identifier: Apache-2.0
"""Domains, policies and reports as the guard has them."""

import datetime
import json
import re
import time
import uuid

from nova_vhard.guard.libvirtd import GuestGone, LibvirtError
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
    # In one step: a daemon may read the file at any time.
    new = path.with_suffix(".new")
    new.write_text(POLICY + more)
    new.replace(path)
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


CAPABILITIES = (
    "<capabilities><host><cpu><arch>x86_64</arch></cpu></host>"
    "<guest><arch name='x86_64'><domain type='qemu'/></arch></guest>"
    "</capabilities>"
)


class FakeConnection:
    """A fake libvirt connection, whose guests release a device or keep it.

    :ivar running: UUID to live XML
    :ivar stopped: UUID to XML
    :ivar gives: number of requests until a guest releases a device; None if
        it never does
    :ivar sick: UUIDs of the guests for which libvirt raises an error
    :ivar read: UUIDs of the guests whose XML was read
    :ivar says: function that returns libvirt's response to a probe
    """

    alive, closed, gives, changed = True, False, None, None

    def __init__(self, running=None, stopped=None):
        self.running, self.stopped = dict(running or {}), dict(stopped or {})
        self.asked, self.read, self.sick = [], [], set()
        self.says = "Cannot access storage file {}".format

    def on_change(self, changed):
        self.changed = changed

    def close(self):
        self.closed = True

    def guests(self):
        if not self.alive:
            raise LibvirtError("client socket is closed")
        stopped = dict.fromkeys(self.stopped, False)
        return stopped | dict.fromkeys(self.running, True)

    def xml(self, uuid):
        self.read.append(uuid)
        if uuid in self.sick or not self.alive:
            raise LibvirtError("cannot acquire state change lock")
        if text := {**self.stopped, **self.running}.get(uuid):
            return text
        raise GuestGone(f"no domain {uuid}")

    def detach(self, uuid, device):
        self.asked.append(device)
        if self.gives is None:
            raise LibvirtError("the guest did not answer in time")
        if len(self.asked) >= self.gives:
            alias = re.search(r"alias name=.(\w+)", device)[1]
            kind = re.match(r"<(\w+)", device)[1]
            cut = rf"<{kind}(?:(?!<{kind}).)*?{alias}'/></{kind}>".encode()
            self.running[uuid] = re.sub(
                cut, b"", self.running[uuid], flags=re.S
            )

    def capabilities(self):
        return CAPABILITIES

    def start(self, xml):
        return self.says(re.search("<name>(.*)</name>", xml)[1])


def until(is_so, seconds=60.0):
    """Wait until a condition is true."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
