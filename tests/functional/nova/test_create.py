# SPDX-License-Identifier: Apache-2.0
"""Look-ups of the gate for a boot that Nova refuses before its first one."""

import contextlib
import uuid
from unittest import mock

from nova.image import glance
from nova.network import neutron
from nova.volume import cinder

from tests.functional.nova import helpers, test_signatures, verdicts

#: What of Nova's own clients asks another service.
CALLS = (
    (glance.GlanceClientWrapper, "call"),
    (cinder.API, "get"),
    (cinder.API, "get_snapshot"),
    (neutron.API, "show_port"),
)


def disks(kind, names, **more):
    """Return root disks made from images, volumes or snapshots."""
    return [
        {
            "uuid": name,
            "source_type": kind,
            "destination_type": "volume",
            "boot_index": 0,
            "volume_size": 1,
            **more,
        }
        for name in names
    ]


def ports(names):
    return [{"port": name} for name in names]


NAMES = [str(uuid.UUID(int=number)) for number in range(1, 63 + 1)]
TOO_FEW = {"min_count": 2, "max_count": 1}
TWO = {"min_count": 2, "max_count": 2}
IMAGES, VOLUMES, SNAPSHOTS = (
    {"block_device_mapping_v2": disks(kind, NAMES)}
    for kind in ("image", "volume", "snapshot")
)
FORMAT_1 = {
    "block_device_mapping": [
        {"volume_id": name, "device_name": "vda"} for name in NAMES
    ]
}

#: What the body of a boot has, and how Nova answers.
UNREAD = {
    "images, too few": ({**IMAGES, **TOO_FEW}, 400),
    "volumes, too few": ({**VOLUMES, **TOO_FEW}, 400),
    "snapshots, too few": ({**SNAPSHOTS, **TOO_FEW}, 400),
    "format 1, too few": ({**FORMAT_1, **TOO_FEW}, 400),
    "both formats": ({**IMAGES, **FORMAT_1}, 400),
    "a disk without a source": (
        {"block_device_mapping_v2": disks("volume", [*NAMES, None])},
        400,
    ),
    "a local disk of another image": (
        {
            "imageRef": None,
            "block_device_mapping_v2": disks(
                "image", NAMES, destination_type="local"
            ),
        },
        400,
    ),
    # Few enough for a look-up, which does not come about.
    "a disk without an id": (
        {"imageRef": None, "block_device_mapping_v2": disks("volume", [None])},
        400,
    ),
    "a local disk, alone": (
        {
            "imageRef": None,
            "block_device_mapping_v2": disks(
                "image", NAMES[:1], destination_type="local"
            ),
        },
        400,
    ),
    "an existing volume of a type": (
        {
            "imageRef": None,
            "block_device_mapping_v2": disks(
                "volume", NAMES[:1], volume_type="fast"
            ),
        },
        400,
    ),
    "ports, too few": ({"networks": ports(NAMES), **TOO_FEW}, 400),
    "ports of two servers": ({"networks": ports(NAMES), **TWO}, 400),
    "a port twice": ({"networks": ports([*NAMES, NAMES[0]])}, 400),
    "an address of two servers": (
        {
            "networks": [{"uuid": NAMES[0], "fixed_ip": "192.0.2.1"}],
            **IMAGES,
            **TWO,
        },
        400,
    ),
    "a zone of many parts": ({"availability_zone": "a:b:c:d", **IMAGES}, 400),
    "a host that a member cannot choose": (
        {"availability_zone": "nova:host", **IMAGES},
        403,
    ),
    "a destination likewise": ({"host": "host", **IMAGES}, 403),
}


#: Of these the gate looks up the image alone, and refuses it.
EARLY = (
    *("images, too few", "volumes, too few", "snapshots, too few"),
    *("format 1, too few", "both formats", "an address of two servers"),
    *("a zone of many parts", "a host that a member cannot choose"),
    "a destination likewise",
)


class TestUnread(verdicts.VerdictCase):
    """Boots of an image that violates a rule, so a judged boot gets 403."""

    def answered(self, status, asked, server, **more):
        """Boot; check the status, and the number of look-ups."""
        body = self.wish(self.image(**helpers.IDE), **server)
        if server.get("imageRef", "") is None:
            del body["server"]["imageRef"]
        calls = []

        def counting(real):
            def call(*args, **more):
                calls.append(args)
                return real(*args, **more)

            return call

        with contextlib.ExitStack() as stack:
            for owner, name in CALLS:
                call = counting(getattr(owner, name))
                stack.enter_context(mock.patch.object(owner, name, call))
            response = self.call("POST", "/v2.1/servers", body, **more)
        actual = response.status_int, len(calls)
        self.assertEqual((status, asked), actual, server)

    def test_nothing_is_looked_up_for_what_nova_refuses_unread(self):
        plain = self.without_gate()
        # Also under a policy with a rule about files
        for policy in ("", test_signatures.POLICY):
            self.write_policy(policy)
            for name, (server, status) in UNREAD.items():
                # The image beside the disks is looked up, and refused.
                early = (403, 1) if name in EARLY else (status, 0)
                self.answered(*early, server)
            # Nova refuses this before it reads a port, and so does the gate.
            self.answered(400, 0, {"networks": ports(NAMES), "flavorRef": "9"})
            # What every guest would get is refused, or Nova says why not.
            self.answered(403 if policy else 400, 0, {"imageRef": None})
            # Nova looks at no port after one that is in use.
            used = self.port("direct", device_id="a server")
            self.answered(403, 2, {"networks": ports([used, *NAMES[:6]])})
            # What has few objects gets the early answer; with one more it is
            # left to Nova.
            eight = [self.port("normal") for _ in range(8)]
            for number, early in ((7, (403, 8)), (8, (400, 0))):
                server = {"networks": ports(eight[:number]), **TOO_FEW}
                self.answered(*early, server)
            # Disks beside an image are not looked up.
            for server in (IMAGES, VOLUMES, SNAPSHOTS):
                self.answered(403, 1, server)
        for server, status in UNREAD.values():
            self.answered(status, 0, server, app=plain)
