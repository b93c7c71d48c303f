# SPDX-License-Identifier: Apache-2.0
"""Our Placement module on the real Placement."""

import threading

import pytest

from nova_vhard.placement.client import (
    ATTEMPTS,
    PlacementError,
    Provider,
    ProviderNotFound,
)
from tests.functional.placement.conftest import Answer
from tests.functional.placement.reports import IOMMU, SAMPLE

ASLR = "CUSTOM_VHARD_KERNEL_ASLR"
HOUR = "CUSTOM_VHARD_REPORTED_2026061512"
FOREIGN = {SAMPLE, "CUSTOM_OF_SOMEBODY_ELSE", "COMPUTE_NODE"}


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


def test_the_providers_of_many_names_are_those_of_each_part(cloud):
    many = [f"CUSTOM_VHARD_{number:0240}" for number in range(25)]
    both = cloud.host("both", {IOMMU, *many})
    last = cloud.host("last", {IOMMU, many[-1]})
    cloud.host("other", {many[0]})
    cloud.requests.clear()
    found = cloud.placement.providers({IOMMU}, many)
    assert {each.uuid for each in found} == {both, last}
    assert len(found) == 2
    assert max(len(url) for _, url in cloud.requests) < 2700


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
    # Each part is halved seven times at most, for each of the two names.
    assert 2 < len(times) <= 2 * (1 + 2 * 7 * 2)


@pytest.mark.parametrize("status", [400, 404, 503])
def test_another_error_is_not_that_of_a_name(cloud, status):
    cloud.host("one", {IOMMU, ASLR})
    cloud.faults.append(lambda method, url: Answer(status, "Bad Request"))
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


def test_one_provider_by_uuid_and_by_name(cloud):
    provider = cloud.host("a host")
    assert cloud.placement.provider(uuid=provider).name == "a host"
    assert cloud.placement.provider(name="a host").uuid == provider
    with pytest.raises(ProviderNotFound, match="name=b"):
        cloud.placement.provider(name="b")


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


def test_strangers_are_refused(cloud):
    provider = cloud.host("a")
    with pytest.raises(ValueError, match="not ours"):
        cloud.placement.update(provider, lambda ours: {"CUSTOM_OTHER"})
    with pytest.raises(ValueError, match="not ours"):
        cloud.placement.delete_trait(SAMPLE)


@pytest.mark.parametrize("times", [1, ATTEMPTS - 1])
def test_another_writer_in_between_is_merged_with(cloud, times):
    provider = cloud.host("a", FOREIGN)
    left = [times]

    def intrude(method, url):
        if method == "PUT" and url.endswith("/traits") and left[0]:
            left[0] -= 1
            cloud.faults.remove(intrude)
            now, _ = cloud.traits(provider)
            cloud.give(provider, now ^ {"CUSTOM_INTRUDER"})
            cloud.faults.append(intrude)

    cloud.faults.append(intrude)
    cloud.placement.update(provider, lambda ours: {IOMMU})
    expected = (
        FOREIGN | {IOMMU} | ({"CUSTOM_INTRUDER"} if times % 2 else set())
    )
    assert cloud.traits(provider)[0] == expected


def test_a_race_that_placement_answers_500_to_is_tried_again(cloud):
    provider = cloud.host("a", FOREIGN)
    answers = [Answer(500, "race"), Answer(409, "conflict")]

    def race(method, url):
        wanted = method == "PUT" and url.endswith("/traits")
        return answers.pop() if wanted and answers else None

    cloud.faults.append(race)
    cloud.placement.update(provider, lambda ours: {IOMMU})
    assert cloud.traits(provider)[0] == {*FOREIGN, IOMMU}


def test_a_name_that_a_sweep_deleted_in_between_is_made_anew(cloud):
    provider = cloud.host("a", FOREIGN)

    def sweep(method, url):
        if method == "PUT" and url.endswith("/traits"):
            cloud.faults.clear()
            cloud.delete(f"/traits/{IOMMU}", "1.39")

    cloud.faults.append(sweep)
    cloud.placement.update(provider, lambda ours: {IOMMU})
    assert cloud.traits(provider)[0] == {*FOREIGN, IOMMU}


def test_a_writer_that_never_stops_is_an_error_and_nothing_is_lost(cloud):
    provider = cloud.host("a", FOREIGN)

    def refuse(method, url):
        wanted = method == "PUT" and url.endswith("/traits")
        return Answer(409, "again") if wanted else None

    cloud.faults.append(refuse)
    with pytest.raises(PlacementError, match="409: again"):
        cloud.placement.update(provider, lambda ours: {IOMMU})
    cloud.faults.clear()
    assert cloud.traits(provider)[0] == FOREIGN


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (None, ""),
        (200, "<html>"),
        (200, "[]"),
        (200, '{"traits": 7}'),
        (200, '{"resource_providers": [7]}'),
        (403, "no"),
        (503, "down"),
    ],
)
def test_no_answer_or_garbage_is_one_kind_of_error(cloud, status, text):
    provider = cloud.host("a", FOREIGN)

    def fault(method, url):
        if status is None:
            raise ConnectionError("unreachable")
        return Answer(status, text)

    cloud.faults.append(fault)
    placement = cloud.placement
    for call in (
        lambda: placement.known({IOMMU}),
        lambda: placement.providers({IOMMU}),
        lambda: placement.provider(name="a"),
        lambda: placement.update(provider, lambda ours: {IOMMU}),
    ):
        with pytest.raises(PlacementError):
            call()
    cloud.faults.clear()
    assert cloud.traits(provider)[0] == FOREIGN


def test_a_trait_in_use_is_not_deleted(cloud):
    cloud.host("a", {IOMMU})
    cloud.put(f"/traits/{ASLR}", None, "1.39")
    assert not cloud.placement.delete_trait(IOMMU)
    assert cloud.placement.delete_trait(ASLR)
    assert cloud.placement.delete_trait(ASLR)
    assert cloud.names() == {IOMMU}


def test_many_threads_write_one_host(cloud):
    """A true race is answered 409 or 500; every writer gets through."""
    provider = cloud.host("a", FOREIGN)
    lock = threading.Lock()
    inner = cloud._send

    def serialized(*args, **more):
        # SQLite in memory has one connection.
        with lock:
            return inner(*args, **more)

    cloud._send = serialized
    failed = []

    def write(name):
        try:
            cloud.placement.update(provider, lambda ours: {*ours, name})
        except PlacementError as error:
            failed.append(error)

    names = [f"CUSTOM_VHARD_T{number}" for number in range(4)]
    threads = [threading.Thread(target=write, args=(each,)) for each in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert cloud.traits(provider)[0] == {*FOREIGN, *names}
