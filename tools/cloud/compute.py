# SPDX-License-Identifier: Apache-2.0
"""nova-compute with Nova's fake driver, whose snapshots get into Glance.

Nova's own fake driver leaves a snapshot's image as nova-api has made it,
without data, so that nothing would ask Glance's gate about the upload.
"""

import io
import sys

# First of all: it decides on how to do threads.
from nova.cmd import compute

# isort: split
from nova.image import glance
from nova.virt import fake

_Driver = fake.FakeDriverWithoutFakeNodes
_fake_snapshot = _Driver.snapshot


def _snapshot(self, context, instance, image_id, update_task_state):
    """Upload a few bytes, as the libvirt driver uploads a disk."""
    _fake_snapshot(self, context, instance, image_id, update_task_state)
    images = glance.API()
    metadata = {
        "status": "active",
        "name": images.get(context, image_id)["name"],
        "disk_format": "raw",
        "container_format": "bare",
        "properties": {"owner_id": instance.project_id},
    }
    disk = io.BytesIO(b"a disk of a few bytes")
    images.update(context, image_id, metadata, disk)


if __name__ == "__main__":
    _Driver.snapshot = _snapshot
    # As the libvirt driver does.
    _Driver.capabilities["supports_bfv_rescue"] = True
    # The binary's name goes into the record of the service.
    sys.argv[0] = "nova-compute"
    compute.main()
