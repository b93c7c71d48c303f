# SPDX-License-Identifier: Apache-2.0
"""Rows 2 and 11 to 14: another image for a server that exists.

The bus of its root disk stays in Nova's database from the first boot on, so
that the network card is the witness; a rescue has a new disk.
"""

from dataclasses import replace

from nova_vhard.gates import nova_servers
from tests.functional.bypass import ways
from tests.functional.bypass.ways import (
    CARD,
    E1000,
    IDE,
    OWN,
    PC,
    Q35,
    STABLE,
    Attempt,
    New,
)
from tests.functional.nova import base, helpers

OLD = {"hw_vif_model": "e1000"}
NETWORKS = {"networks": [{"port": CARD}]}
SERVER = {"imageRef": New("image", helpers.CLEAN), **NETWORKS}
WITH_DRIVE = {"imageRef": New("image", Q35), "config_drive": True}
UNSHELVE = {"unshelve": None}
SHELVED_ON_PC = Attempt(
    WITH_DRIVE, (IDE,), action=UNSHELVE, changed=("shelved", PC)
)
SERVERS = {
    "test_bypass_02_rescue_after_two_patches_at_once": Attempt(
        WITH_DRIVE, (IDE,), action=ways.rescue(**ways.IDE_DRIVE)
    ),
    "test_bypass_11_rescue_with_an_old_image": Attempt(
        SERVER, (IDE,), action=ways.rescue(**helpers.IDE)
    ),
    "test_bypass_11_stable_rescue_bus": Attempt(
        SERVER,
        (IDE,),
        action=ways.rescue(hw_rescue_bus="ide", hw_rescue_device="disk"),
    ),
    # the rescue image is clean: the server's own image is not
    "test_bypass_11_stable_rescue_reads_the_servers_image_anew": Attempt(
        SERVER,
        (E1000,),
        action=ways.rescue(**STABLE),
        changed=("image", OLD),
    ),
    "test_bypass_11_stable_rescue_reads_the_root_volume_anew": Attempt(
        ways.on_volume({"hw_vif_model": "virtio"}, **NETWORKS),
        (E1000,),
        action=ways.rescue(**STABLE),
        changed=("volume", OLD),
    ),
    # Nova takes the server's own image, as it is now
    "test_bypass_11_rescue_without_an_image": Attempt(
        SERVER,
        (IDE,),
        action={"rescue": None},
        changed=("image", helpers.IDE),
    ),
    "test_bypass_12_shelved_snapshot_and_unshelve": Attempt(
        SERVER, (E1000,), action=UNSHELVE, changed=("shelved", OLD)
    ),
    "test_bypass_12_machine_type_under_a_config_drive": SHELVED_ON_PC,
    "test_bypass_14_rebuild_with_an_old_image": Attempt(
        SERVER, (E1000,), action=ways.rebuild(**OLD)
    ),
    # Nova reads the image again and calls no scheduler
    "test_bypass_14_rebuild_with_the_same_image": Attempt(
        SERVER,
        (E1000,),
        action={"rebuild": {"imageRef": OWN}},
        changed=("image", OLD),
    ),
    "test_bypass_14_machine_type_under_a_config_drive": Attempt(
        WITH_DRIVE, (IDE,), action=ways.rebuild(**PC)
    ),
}


@ways.rows(SERVERS)
class Rows(ways.Ways):
    def test_bypass_12_unshelve_while_it_is_offloaded(self):
        """It is on its host yet when the gate looks, and not for Nova."""
        real = nova_servers.read
        self.stub_out(
            "nova_vhard.gates.nova_servers.read",
            lambda instance: replace(real(instance), offloaded=False),
        )
        self.attempt(SHELVED_ON_PC)


TestGuarded, TestAsked = ways.asked(Rows, ways.Asked)


class HardReboot(ways.Ways):
    """Row 13: a scheduler that refuses a rebuild leaves its properties."""

    def test_bypass_13_rejected_rebuild_then_hard_reboot(self):
        server = self.booted(SERVER)
        response = self.act(server, self.known(ways.rebuild(**OLD)))
        if not self.GUARDED:
            assert response.status_int == 202, response.text
            assert "hw_vif_model=e1000" in self.fault(server)
        self.act(server, {"reboot": {"type": "HARD"}}, roles=helpers.ADMIN)
        self.wait(server, "ACTIVE")
        self.ends(response, E1000)


(TestGuardedHardReboot,) = ways.cases(
    HardReboot, base.LibvirtCase, ways.Guarded
)
