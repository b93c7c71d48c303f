# SPDX-License-Identifier: Apache-2.0
"""Many requests at once, while the policy is replaced; several workers."""

import concurrent.futures
import re
import threading

import pytest

from cloud.policies import BASELINE
from tests.integration.people import refusal
from tests.integration.test_servers import SHORT

STRICTER = BASELINE + "guest_devices: {disk_bus: {allow: [virtio]}}\n"
#: What every good version says.
IDE = "image property hw_disk_bus='ide' is not allowed"
#: Cut off in the middle of being written, by an editor that does not rename.
BROKEN = BASELINE[:25]
# All three hosts have passed it: claims on one get into each other's way.
HOSTS = "hosts: {require: [kernel_aslr], mode: enforce}\n"
REPLACEMENTS = 1000
WORKER = re.compile(r"^\S+ \S+ (\d+) INFO nova_vhard\.decisions ")


@pytest.fixture
def replaced(cloud, policy, member):
    """A policy file that changes all the time, also in place and to junk."""
    # One that reads a new policy is not waited for by others: both gates
    # begin with one that refuses.
    refusal(member.upload, "old", hw_disk_bus="ide")
    refusal(member.ask, "old", "old-router")
    count, ended = [0], threading.Event()

    def replace():
        while not ended.wait(0.005):
            count[0] += 1
            policy(BASELINE if count[0] % 2 else STRICTER)
            if count[0] % 10 == 0:
                cloud.place.policy.write_text(BROKEN)
            if count[0] % 25 == 0:
                cloud.place.policy.unlink()

    writer = threading.Thread(target=replace)
    writer.start()
    yield count
    ended.set()
    writer.join()


def test_nothing_gets_in_while_the_policy_is_replaced(replaced, member):
    """Every version of the policy that was ever good refuses IDE."""
    done = []

    def ask(number):
        while len(done) < 32 or replaced[0] < REPLACEMENTS:
            assert IDE in refusal(
                member.upload, f"old-{number}", hw_disk_bus="ide"
            )
            assert IDE in refusal(member.ask, f"old-{number}", "old-router")
            image = member.upload(f"new-{number}", hw_disk_bus="virtio")
            member.image.delete_image(image)
            done.append(number)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    assert replaced[0] >= REPLACEMENTS
    assert not list(member.compute().servers(name="old-"))


def test_the_last_policy_holds_after_all(policy, member):
    policy(BASELINE + "guest_devices: {disk_bus: {allow: [virtio, ide]}}\n")
    image = member.upload("allowed-now", hw_disk_bus="ide")
    assert image.status == "active"
    member.image.delete_image(image)


@pytest.fixture(params=["threading", "eventlet"])
def scheduler(request, cloud):
    """Native threads, as Nova starts it by default, and green ones.

    :returns: the daemon's name
    """
    if request.param == "threading":
        yield "nova-scheduler"
        return
    cloud.stop("nova-scheduler")
    cloud.start("nova-scheduler-eventlet")
    yield "nova-scheduler-eventlet"
    cloud.stop("nova-scheduler-eventlet")
    cloud.start("nova-scheduler")


def test_every_scheduler_worker_judges_alike(
    scheduler, policy, member, logs, plain_nova
):
    # given: a policy with which each boot leaves an event in the log
    policy(BASELINE + "mode: audit\n" + HOSTS)

    def boot(number):
        return member.boot(f"crowd-{number}", "old-router")

    # one that reads the new policy is not waited for by others
    first = [boot(number) for number in range(2)]
    # when
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        servers = first + list(pool.map(boot, range(2, 10)))
    # then
    assert {each.status for each in servers} == {"ACTIVE"}
    result = map(WORKER.match, logs(scheduler))
    assert len({each[1] for each in result if each}) == 2
    for each in servers:
        member.remove(each)
    # and when
    policy(BASELINE)
    refused = member.boot("old", "old-router", "plain-nova")
    # then
    assert refused.status == "ERROR"
    assert SHORT in refused.fault["message"]
    member.remove(refused)
    assert "Traceback" not in "\n".join(logs(scheduler))
