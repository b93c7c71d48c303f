# SPDX-License-Identifier: Apache-2.0
"""Fake libvirt connections that fail or have uncooperative guests."""

import re

from nova_vhard.guard.libvirtd import GuestGone, LibvirtError

CAPABILITIES = (
    "<capabilities><host><cpu><arch>x86_64</arch></cpu></host>"
    "<guest><arch name='x86_64'><domain type='qemu'/></arch></guest>"
    "</capabilities>"
)


class FakeConnection:
    """Guests by their uuid, and what they do with a device.

    :ivar running: uuid to live XML
    :ivar stopped: uuid to XML
    :ivar gives: how often a guest is asked until it gives up a device;
        None: it never does
    :ivar sick: uuids of those that libvirt cannot tell anything about
    :ivar read: uuids of those whose XML was asked for
    :ivar says: libvirt's word on a probe, given the probe's name
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
