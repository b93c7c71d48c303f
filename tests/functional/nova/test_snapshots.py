# SPDX-License-Identifier: Apache-2.0
"""Snapshots of servers that a policy has accepted can be used.

A snapshot inherits the properties that Nova has recorded for the server,
including those of devices that the server does not have.
"""

import pytest
from nova import context, exception, objects
from nova.compute import utils, vm_states

from nova_vhard.gates.scheduler import VirtHardeningFilter
from tests.functional import recorded
from tests.functional.nova import service, stored
from tests.functional.nova.test_api_alone import (
    PROJECT,
    boot,
    make,  # noqa: F401 - fixture
    request,
)
from tests.functional.nova.test_filter_alone import MOVED, REBUILD, flavor
from tests.functional.nova.test_proven import host
from tests.functional.nova.test_request_spec import spec
from tests.functional.nova.test_servers_read import (
    IMAGE,
    SERVER,
    SNAPSHOT,
    instance,
)

ACTION = f"/servers/{SERVER}/action"
USES = ["boot", "rebuild", "unshelve"]
#: Only scs needs all hosts: baseline tells them apart by their machine type,
#: and strict not at all.
CASES = [
    (preset, each)
    for preset in recorded.PRESETS
    for each in (recorded.HOSTS if preset == "scs" else recorded.HOSTS[::3])
]


@pytest.mark.parametrize(("preset", "assumed"), CASES, ids=str)
def test_each_guest(make, monkeypatch, preset, assumed):  # noqa: F811
    """Every server that a preset accepts, and a snapshot of it."""
    header = service.HEADER.replace("baseline", preset)
    cloud = make(header + assumed.assumed)
    kept = stored.Stored(monkeypatch.setattr)

    def passes(path, body, properties, **fields):
        """Return whether both gates accept a request.

        :param properties: of the image that the scheduler is told
        :param fields: what tells the filter which operation it is
        """
        answer = cloud.send(request("POST", path, body))
        assert answer.status in (202, 403), answer.text
        image = objects.ImageMeta.from_dict(
            {"id": IMAGE, "properties": properties}
        )
        asked = spec(image=image, flavor=flavor(), **fields)
        try:
            VirtHardeningFilter().filter_all([host("a")], asked)
        except exception.NoValidHost:
            return False
        return answer.status == 202

    wrong = []
    for name, guest in recorded.GUESTS.items():
        record = guest.recorded(assumed)
        metadata = {f"image_{each}": record[each] for each in record}
        kept.fields = {
            "config_drive": "True" if guest.config_drive else "",
            "image_ref": IMAGE,
            "system_metadata": {
                **metadata,
                "image_base_image_ref": IMAGE,
                "shelved_image_id": SNAPSHOT,
            },
        }
        server = instance(project_id=PROJECT, **kept.fields)
        made = utils.initialize_instance_snapshot_metadata(
            context.RequestContext("user", PROJECT), server, "x"
        )["properties"]
        cloud.serve(
            monkeypatch, {IMAGE: guest.properties, SNAPSHOT: made}, server
        )
        bodies = boot(IMAGE), boot(SNAPSHOT)
        for body in bodies:
            body["server"]["config_drive"] = guest.config_drive
        accepted = passes("/servers", bodies[0], guest.properties)
        uses = {"boot": passes("/servers", bodies[1], made)}
        rebuild = {"rebuild": {"imageRef": SNAPSHOT}}
        uses["rebuild"] = passes(ACTION, rebuild, made, **REBUILD)
        server.vm_state = vm_states.SHELVED_OFFLOADED
        uses["unshelve"] = passes(ACTION, {"unshelve": None}, made, **MOVED)
        used = [each for each in uses if uses[each]]
        if accepted != (name in recorded.accepted(preset, assumed)) or (
            accepted and used != USES
        ):
            wrong.append((name, accepted, used))
    assert wrong == []
