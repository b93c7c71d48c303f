# SPDX-License-Identifier: Apache-2.0
"""Our Placement module on the real Placement."""

import functools

import pytest

from nova_vhard.catalogue.traits import ATTESTED
from nova_vhard.placement.client import (
    ATTEMPTS,
    HOST,
    PlacementError,
    Provider,
)
from tests.functional.placement.reports import FOREIGN, IOMMU, SAMPLE

ASLR = "CUSTOM_VHARD_KERNEL_ASLR"
HOUR = "CUSTOM_VHARD_REPORTED_2026061512"


def test_which_names_exist(cloud):
    """Asked in parts: each URL is a request that every server takes."""
    cloud.host("a", {IOMMU, "CUSTOM_VHARDLY", SAMPLE})
    many = {f"CUSTOM_VHARD_{number:0240}" for number in range(25)}
    cloud.requests.clear()
    assert cloud.placement.known({*many, IOMMU, ASLR, SAMPLE}) == {
        IOMMU,
        SAMPLE,
    }
    sizes = [len(url) for _, url in cloud.requests]
    assert len(sizes) == 3
    assert max(sizes) < 2600
    assert cloud.placement.known(()) == frozenset()


def test_providers_with_all_of_some_and_any_of_others(cloud):
    both = cloud.host("both", {IOMMU, ASLR, HOUR})
    cloud.host("stale", {IOMMU, ASLR})
    cloud.host("half", {IOMMU, HOUR})
    result = cloud.placement.providers({IOMMU, ASLR}, {HOUR})
    assert result == [Provider(both, "both")]
    assert len(cloud.placement.providers({IOMMU})) == 3
    # No provider has a name that does not exist.
    assert cloud.placement.providers({"CUSTOM_VHARD_NOVEL"}) == []
    assert cloud.placement.providers({"CUSTOM_VHARD_NOVEL"}, {IOMMU}) == []


def test_names_that_come_and_go_hide_no_provider(cloud):
    """A host makes and deletes names of its own between the questions."""
    many = [f"CUSTOM_VHARD_{number:060}" for number in range(64)]
    hosts = {
        cloud.host(f"h{number}", {many[number], *many[20:50]})
        for number in (3, 62)
    }
    flapping = many[5:7]
    times = []

    def flap(method, url):
        if method == "GET" and url.startswith("/resource_providers?"):
            times.append(url)
            (name,) = flapping[len(times) % 2 :][:1]
            if cloud.placement.known({name}):
                cloud.placement.delete_trait(name)
            else:
                cloud.placement.create_traits({name})

    for name in many:
        cloud.placement.create_traits({name})
    cloud.faults.append(flap)
    found = cloud.placement.providers((), many)
    assert {each.uuid for each in found} == hosts
    assert len(found) == len(hosts)
    # Each part is halved seven times at most, for each of the two names.
    assert 2 < len(times) <= 2 * (1 + 2 * 7 * 2)


@pytest.mark.parametrize("status", [400, 404, 503])
def test_another_error_is_not_that_of_a_name(cloud, status):
    cloud.host("one", {IOMMU, ASLR})
    cloud.refuse("", "", status, "Bad Request")
    cloud.requests.clear()
    with pytest.raises(PlacementError, match=f"status {status}"):
        cloud.placement.providers((), {IOMMU, ASLR})
    assert len(cloud.requests) == 1


def test_a_trait_that_placement_is_too_old_to_know_is_nobodys(cloud):
    placement = cloud.placement
    assert placement.below_roots("HW_OF_NEXT_YEAR", cloud.host("one")) == []
    assert placement.below_roots("HW_OF_NEXT_YEAR") == []
    # Another mistake beside a trait is an error.
    with pytest.raises(PlacementError, match="400"):
        placement.below_roots("COMPUTE_MANAGED_PCI_DEVICE", "no-uuid")


def test_an_update_touches_nothing_of_anybody_elses(cloud):
    provider = cloud.host("a", {*FOREIGN, ASLR, HOUR})
    change = cloud.placement.update(provider, lambda ours: {IOMMU, HOUR})
    assert change.added == {IOMMU}
    assert change.removed == {ASLR}
    assert cloud.traits(provider)[0] == {*FOREIGN, IOMMU, HOUR}
    # No difference, no write.
    cloud.requests.clear()
    assert not cloud.placement.update(provider, lambda ours: {IOMMU, HOUR})
    assert [method for method, _ in cloud.requests] == ["GET"]


def test_no_foreign_name_is_written_or_deleted(cloud):
    host = cloud.host("a", {ATTESTED, IOMMU})
    with pytest.raises(ValueError, match="not ours"):
        cloud.placement.delete_trait(SAMPLE)
    with pytest.raises(ValueError, match="not ours to write"):
        cloud.placement.update(host, lambda ours: {ATTESTED}, HOST)


@pytest.mark.parametrize("times", [1, ATTEMPTS - 1])
def test_another_writer_in_between_is_merged_with(cloud, times):
    provider = cloud.host("a", FOREIGN)
    left = [None] * times

    def intrude():
        left.pop()
        now, _ = cloud.traits(provider)
        cloud.give(provider, now ^ {"CUSTOM_INTRUDER"})
        if left:
            cloud.before("PUT", f"{provider}/traits", intrude)

    cloud.before("PUT", f"{provider}/traits", intrude)
    cloud.placement.update(provider, lambda ours: {IOMMU})
    expected = (
        FOREIGN | {IOMMU} | ({"CUSTOM_INTRUDER"} if times % 2 else set())
    )
    assert cloud.traits(provider)[0] == expected


@pytest.mark.parametrize("status", [409, 500])
def test_a_writer_that_never_stops_is_an_error_and_nothing_is_lost(
    cloud, status
):
    provider = cloud.host("a", FOREIGN)
    asked = cloud.refuse("PUT", f"{provider}/traits", status, "race")
    with pytest.raises(PlacementError, match=f"{status}: race"):
        cloud.placement.update(provider, lambda ours: {IOMMU})
    assert len(asked) == ATTEMPTS
    cloud.faults.clear()
    assert cloud.traits(provider)[0] == FOREIGN


def test_a_name_that_a_sweep_deleted_in_between_is_made_anew(cloud):
    provider = cloud.host("a", FOREIGN)
    sweep = functools.partial(cloud.send, "DELETE", f"/traits/{IOMMU}")
    cloud.before("PUT", f"{provider}/traits", sweep)
    cloud.placement.update(provider, lambda ours: {IOMMU})
    assert cloud.traits(provider)[0] == {*FOREIGN, IOMMU}


CALLS = (
    ("known", {IOMMU}),
    ("providers", {IOMMU}),
    ("provider", None, "a"),
    ("update", "a", frozenset),
)


@pytest.mark.parametrize(
    "answer",
    [
        (),
        (200, "<html>"),
        (200, "[]"),
        (200, '{"traits": 7}'),
        (200, '{"resource_providers": [7]}'),
        (403, "no"),
        (503, "down"),
    ],
)
def test_no_answer_or_garbage_is_one_kind_of_error(cloud, answer):
    cloud.refuse("", "", *answer)
    for method, *arguments in CALLS:
        with pytest.raises(PlacementError):
            getattr(cloud.placement, method)(*arguments)


def test_a_trait_in_use_is_not_deleted(cloud):
    cloud.host("a", {IOMMU})
    cloud.put(f"/traits/{ASLR}", None, "1.39")
    assert not cloud.placement.delete_trait(IOMMU)
    assert cloud.placement.delete_trait(ASLR)
    assert cloud.placement.delete_trait(ASLR)
    assert cloud.names() == {IOMMU}
