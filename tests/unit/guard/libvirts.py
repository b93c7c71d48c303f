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

    def __init__(self, running=None, stopped=None):
        self.running = dict(running or {})
        self.stopped = dict(stopped or {})
        self.gives = None
        self.asked = []
        self.alive = True
        self.changed = None
        self.closed = False
        self.sick = set()
        self.read = []
        self.says = "Cannot access storage file {}".format

    def on_change(self, changed):
        self.changed = changed

    def close(self):
        self.closed = True

    def guests(self):
        if not self.alive:
            raise LibvirtError("client socket is closed")
        result = dict.fromkeys(self.stopped, False)
        return result | dict.fromkeys(self.running, True)

    def xml(self, uuid):
        self.read.append(uuid)
        if uuid in self.sick or not self.alive:
            raise LibvirtError("cannot acquire state change lock")
        try:
            return {**self.stopped, **self.running}[uuid]
        except KeyError:
            raise GuestGone(f"no domain {uuid}") from None

    def detach(self, uuid, device):
        self.asked.append(device)
        if self.gives is not None and len(self.asked) >= self.gives:
            alias = re.search(r"alias name=.(\w+)", device)[1]
            text = self.running[uuid].decode()
            kind = re.match(r"<(\w+)", device)[1]
            cut = rf"<{kind}(?:(?!<{kind}).)*?{alias}'/></{kind}>"
            self.running[uuid] = re.sub(cut, "", text, flags=re.S).encode()
        if self.gives is None:
            raise LibvirtError("the guest did not answer in time")

    def capabilities(self):
        return CAPABILITIES

    def start(self, xml):
        return self.says(re.search("<name>(.*)</name>", xml)[1])
