# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard host list`` and ``show`` on the real Placement."""

import datetime
from types import SimpleNamespace

import pytest
from osc_lib import exceptions

from nova_vhard.catalogue import results, traits
from nova_vhard.catalogue.checks import CHECKS, REQUIRABLE
from nova_vhard.catalogue.profiles import PROFILES
from nova_vhard.host.checks.kernel_aslr import KernelAslr
from nova_vhard.osc.host import listing, show
from nova_vhard.placement import marks
from nova_vhard.placement.fleet import fleet, one_host
from tests.functional.placement.reports import HOUR, IOMMU, NOW

FRESH = traits.of_hour(NOW)
STALE = traits.of_hour(NOW - 9 * HOUR)
COMPUTE = "COMPUTE_NODE"


def some_hosts(cloud):
    cloud.host("b-proven", {COMPUTE, IOMMU, FRESH})
    cloud.host("a-bare", {COMPUTE, FRESH})
    cloud.host("c-stale", {COMPUTE, IOMMU, STALE})
    cloud.host("d-silent", {COMPUTE})
    cloud.host("a storage pool", {"CUSTOM_OTHER"})


@pytest.fixture
def run(openstack, monkeypatch):
    """Return a function that runs a command at the time NOW."""

    class Time(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW

    for module in (listing, show):
        clock = SimpleNamespace(datetime=Time, UTC=datetime.UTC)
        monkeypatch.setattr(module, "datetime", clock)

    return openstack


def test_one_row_a_compute_node(cloud, run):
    some_hosts(cloud)
    columns, rows = run(listing.ListHosts)
    assert columns == ("Host", "Status", "Passed", "Not Passed")
    assert [row[-1].machine_readable() for row in rows] == [
        *([*CHECKS], [*CHECKS][1:], [*CHECKS][1:], [*CHECKS])
    ]
    all_ = f"iommu, interrupt_remapping, and {len(CHECKS) - 2} more"
    but_iommu = f"interrupt_remapping, and {len(CHECKS) - 2} more"
    none, program = f"0/{len(CHECKS)}", f"1/{len(CHECKS)}"
    assert [tuple(map(str, row)) for row in rows] == [
        ("a-bare", "fresh", none, all_),
        ("b-proven", "fresh", program, but_iommu),
        ("c-stale", "stale", program, but_iommu),
        ("d-silent", "silent", none, all_),
    ]


def test_one_column_a_check(cloud, run):
    some_hosts(cloud)
    columns, rows = run(listing.ListHosts, "--long")
    assert columns == ("Host", "Status", *CHECKS, "attested")
    for row in rows:
        cells = zip(REQUIRABLE, row[2:], strict=True)
        passed = {name for name, cell in cells if str(cell) == "PASS"}
        assert passed == ({"iommu"} if row[0][0] in "bc" else set())
    # A check that is asked for has a column, too.
    columns, rows = run(listing.ListHosts, "-c", "Host", "-c", "iommu")
    assert columns == (*listing.LIST, "iommu")
    assert [str(row[-1]) for row in rows] == ["-", "PASS", "PASS", "-"]


def test_who_is_attested(cloud, run):
    """A host with the trait and an unexpired mark; the trait alone fails."""
    hosts = [
        cloud.host(name, {COMPUTE, IOMMU, FRESH, traits.ATTESTED})
        for name in ("a", "b", "c")
    ]
    cloud.host("d", {COMPUTE, traits.ATTESTED})
    until = int(NOW.timestamp())
    # 0: the attestor's verifier demands nothing of it
    for host, end in zip(hosts, (until + 1, until, 0), strict=True):
        mark = marks.make(b"k" * 32, end, [host])
        cloud.placement.create_traits([mark.name])
    words = ("-c", "Host", "-c", "attested", "-c", "iommu")
    columns, rows = run(listing.ListHosts, *words)
    assert columns[-2:] == ("iommu", "attested")
    shown = {row[0]: [str(cell) for cell in row[-2:]] for row in rows}
    assert shown == {
        "a": ["PASS", "PASS"],
        "b": ["PASS", "-"],
        "c": ["PASS", "nothing demanded"],
        "d": ["-", "-"],
    }
    # the attestor's trait is no report
    assert {row[0]: row[1] for row in rows}["d"] == "silent"
    for name, attested in (("a", True), ("c", False)):
        fields = dict(zip(*run(show.ShowHost, name), strict=True))
        assert fields["attested"] is attested


def test_the_hour_of_a_fresh_report(cloud):
    before = traits.of_hour(NOW - HOUR)
    cloud.host("a", {COMPUTE, FRESH, before})
    cloud.host("b", {COMPUTE, before})
    cloud.host("c", {COMPUTE, STALE})
    now = NOW.replace(minute=0)
    times = [host.reported for host in fleet(cloud.placement, NOW, 2, True)]
    assert times == [now, now - HOUR, None]


def test_the_requests_do_not_grow_with_the_fleet(cloud):
    counts = []
    for number in range(12):
        cloud.host(f"host{number}", {COMPUTE, IOMMU, FRESH})
        cloud.requests.clear()
        fleet(cloud.placement, NOW, 2)
        counts.append(len(cloud.requests))
    assert set(counts) == {5}


@pytest.mark.parametrize("by", ["name", "uuid"])
def test_a_host_in_two_requests(cloud, run, by):
    checks = PROFILES["hosts-passthrough"].checks
    ours = {traits.of_check(name) for name in checks}
    uuid = cloud.host("compute-1", {COMPUTE, FRESH, STALE, *ours})
    cloud.requests.clear()
    named = {"name": "compute-1", "uuid": uuid}[by]
    fields = dict(zip(*run(show.ShowHost, named), strict=True))
    assert len(cloud.requests) == 2
    assert fields["host"] == "compute-1"
    assert fields["status"] == "fresh"
    assert fields["report"] == "in the hour from 2026-06-15 12:00 UTC"
    assert fields["meets"] == "hosts-passthrough"
    passed = {
        name for name in CHECKS if fields[name].machine_readable()["passed"]
    }
    assert passed == set(checks) & set(CHECKS)
    assert str(fields["iommu"]) == "PASS: DMA remapping is on"
    # it does not say why there is no other trait
    assert fields["kernel_aslr"].machine_readable()["status"] == "UNKNOWN"


def test_a_host_that_tells_its_failures_apart(cloud, run):
    answers = {
        "iommu": "PASS",
        "kernel_aslr": "FAIL",
        "mac_images": "NOT_APPLICABLE",
        "qemu_nx": "UNKNOWN",
    }
    text = results.encode(answers)
    cloud.host("compute-1", {COMPUTE, FRESH, IOMMU, *text})
    cloud.host("old", {COMPUTE, STALE, IOMMU, *text})
    cloud.host("liar", {COMPUTE, FRESH, *text})
    fields = dict(zip(*run(show.ShowHost, "compute-1"), strict=True))
    shown = {name: " ".join(str(fields[name]).split()) for name in answers}
    assert shown["iommu"] == "PASS: DMA remapping is on"
    info = KernelAslr()
    assert shown["kernel_aslr"] == (
        f"FAIL (passes if: {info.title}), {info.id} means: {info.meaning} "
        f"to fix: {info.remediation}"
    )
    assert shown["mac_images"].startswith("NOT_APPLICABLE (passes if: ")
    assert "to fix" not in shown["mac_images"]
    # of what nobody could tell no remedy is known
    assert shown["qemu_nx"].startswith("UNKNOWN (passes if: ")
    assert "to fix" not in shown["qemu_nx"]
    assert "nova-vhard-reporter check on the host" in shown["qemu_nx"]
    # and the fleet says the same, by requests that do not grow with it
    hosts = {
        host.name: {name: host.result(name) for name in answers}
        for host in fleet(cloud.placement, NOW, 2, results=True)
    }
    unknown = dict.fromkeys(answers, "UNKNOWN")
    assert hosts == {
        "compute-1": answers,
        "liar": answers | {"iommu": "UNKNOWN"},
        "old": unknown,
    }


@pytest.mark.parametrize(
    ("has", "status", "text"),
    [
        ({IOMMU, STALE}, "stale", "more than 2 hours ago: the results"),
        ({IOMMU}, "stale", "none with a valid time"),
        (set(), "silent", "check that nova-vhard-reporter runs"),
    ],
)
def test_a_host_whose_report_does_not_count(cloud, run, has, status, text):
    cloud.host("compute-1", {COMPUTE, *has})
    fields = dict(zip(*run(show.ShowHost, "compute-1"), strict=True))
    assert fields["status"] == status
    assert text in fields["report"]
    # its remaining traits do not prove anything
    assert fields["meets"] == "none"
    result = one_host(cloud.placement, "compute-1", NOW, 2)
    assert result.proven == frozenset()
    # nor is any check shown as passed, to a person or to a machine
    value = fields["iommu"].machine_readable()
    assert (value["passed"], value["status"]) == (False, "UNKNOWN")
    assert str(fields["iommu"]).startswith("UNKNOWN (passes if: ")


def test_a_host_that_is_not_there(run):
    with pytest.raises(exceptions.CommandError) as raised:
        run(show.ShowHost, "nobody & all=1")
    assert "there is no host nobody & all=1" in str(raised.value)
