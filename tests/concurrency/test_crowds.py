# SPDX-License-Identifier: Apache-2.0
"""Every answer is right for one of two policies, however many ask.

The policy file changes, by rename, while thirty-two threads ask; Placement
comes and goes while the scheduler's gate asks it for the hosts' posture.
"""

import datetime
import itertools
import json
import threading
import time
from collections.abc import Callable, Hashable, Set
from concurrent import futures
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import webob
from glance.context import RequestContext
from nova import context, exception, objects

from nova_vhard.catalogue import traits
from nova_vhard.gates import glance_api, posture_filter, scheduler
from nova_vhard.placement.client import Placement
from nova_vhard.policy import hosts as policy_hosts
from tests.functional.nova import stored
from tests.fuzz import nova_stubs, routers
from tests.fuzz.service import environment, sent
from tests.unit.helpers import write

THREADS = 32
#: Minimum seconds of a test, and the maximum until it has every answer.
SECONDS = 3.0
AT_MOST = 60.0
#: Seconds after which a thread that is not done counts as stuck.
STUCK = 60.0
PAUSE = 0.02

_POLICY = """\
version: "1"
guest_devices:
  disk_bus: {{allow: [{bus}]}}
passthrough:
  allow: {{aliases: [gpu], ports: [], mdev: [], device_profiles: []}}
  require: [iommu]
applies_to: {{hypervisor_type: [QEMU]}}
# {mark}
"""
#: Two policies; what one allows the other refuses.
POLICIES = tuple(
    _POLICY.format(bus=bus, mark="x" * number)
    for number, bus in enumerate(("virtio", "sata"))
)
#: A bus for each policy that only this policy allows, and a refused bus.
BUSES = ("virtio", "sata", "ide")

#: A bus, and the answer for it.
Answer = tuple[str, Hashable]


def answers(
    ask: Callable[[str], Hashable],
    change: Callable[[int], None],
    wanted: Set[Answer],
) -> set[Answer]:
    """Let all threads ask for a while; none may be stuck or fail.

    :param ask: asks for one bus; returns the answer
    :param change: called repeatedly while the threads ask
    :param wanted: answers that must come before the threads stop
    """
    result: set[Answer] = set()
    over = threading.Event()

    def asker() -> None:
        while not over.is_set():
            for bus in BUSES:
                result.add((bus, ask(bus)))

    started = time.monotonic()
    with futures.ThreadPoolExecutor(THREADS) as pool:
        askers = [pool.submit(asker) for _ in range(THREADS)]
        for number in itertools.count(1):
            took = time.monotonic() - started
            if took > (SECONDS if wanted <= result else AT_MOST):
                break
            if any(each.done() for each in askers):
                # A thread has failed.
                break
            change(number)
            over.wait(PAUSE)
        over.set()
        for each in askers:
            each.result(STUCK)
    return result


def check(
    ask: Callable[[str], Hashable],
    path: Path,
    more: Callable[[int], None] = lambda _number: None,
) -> None:
    """Check that every answer is right for one of the two policies."""
    alone = []
    for policy in POLICIES:
        write(path, policy)
        # another thread may be reading the file during the first call
        ask("ide")
        alone.append({(bus, ask(bus)) for bus in BUSES})
    first, other = alone
    assert not first & other, "void: both policies say the same"

    def change(number: int) -> None:
        write(path, POLICIES[number % 2])
        more(number)

    # Every answer of both policies came, and no other.
    assert answers(ask, change, first | other) == first | other


IMAGE = nova_stubs.CLEAN
UNKNOWN = policy_hosts.UNKNOWN.format(checks="iommu")


def answered(gate: Any, environ: dict[str, Any], body: bytes) -> Any:
    """Return status and body of a gate's answer."""
    response = webob.Request(sent(environ, body)).get_response(gate)
    return response.status_int, response.body


def taken(environ: dict[str, Any], start: Any) -> Any:
    """Stand for the service behind a gate; it has one image, with usb."""
    return webob.Response(json_body={"id": IMAGE, "hw_disk_bus": "usb"})(
        environ, start
    )


def test_glance_create(policy_file: Path) -> None:
    taken.applications = routers.glance()
    gate = glance_api.GlanceGate(taken)
    who = RequestContext(user_id="user", project_id="project")

    def ask(bus: str) -> Any:
        body = json.dumps({"hw_disk_bus": bus}).encode()
        environ = environment("POST", "/v2/images", body, "application/json")
        environ["webob.adhoc_attrs"] = {"context": who}
        return answered(gate, environ, body)

    check(ask, policy_file)


def test_nova_api(policy_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = {
        bus: nova_stubs.image_of(number, {"hw_disk_bus": bus})
        for number, bus in enumerate(BUSES)
    }
    # A function of its own, which gets Nova's router.
    gate = nova_stubs.gate(lambda *asked: taken(*asked), monkeypatch)
    who = context.RequestContext(
        "user", "project", roles=["member"], is_admin=False
    )

    def ask(bus: str) -> Any:
        wish = {
            "server": {"name": "s", "imageRef": images[bus], "flavorRef": "1"}
        }
        body = json.dumps(wish).encode()
        environ = environment("POST", "/servers", body, "application/json")
        return answered(gate, environ | {"nova.context": who}, body)

    check(ask, policy_file)


def test_scheduler_while_placement_comes_and_goes(
    policy_file: Path, cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two hosts one is left, or none: which have passed is unknown."""
    stored.Stored(monkeypatch.setattr)
    now = datetime.datetime.now(datetime.UTC)
    hours = {
        traits.of_hour(now + datetime.timedelta(hours=number))
        for number in (0, 1)
    }
    good = cloud.host("good", hours | {traits.of_check("iommu")})
    hosts = [
        SimpleNamespace(host=each, uuid=each, hypervisor_type="QEMU")
        for each in (good, cloud.host("bad", hours))
    ]
    monkeypatch.setattr(posture_filter, "_connect", lambda _: Placement(cloud))
    gate = scheduler.VirtHardeningFilter()
    gate._hosts = posture_filter.PostureFilter(
        SimpleNamespace(
            posture_ttl=0.02, posture_max_age=0.1, posture_timeout=30
        )
    )
    who = context.RequestContext("user", "project", is_admin=False)
    seen: set[Any] = set()

    def ask(bus: str) -> Any:
        """Give a host that is left, and the lack of an answer, one name."""
        spec = objects.RequestSpec(
            who,
            image=objects.ImageMeta.from_dict(
                {"properties": {"hw_disk_bus": bus}}
            ),
            flavor=objects.Flavor(
                name="f",
                flavorid="1",
                extra_specs={"pci_passthrough:alias": "gpu:1"},
            ),
            project_id="project",
            instance_uuid=IMAGE,
            num_instances=1,
        )
        try:
            left = [each.host for each in gate.filter_all(iter(hosts), spec)]
        except exception.NoValidHost as error:
            reason = str(error.kwargs["reason"])
            seen.add(reason)
            return "left" if reason == UNKNOWN else reason
        assert left == [good]
        return "left"

    def comes_and_goes(number: int) -> None:
        cloud.faults[:] = [_down] if number // 10 % 2 else []

    check(ask, policy_file, comes_and_goes)
    assert UNKNOWN in seen, "void: Placement has not gone"


def _down(*_: Any) -> None:
    raise ConnectionError("unreachable")
