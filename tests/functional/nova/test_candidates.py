# SPDX-License-Identifier: Apache-2.0
"""Tests of hosts, and of their candidates, for one_time_use devices.

The folder passthrough tests that Nova assigns no other device.
"""

from types import SimpleNamespace

import pytest

from nova_vhard.gates import nova_release, one_time_use
from nova_vhard.policy.model import Mode
from nova_vhard.policy.verdict import PASSTHROUGH_REQUIRE, Cause, Violation
from tests.unit.helpers import policy

POLICY = policy(passthrough={"require": ["one_time_use"]})
GOOD = {"rp_uuid": "good", "dev_type": "type-PCI", "one_time_use": "true"}


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


def host(
    *candidates,
    pools=(GOOD, {"rp_uuid": "used", "dev_type": "type-PCI"}),
    kind="QEMU",
    version=70,
):
    return SimpleNamespace(
        allocation_candidates=list(candidates),
        hypervisor_type=kind,
        pci_stats=SimpleNamespace(pools=list(pools)),
        service={"version": version},
    )


def filter_hosts(hosts, mode=Mode.ENFORCE, spec=None):
    return one_time_use.filter_hosts(POLICY, mode, hosts, spec or request())


def test_hosts_and_candidates_without_a_good_device_go():
    """In another mode nothing is narrowed."""
    for mode, left, candidates in (
        (Mode.WARN, [0, 1], [candidate("used"), candidate("good")]),
        (Mode.ENFORCE, [1], [candidate("good")]),
    ):
        both = host(candidate("used"), candidate("good"))
        hosts = [host(candidate("used")), both]
        expected = [hosts[index] for index in left]
        assert filter_hosts(hosts, mode) == (expected, [])
        assert both.allocation_candidates == candidates


@pytest.mark.parametrize(
    "fields",
    [
        {"service": {"version": 69}},
        {"service": {"version": None}},
        {"service": None},
        {"pci_stats": None},
        *(
            {"pci_stats": SimpleNamespace(pools=pools)}
            for pools in (
                [],
                [{**GOOD, "rp_uuid": None}],
                # a function of the very device
                [GOOD, {**GOOD, "dev_type": "type-VF"}],
                [{**GOOD, "one_time_use": "no"}],
            )
        ),
    ],
    ids=str,
)
def test_what_is_no_proof(fields):
    made = host(candidate("good"))
    vars(made).update(fields)
    left, (violation,) = filter_hosts([made])
    assert left == []
    text = one_time_use.NO_DEVICE.format(names="gpu")
    source = "flavor extra spec pci_passthrough:alias"
    assert violation == Violation(
        (PASSTHROUGH_REQUIRE,),
        Cause("", source, "one_time_use", text),
        Mode.ENFORCE,
    )


def test_a_nova_that_ignores_the_tag_proves_nothing(monkeypatch):
    monkeypatch.setattr(nova_release, "release", lambda: 31)
    assert filter_hosts([host(candidate("good"))])[0] == []


@pytest.mark.parametrize(
    ("hosts", "more", "left"),
    [
        # Each device of a request is looked at.
        (
            [
                host(candidate("good", "used")),
                host(candidate("good", "good")),
            ],
            {"count": 2},
            [1],
        ),
        # A whole device may have functions.
        (
            [
                host(
                    candidate("good"), pools=({**GOOD, "dev_type": "type-PF"},)
                )
            ],
            {},
            [0],
        ),
        ([host(candidate("good"))], {"kind": "vdpa"}, [0]),
        # A host that is not judged stays as it is.
        ([host(candidate("used"), kind="ironic")], {}, [0]),
    ],
    ids=["each", "functions", "vdpa", "ironic"],
)
def test_which_hosts_are_left(hosts, more, left):
    candidates = [[*each.allocation_candidates] for each in hosts]
    result, failed = filter_hosts(hosts, spec=request(**more))
    assert (result, failed) == ([hosts[index] for index in left], [])
    for index in left:
        assert hosts[index].allocation_candidates == candidates[index]


USED_ONLY = host(candidate("used"))


@pytest.mark.parametrize(
    ("hosts", "spec", "text", "names"),
    [
        ([], request(), one_time_use.NO_PLACEMENT, "gpu"),
        (
            [host({"mappings": {}})],
            request(),
            one_time_use.NO_PLACEMENT,
            "gpu",
        ),
        ([USED_ONLY], request(), one_time_use.NO_DEVICE, "gpu"),
        ([USED_ONLY], request(kind="type-VF"), one_time_use.FUNCTION, "gpu"),
        # Without a device nothing is proven.
        *(
            ([USED_ONLY], bare, one_time_use.NO_DEVICE, "this server")
            for bare in (
                SimpleContainer(),
                SimpleContainer(pci_requests=None),
                spec_of([]),
            )
        ),
        (
            [USED_ONLY],
            spec_of([asked("gpu"), asked("nic"), asked("gpu")]),
            one_time_use.NO_DEVICE,
            "gpu, nic",
        ),
    ],
)
def test_why_no_host_is_left(hosts, spec, text, names):
    left, (violation,) = filter_hosts(hosts, spec=spec)
    assert left == []
    assert violation.cause.text == text.format(names=names)
