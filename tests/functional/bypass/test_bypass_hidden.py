# SPDX-License-Identifier: Apache-2.0
"""Rows 36 and 37: an image changes after the Nova API gate has read it.

The scheduler's gate reads the data that Nova has stored, which is the data
that the guest is built from.

The owner shares the image with a second project of their own and withdraws
it, as often as needed: an image that is older than the policy, or exempt. A
root volume is made bootable, or its metadata is corrected, in the same way.
"""

import copy
from unittest import mock

import glanceclient.exc
from nova.image import glance
from nova.volume import cinder

from nova_vhard.gates import nova_lookup
from nova_vhard.request.lookups import NotFound
from tests.functional.bypass import ways
from tests.functional.bypass.ways import IDE, PC, Q35, New, on_volume
from tests.functional.nova import helpers

CALL = "nova.image.glance.GlanceClientWrapper.call"
LOOKUPS = "nova_vhard.gates.nova_lookup.NovaLookups"
ON_PC = {"imageRef": New("image", PC), "config_drive": True}
SNAPSHOT = {**ways.VOLUME, "source_type": "snapshot"}
NEW_DISK = {**ways.ROOT, "destination_type": "volume", "volume_size": 1}


def hide(case, name=CALL, error=glanceclient.exc.HTTPNotFound):
    """Let the gate's look-up find nothing; Nova has its own look-up."""
    case.stub_out(name, mock.Mock(side_effect=error("not there yet")))


@ways.rows(
    {
        # The scheduler's gate sees the image and the config drive.
        "test_bypass_36_boot_with_a_config_drive": (ON_PC,),
        # Glance forbids it because of a field that its owner may change.
        "test_bypass_36_boot_from_a_forbidden_image": (
            *(ON_PC, CALL),
            glanceclient.exc.HTTPForbidden,
        ),
        # Its project accepts it from another one, in Cinder.
        "test_bypass_36_snapshot_that_is_not_there_yet": (
            {
                "block_device_mapping_v2": [
                    {**SNAPSHOT, "uuid": New("snapshot", PC)}
                ],
                "config_drive": True,
            },
            f"{LOOKUPS}.volume_snapshot",
            NotFound,
        ),
        # The scheduler's gate sees the flavor and the image.
        "test_bypass_36_flavor_that_is_not_there_yet": (
            *(ON_PC, f"{LOOKUPS}.flavor"),
            NotFound,
        ),
    }
)
class Hidden(ways.Ways):
    def attempt(self, row):
        """Boot a server while something is hidden."""
        server, *hidden = row
        request = self.known(server)
        hide(self, *hidden)
        self.boots(self.boot(None, **request), IDE)


@ways.rows(
    {
        # Its owner sets this in Cinder.
        "test_bypass_36_root_volume_that_is_not_bootable_yet": {
            "bootable": False
        },
        "test_bypass_36_root_volume_that_cannot_be_read_yet": {
            "volume_image_metadata": {"min_ram": "little", **PC}
        },
    }
)
class Seen(ways.Ways):
    def attempt(self, row):
        """Boot from a volume that the gate sees as it is for a moment."""
        get = nova_lookup._Cinder.get
        self.stub_out(
            "nova_vhard.gates.nova_lookup._Cinder.get",
            lambda *args: {**get(*args), **row},
        )
        request = self.known(on_volume(PC, config_drive=True))
        self.boots(self.boot(None, **request), IDE)


@ways.rows(
    {
        # The scheduler's gate sees the image and the config drive.
        "test_bypass_37_boot_with_a_config_drive": (
            "image",
            {"imageRef": New("image", Q35), "config_drive": True},
            PC,
        ),
        "test_bypass_37_boot_with_a_disk_of_its_own": (
            "image",
            {
                "block_device_mapping_v2": [
                    {**NEW_DISK, "uuid": New("image", Q35)}
                ]
            },
            helpers.IDE,
        ),
        "test_bypass_37_boot_from_a_volume_with_a_config_drive": (
            "volume",
            on_volume(Q35, config_drive=True),
            PC,
        ),
        "test_bypass_37_boot_from_a_volume_on_another_bus": (
            "volume",
            on_volume(Q35),
            helpers.IDE,
        ),
    }
)
class Changed(ways.Ways):
    def attempt(self, row):
        """Boot from an object that says more as soon as it is looked at.

        The first to look is the gate, or else Nova, which looks after it.
        """
        kind, server, says = row
        request = self.known(server)
        stored = self.stored(kind, self.made[kind])
        name, owner = {
            "image": (CALL, glance.GlanceClientWrapper.call),
            # of Nova's fixture, which has no API of its own
            "volume": ("nova.volume.cinder.API.get", cinder.API.get),
        }[kind]

        def look(*args, **more):
            # a volume's mock is not bound
            bound = args if kind == "image" else args[1:]
            answer = copy.deepcopy(owner(*bound, **more))
            stored.update(says)
            return answer

        if self.API_GATE is None:
            stored.update(says)
        else:
            self.stub_out(name, look)
        self.boots(self.boot(None, **request), IDE)


@ways.rows(
    {
        "test_bypass_36_rebuild": ways.rebuild(
            hw_disk_bus="virtio", img_config_drive="mandatory"
        ),
        "test_bypass_36_rescue": ways.rescue(**helpers.IDE),
    }
)
class Unscheduled(ways.Ways):
    """Requests for which Nova's API reads the image after the gate."""

    def attempt(self, row):
        server = self.booted({"imageRef": New("image")})
        self.witness.texts.clear()
        request = self.known(row)
        hide(self)
        response = self.act(server, request)
        if not self.GUARDED:
            self.ends(response, IDE)
            return
        assert response.status_int == 400, response.text
        self.settle()
        self.clean(IDE)


TestGuardedHidden, TestAskedHidden = ways.asked(Hidden, ways.Asked)
TestGuardedSeen, TestAskedSeen = ways.asked(Seen, ways.Asked)
TestGuardedChanged, TestAskedChanged = ways.asked(Changed, ways.Asked)
TestGuarded, TestAsked = ways.asked(Unscheduled, ways.Asked)
