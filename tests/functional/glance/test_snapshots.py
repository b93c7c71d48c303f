# SPDX-License-Identifier: Apache-2.0
"""Glance accepts Nova's snapshot of a server that a policy has accepted.

Nova uploads it with and without a service token: many clouds have none.
"""

import uuid

import pytest

from tests.functional import recorded
from tests.functional.glance import identity
from tests.functional.glance.wire import add, create, update

SERVICE = {"X-Service-Token": identity.token("service", "nova", "service")}
#: Besides what Nova records, see ``initialize_instance_snapshot_metadata``.
SNAPSHOT = {
    "name": "a snapshot",
    "disk_format": "raw",
    "container_format": "bare",
    "visibility": "private",
    "image_type": "snapshot",
    "base_image_ref": str(uuid.UUID(int=1)),
    "boot_roles": "reader,member",
}
#: What Nova's driver writes once the disk is copied (snapshot).
AFTERWARDS = {
    "image_location": "snapshot",
    "image_state": "available",
    "architecture": "x86_64",
}


@pytest.mark.parametrize(
    "headers", [{}, SERVICE], ids=["user token", "service token"]
)
@pytest.mark.parametrize("host", recorded.HOSTS, ids="-".join)
@pytest.mark.parametrize("preset", recorded.PRESETS)
def test_snapshots_of_accepted_servers(
    under, policy_file, preset, host, headers
):
    policy_file.write_text(f'version: "1"\nextends: {preset}\n{host.assumed}')
    user = under(None)
    names = recorded.accepted(preset, host)
    changes = [add(f"/{key}", AFTERWARDS[key]) for key in AFTERWARDS]
    answers = {}
    for name in names:
        properties = SNAPSHOT | recorded.GUESTS[name].recorded(host)
        made = user.send(create(properties, headers=headers))
        wire = update(*changes, headers=headers).about(made.json.get("id", ""))
        answers[name] = made.status_int, user.send(wire).status_int
    assert answers == dict.fromkeys(names, (201, 200))
