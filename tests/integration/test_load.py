# SPDX-License-Identifier: Apache-2.0
"""Many requests at once, while the policy is replaced; several workers."""

import concurrent.futures
import re
import threading

import pytest

from cloud.policies import BASELINE
from tests.integration.people import refusal

STRICTER = BASELINE + "guest_devices: {disk_bus: {allow: [virtio]}}\n"
#: What every good version says.
IDE = "image property hw_disk_bus='ide' is not allowed"
SHORT = (
    "No valid host was found. hw_disk_bus=ide (allowed: virtio, scsi); "
    "hw_vif_model=e1000 (allowed: virtio)"
)
#: Cut off in the middle of being written, by an editor that does not rename.
BROKEN = BASELINE[:25]
# All three hosts have passed it: claims on one get into each other's way.
HOSTS = "hosts: {require: [kernel_aslr], mode: enforce}\n"
WORKER = re.compile(r"^\S+ \S+ (\d+) INFO nova_vhard\.decisions ")


def test_nothing_gets_in_while_the_policy_is_replaced(cloud, policy, member):
    """Every version of the policy that was ever good refuses IDE."""
    ended = threading.Event()

    def ask(name):
        assert IDE in refusal(member.upload, name, hw_disk_bus="ide")
        assert IDE in refusal(member.ask, name, "old-router")
        image = member.upload(name, hw_disk_bus="virtio")
        member.image.delete_image(image)

    def client(number):
        while not ended.is_set():
            ask(f"old-{number}")

    # A request does not wait for another one that reads the new policy, so
    # both gates must have read a policy that refuses.
    ask("first")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client, number) for number in range(4)]
        for count in range(1000):
            policy(STRICTER if count % 2 else BASELINE)
            if count % 10 == 0:
                cloud.place.policy.write_text(BROKEN)
            if count % 25 == 0:
                cloud.place.policy.unlink()
            ended.wait(0.005)
        ended.set()
    for each in clients:
        each.result()
    assert not list(member.compute().servers(name="old-"))


@pytest.mark.parametrize("scheduler", ["threading", "eventlet"], indirect=True)
def test_every_scheduler_worker_judges_alike(
    scheduler, policy, member, logs, plain_nova, decisions
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
    # and behind an API without a gate, the scheduler refuses
    policy(BASELINE)
    decisions()
    servers.append(member.boot("old", "old-router", "plain-nova"))
    assert servers[-1].fault["message"] == SHORT
    (event,) = [each for each in decisions() if each["gate"] == "scheduler"]
    assert event["outcome"] == "refuse"
    for each in servers:
        member.remove(each)
    assert "Traceback" not in "\n".join(logs(scheduler))
