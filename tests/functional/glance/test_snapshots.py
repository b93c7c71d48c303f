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
#: What Nova's driver writes once the disk is copied (snapshot).
AFTERWARDS = {
    "image_location": "snapshot",
    "image_state": "available",
    "architecture": "x86_64",
}


@pytest.fixture(params=[{}, SERVICE], ids=["user token", "service token"])
def headers(request):
    return request.param


def properties(guest, host):
    """Return the properties that Nova uploads.

    See ``initialize_instance_snapshot_metadata``.
    """
    return {
        "name": "a snapshot",
        "disk_format": "raw",
        "container_format": "bare",
        "visibility": "private",
        "image_type": "snapshot",
        "base_image_ref": str(uuid.UUID(int=1)),
        "boot_roles": "reader,member",
        **guest.recorded(host),
    }


@pytest.mark.parametrize(
    ("preset", "host"),
    [(preset, host) for preset in recorded.PRESETS for host in recorded.HOSTS],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_snapshots_of_accepted_servers(
    under, policy_file, preset, host, headers
):
    policy_file.write_text(f'version: "1"\nextends: {preset}\n{host.assumed}')
    user = under(None)
    names = recorded.accepted(preset, host)
    answers = {}
    for name in names:
        wanted = properties(recorded.GUESTS[name], host)
        made = user.send(create(wanted, headers=headers))
        answers[name] = [made.status_int]
        if made.status_int == 201:
            changes = [add(f"/{key}", AFTERWARDS[key]) for key in AFTERWARDS]
            wire = update(*changes, headers=headers).about(made.json["id"])
            answers[name].append(user.send(wire).status_int)
    assert answers == {name: [201, 200] for name in names}


def test_a_snapshot_of_an_old_server(gated, headers):
    """Nova's own snapshot is accepted, so that a shelve can finish."""
    response = gated.send(create({"hw_vif_model": "e1000"}, headers=headers))
    assert response.status_int == (201 if headers else 403)
