# SPDX-License-Identifier: Apache-2.0
"""Boots, rebuilds, and what becomes of servers that are older."""

from cloud.machines import PROVEN
from cloud.policies import BASELINE
from tests.integration.people import IDE, REFUSED, refusal

PROVEN_ONLY = BASELINE + "hosts: {require: [iommu]}\n"
NEVER_PROVEN = BASELINE + "hosts: {require: [tpm_measured_boot]}\n"
SHORT = (
    "hw_disk_bus=ide (allowed: virtio, scsi); "
    "hw_vif_model=e1000 (allowed: virtio)"
)


def test_a_clean_image_becomes_active(member):
    with member.server("clean", "clean") as server:
        assert server.status == "ACTIVE"


def test_an_old_image_is_refused_at_boot(member):
    text = refusal(member.ask, "old", "old-router")
    assert REFUSED + "(1) " + IDE in text
    assert not list(member.compute().servers(name="old"))


def test_the_plain_client_is_told_to_boot_otherwise(member):
    answer = member.command(
        *("server", "create", "--image", "old-router"),
        *("--flavor", "m1.tiny", "--no-network", "--wait", "old"),
    )
    assert not answer.success
    assert REFUSED + "(1) " + IDE in answer.text


def test_behind_an_api_without_gate_the_scheduler_refuses(
    plain_nova, member, decisions
):
    server = member.boot("old", "old-router", "plain-nova")
    assert server.status == "ERROR"
    assert server.fault["message"] == f"No valid host was found. {SHORT}"
    member.remove(server)
    (event,) = [each for each in decisions() if each["gate"] == "scheduler"]
    assert event["outcome"] == "refuse"


def test_a_rebuild_is_refused_and_the_server_stays(member):
    with member.server("rebuilt", "clean") as server:
        text = refusal(
            member.compute().rebuild_server,
            server,
            image=member.image_id("old-router"),
        )
        assert REFUSED + "(1) " + IDE in text
        assert member.settle(server).status == "ACTIVE"


def test_guests_go_to_the_host_that_has_proven_it(policy, member, admin):
    policy(PROVEN_ONLY)
    for number in range(3):
        with member.server(f"proven-{number}", "clean") as server:
            assert admin.host(server) == PROVEN.name


def test_without_any_proof_nothing_is_placed_and_the_reason_is_told(
    policy, member
):
    policy(NEVER_PROVEN)
    server = member.boot("unproven", "clean")
    assert server.status == "ERROR"
    assert (
        "no host of this cloud has passed the checks tpm_measured_boot"
        in (server.fault["message"])
    )
    member.remove(server)


def test_an_old_server_can_be_snapshotted(old_server, member, decisions):
    # when
    image = member.compute().create_server_image(old_server, "snapshot")
    image = member.image.wait_for_status(image, "active", interval=0.2)
    # then
    assert image.hw_disk_bus == "ide"
    assert member.settle(old_server).status == "ACTIVE"
    gates = {each["gate"] for each in decisions()}
    assert "glance-api" in gates
    member.image.delete_image(image)


def test_an_old_server_is_never_stuck_in_shelving(old_server, member):
    # when
    member.compute().shelve_server(old_server)
    # then
    shelved = member.settle(old_server, leaving="SHELVED")
    assert shelved.status == "SHELVED_OFFLOADED"
    assert shelved.task_state is None
    # when
    member.compute().unshelve_server(old_server)
    # then
    back = member.settle(old_server, leaving="SHELVED_OFFLOADED")
    assert back.status == "ACTIVE"


def test_an_old_server_can_be_moved(old_server, member, admin):
    before = admin.host(old_server)
    admin.compute().migrate_server(old_server)
    member.settle(old_server, leaving="ACTIVE")
    member.compute().confirm_server_resize(old_server)
    moved = member.settle(old_server, leaving="VERIFY_RESIZE")
    assert moved.status == "ACTIVE"
    assert admin.host(old_server) != before
