# SPDX-License-Identifier: Apache-2.0
"""The pure parts of the benchmark of hostile requests."""

import json
from collections import Counter

import pytest

from tests.benchmarks import (
    abuse,
    abuse_cost,
    abuse_glance_cases,
    abuse_nova_boots,
    abuse_nova_cases,
)
from tests.benchmarks.abuse_case import filled, grown, seeded
from tests.benchmarks.abuse_cost import Cost, Finding
from tests.fuzz.mutate import Mutator
from tests.fuzz.service import environment

KIB = 1024


def finding(gate, plain, name="x"):
    return Finding(name, Cost(*gate), Cost(*plain))


@pytest.mark.parametrize(
    ("gate_s", "plain_s", "beyond"),
    [
        (0.0499, 0.01, False),
        (0.0501, 0.01, True),
        # 20 ms are always free.
        (0.0199, 0.0001, False),
        (0.0201, 0.0001, True),
    ],
)
def test_five_times_the_processor_time_but_20_ms_are_free(
    gate_s, plain_s, beyond
):
    assert finding((gate_s, 1), (plain_s, 1)).beyond is beyond


def test_what_is_refused_unread_may_take_three_times():
    name = "nova_boot_unread_images"
    for gate_s, plain_s, beyond in (
        (0.0299, 0.01, False),
        (0.0301, 0.01, True),
        (0.0199, 0.0001, False),
        (0.0201, 0.0001, True),
    ):
        result = finding((gate_s, 1), (plain_s, 1), name)
        assert result.beyond is beyond
        lines = abuse.bars(abuse_cost.figures([result]))
        assert bool(lines) is beyond


@pytest.mark.parametrize("plain", [0, 300, 10**6])
def test_ten_times_the_bytes_and_64_kib(plain):
    most = 10 * plain + 64 * KIB
    assert not finding((0, most), (0, plain)).beyond
    assert finding((0, most + 1), (0, plain)).beyond


def test_the_worst_and_all_that_are_beyond_have_figures():
    result = abuse_cost.figures(
        [
            finding((0.1, 10, 403, 7), (0.01, 10), "slow"),
            finding((0.01, 10**6, 403, 1), (0.01, 10), "long"),
            finding((0.01, 10), (0.01, 10), "good"),
        ]
    )
    assert result["worst_cpu_case"] == "slow"
    assert result["worst_cpu_ratio"] == result["slow_cpu_ratio"] == 10
    assert result["worst_bytes_case"] == "long"
    assert (result["most_lookups"], result["most_lookups_case"]) == (7, "slow")
    assert (result["cases"], result["cases_beyond"]) == (3, 2)
    assert not [name for name in result if name.startswith("good")]


def test_each_that_is_beyond_is_a_missed_bar():
    good = finding((0.01, 10), (0.01, 10), "good")
    assert abuse.bars(abuse_cost.figures([good])) == []
    slow = finding((0.1, 10), (0.01, 10), "slow")
    lines = abuse.bars(abuse_cost.figures([good, slow]))
    assert lines == [
        "worst_cpu_ratio: 10.0, at most 5 wanted",
        "slow_cpu_ratio: 10.0, at most 5 wanted",
    ]


def test_a_finding_comes_back_as_it_was_saved():
    slow = finding((0.1, 10, 403, 2), (0.01, 10, 201))
    saved = json.loads(json.dumps(slow.saved()))
    assert abuse_cost.load(saved) == slow


def nova_cases():
    images = {"long": "id"}
    yield from abuse_nova_boots.unread("id", ["disk"])
    yield from abuse_nova_boots.networks("id")
    yield from abuse_nova_boots.devices("id")
    yield from abuse_nova_boots.bodies("id")
    yield from abuse_nova_cases.stored(images)
    yield from abuse_nova_cases.changes("id")


def glance_cases():
    yield from abuse_glance_cases.posts()
    yield from abuse_glance_cases.raw()
    yield from abuse_glance_cases.patches("id")


@pytest.mark.parametrize("cases", [nova_cases, glance_cases])
def test_names_are_figures_and_no_two_are_alike(cases):
    result = Counter(case.name for case in cases())
    assert set(result.values()) == {1}
    assert all(name.replace("_", "a").isalnum() for name in result)
    assert "".join(result) == "".join(result).lower()


def test_nova_reads_the_bodies():
    large = [case.name for case in nova_cases() if len(case.body) > 114_688]
    # The size that Nova refuses unread is one of the cases.
    assert large == ["nova_too_long"]


def odd(mutator):
    body = json.dumps({"a": ["b"], "c": mutator.random.random()}).encode()
    return environment("POST", "/x", body, "application/json"), body


def test_the_seed_makes_the_same_requests_and_every_other_one_is_large():
    first, again = (list(seeded(odd, 8, "p", 9999)) for _ in range(2))
    assert first == again
    sizes = [len(case.body) for case in first]
    assert max(sizes[::2]) < 99 and max(sizes[1::2]) > 5000
    for case in first:
        made = case.made()
        assert made["CONTENT_LENGTH"] == str(len(case.body))
        assert made["wsgi.input"].read() == case.body


@pytest.mark.parametrize("body", [b"", b"no json", b"[" * 9999, b"1"])
def test_what_has_no_place_to_grow_stays(body):
    assert grown(Mutator(1), body, 99_999) == body


def test_filled_takes_so_many_bytes():
    for size in (100, 10_000):
        text = json.dumps(filled(lambda number: {"n": number}, size))
        assert size - 30 < len(text) <= size
