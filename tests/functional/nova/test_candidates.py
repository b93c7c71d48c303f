# SPDX-License-Identifier: Apache-2.0
"""Tests of hosts, and of their candidates, for one_time_use devices.

The folder passthrough tests that Nova assigns no other device.
"""

from types import SimpleNamespace

import pytest

from nova_vhard.gates import nova_release, one_time_use
from nova_vhard.policy.model import Mode
from nova_vhard.policy.verdict import PASSTHROUGH_REQUIRE
from tests.unit.helpers import policy

POLICY = policy(passthrough={"require": ["one_time_use"]})
GOOD = {"rp_uuid": "good", "dev_type": "type-PCI", "one_time_use": "true"}
USED = {"rp_uuid": "used", "dev_type": "type-PCI"}


@pytest.fixture(autouse=True)
def new_enough(monkeypatch):
    """Judge as with a Nova that knows the tag, whichever is installed."""
    monkeypatch.setattr(nova_release, "release", lambda: 32)


def asked(alias="gpu", kind="type-PCI", count=1):
    return SimpleNamespace(
        alias_name=alias,
        request_id="r",
        count=count,
        spec=[{"dev_type": kind}],
    )


def request(**more):
    port = SimpleNamespace(alias_name=None, request_id="p", count=1, spec=[])
    return spec_of([port, asked(**more)])


def spec_of(requests):
    return SimpleContainer(pci_requests=SimpleNamespace(requests=requests))


class SimpleContainer(SimpleNamespace):
    """Like Nova's objects: ``in`` says whether a field is set."""

    def __contains__(self, name):
        return name in self.__dict__


def candidate(*providers):
    return {
        "mappings": {
            f"r-{index}": [uuid] for index, uuid in enumerate(providers)
        }
    }


def host(*candidates, pools=(GOOD, USED), kind="QEMU", version=70):
    return SimpleNamespace(
        allocation_candidates=list(candidates),
        hypervisor_type=kind,
        pci_stats=SimpleNamespace(pools=list(pools)),
        service={"version": version},
    )


def without(made, name):
    """Return a host of which something is not known."""
    setattr(made, name, None)
    return made


def filter_hosts(hosts, mode=Mode.ENFORCE, spec=None):
    return one_time_use.filter_hosts(POLICY, mode, hosts, spec or request())


def test_hosts_and_candidates_without_a_good_device_go():
    both = host(candidate("used"), candidate("good"))
    other = host(candidate("used"))
    assert filter_hosts([other, both]) == ([both], [])
    assert both.allocation_candidates == [candidate("good")]


def test_in_another_mode_nothing_is_narrowed():
    both = host(candidate("used"), candidate("good"))
    hosts = [host(candidate("used")), both]
    assert filter_hosts(hosts, Mode.WARN) == (hosts, [])
    assert len(both.allocation_candidates) == 2


def test_each_device_of_a_request_is_looked_at():
    two = request(count=2)
    mixed = host(candidate("good", "used"))
    assert filter_hosts([mixed], spec=two)[0] == []
    whole = host(candidate("good", "good"))
    assert filter_hosts([whole], spec=two)[0] == [whole]


@pytest.mark.parametrize(
    "made",
    [
        lambda: host(candidate("good"), version=69),
        lambda: host(candidate("good"), version=None),
        lambda: without(host(candidate("good")), "service"),
        lambda: without(host(candidate("good")), "pci_stats"),
        lambda: host(candidate("good"), pools=()),
        lambda: host(candidate("good"), pools=({**GOOD, "rp_uuid": None},)),
        # a function of the very device
        lambda: host(
            candidate("good"),
            pools=(GOOD, {**GOOD, "dev_type": "type-VF"}),
        ),
        lambda: host(
            candidate("good"), pools=({**GOOD, "one_time_use": "no"},)
        ),
    ],
)
def test_what_is_no_proof(made):
    left, (violation,) = filter_hosts([made()])
    assert left == []
    assert violation.rules == (PASSTHROUGH_REQUIRE,)
    assert violation.mode is Mode.ENFORCE
    assert violation.cause.text == one_time_use.NO_DEVICE.format(names="gpu")
    assert violation.cause.value == "one_time_use"
    assert violation.cause.source == "flavor extra spec pci_passthrough:alias"


def test_a_nova_that_ignores_the_tag_proves_nothing(monkeypatch):
    monkeypatch.setattr(nova_release, "release", lambda: 31)
    assert filter_hosts([host(candidate("good"))])[0] == []


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (SimpleContainer(), "this server"),
        (spec_of([]), "this server"),
        (spec_of([asked("gpu"), asked("nic"), asked("gpu")]), "gpu, nic"),
    ],
)
def test_whoever_gets_none_is_named(spec, names):
    hosts = [host(candidate("used"))]
    _, (violation,) = filter_hosts(hosts, spec=spec)
    texts = (one_time_use.NO_DEVICE, one_time_use.NO_PLACEMENT)
    expected = [text.format(names=names) for text in texts]
    assert violation.cause.text in expected


def test_a_whole_device_may_have_functions():
    pools = ({**GOOD, "dev_type": "type-PF"},)
    good = host(candidate("good"), pools=pools)
    assert filter_hosts([good]) == ([good], [])


@pytest.mark.parametrize(
    ("hosts", "spec", "text"),
    [
        ([], request(), one_time_use.NO_PLACEMENT),
        ([host({"mappings": {}})], request(), one_time_use.NO_PLACEMENT),
        ([host(candidate("used"))], request(), one_time_use.NO_DEVICE),
        (
            [host(candidate("used"))],
            request(kind="type-VF"),
            one_time_use.FUNCTION,
        ),
        ([host(candidate("good"))], request(kind="vdpa"), None),
    ],
)
def test_why_no_host_is_left(hosts, spec, text):
    left, failed = filter_hosts(hosts, spec=spec)
    assert (not left) is (text is not None)
    assert [each.cause.text for each in failed] == (
        [text.format(names="gpu")] if text else []
    )


def test_a_host_that_is_not_judged_stays_as_it_is():
    ironic = host(candidate("used"), kind="ironic")
    assert filter_hosts([ironic]) == ([ironic], [])
    assert len(ironic.allocation_candidates) == 1


def test_a_failure_in_mode_warn_leaves_the_hosts():
    hosts = [host(candidate("used"))]
    left, (violation,) = filter_hosts(hosts, Mode.WARN)
    assert left == hosts
    assert violation.mode is Mode.WARN


def test_without_a_device_nothing_is_proven():
    bare = SimpleContainer(pci_requests=None)
    _, (violation,) = filter_hosts([host(candidate("good"))], spec=bare)
    assert "for this server" in violation.cause.text
