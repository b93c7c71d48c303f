# SPDX-License-Identifier: Apache-2.0
"""Boots, rebuilds, and what becomes of servers that are older."""

from cloud.machines import PROVEN
from cloud.policies import BASELINE
from tests.integration.people import IDE, REFUSED

PROVEN_ONLY = BASELINE + "hosts: {require: [iommu]}\n"
SHORT = (
    "hw_disk_bus=ide (allowed: virtio, scsi); "
    "hw_vif_model=e1000 (allowed: virtio)"
)


def test_the_plain_client_is_told_to_boot_otherwise(member):
    answer = member.command(
        *("server", "create", "--image", "old-router"),
        *("--flavor", "m1.tiny", "--no-network", "--wait", "old"),
    )
    assert not answer.success
    assert REFUSED + "(1) " + IDE in answer.text
    assert not list(member.compute().servers(name="old"))


def test_behind_an_api_without_gate_the_scheduler_refuses(
    plain_nova, member, decisions
):
    server = member.boot("old", "old-router", "plain-nova")
    assert server.status == "ERROR"
    assert server.fault["message"] == f"No valid host was found. {SHORT}"
    member.remove(server)
    (event,) = [each for each in decisions() if each["gate"] == "scheduler"]
    assert event["outcome"] == "refuse"


def test_guests_go_to_the_host_that_has_proven_it(policy, member, admin):
    policy(PROVEN_ONLY)
    for number in range(3):
        with member.server(f"proven-{number}", "clean") as server:
            assert admin.host(server) == PROVEN.name


def test_an_old_server_is_snapshotted_shelved_and_moved(
    old_server, member, admin, decisions
):
    # when
    image = member.compute().create_server_image(old_server, "snapshot")
    image = member.image.wait_for_status(image, "active", interval=0.2)
    # then
    assert image.hw_disk_bus == "ide"
    assert member.settle(old_server).status == "ACTIVE"
    assert "glance-api" in {each["gate"] for each in decisions()}
    member.image.delete_image(image)
    # when
    member.compute().shelve_server(old_server)
    shelved = member.settle(old_server, leaving="SHELVED")
    # then it is never stuck
    assert shelved.status == "SHELVED_OFFLOADED"
    assert shelved.task_state is None
    member.compute().unshelve_server(old_server)
    back = member.settle(old_server, leaving="SHELVED_OFFLOADED")
    assert back.status == "ACTIVE"
    # and when
    before = admin.host(old_server)
    admin.compute().migrate_server(old_server)
    member.settle(old_server, leaving="ACTIVE")
    member.compute().confirm_server_resize(old_server)
    # then
    moved = member.settle(old_server, leaving="VERIFY_RESIZE")
    assert moved.status == "ACTIVE"
    assert admin.host(old_server) != before
