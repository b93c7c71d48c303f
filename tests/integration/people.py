# SPDX-License-Identifier: Apache-2.0
"""The users of the cloud, and what they do in it."""

import contextlib
import time

import pytest

from cloud import clients, neighbours
from cloud.policies import BASELINE

#: How a refusal begins, whichever gate it comes from.
REFUSED = "This cloud's hardening policy refuses the request: "
IDE = "image property hw_disk_bus='ide' is not allowed (allowed: virtio, scsi)"
PROVEN_ONLY = BASELINE + "hosts: {require: [iommu]}\n"


class Person(clients.Client):
    """A user with real clients and real tokens, who knows images by name."""

    @property
    def storage(self):
        return self.sdk().block_storage

    @property
    def network(self):
        return self.sdk().network

    @property
    def token(self):
        """A token from Keystone."""
        return self.session.get_token()

    def volume(self, **source):
        """Make a volume to boot from; return openstacksdk's.

        :param source: what it is made of, an empty disk without
        """
        made = self.storage.create_volume(size=1, **source)
        self.storage.wait_for_status(made, "available", interval=0.2)
        if not source:
            self.storage.set_volume_bootable_status(made, True)
        return made

    def snapshot(self, volume):
        """Take a snapshot of a volume; return openstacksdk's."""
        made = self.storage.create_snapshot(volume_id=volume.id)
        self.storage.wait_for_status(made, "available", interval=0.2)
        return made

    def port(self, vnic_type="normal"):
        """Make a port on the cloud's network; return openstacksdk's."""
        network = self.network.find_network(neighbours.NETWORK)
        return self.network.create_port(
            network_id=network.id, binding_vnic_type=vnic_type
        )

    def image_id(self, name):
        """The id of an image."""
        return self.image.find_image(name, ignore_missing=False).id

    def ask(self, name, image=None, service="nova", **more):
        """Ask for a server; return it as it is at once.

        :param image: name of an image
        :param service: ``plain-nova`` has no gate
        :raises: what openstacksdk raises when it is refused
        """
        if image:
            more["image_id"] = self.image_id(image)
        return super().ask(name, service, **more)

    @contextlib.contextmanager
    def server(self, name, image):
        """A server that is there, ACTIVE, and gone at the end."""
        server = self.boot(name, image)
        try:
            assert server.status == "ACTIVE", server.fault
            yield server
        finally:
            self.remove(server)


def restart(cloud, *names, **how):
    """Restart daemons one by one."""
    for name in names:
        cloud.stop(name, **how)
        cloud.start(name)


def refusal(call, *arguments, **more):
    """Make a call that must be refused; return the words of the refusal."""
    with pytest.raises(clients.REFUSALS) as refused:
        call(*arguments, **more)
    return " ".join(str(refused.value).split())


def until(condition, seconds=60, every=0.2):
    """Wait for something; return what it was in the end."""
    deadline = time.monotonic() + seconds
    while not (came := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(every)
    return came
