# SPDX-License-Identifier: Apache-2.0
"""A Placement, or a proxy before it, that answers with another shape."""

import json
import logging
from types import SimpleNamespace

import pytest

from nova_vhard.placement.client import Inventory, Placement, PlacementError
from tests import logged
from tests.functional.placement.attestors import COMPUTE, TRAIT, Desk

HOST = "f0f1c2a4-5c5c-4a7e-9b43-4bd0e2f60d11"
GOOD = {"uuid": HOST, "name": "compute1", "root_provider_uuid": HOST}
PROVIDERS = [
    {},
    {"uuid": HOST},
    {**GOOD, "name": None},
    {**GOOD, "name": {}},
    {**GOOD, "uuid": None},
    {**GOOD, "uuid": 7},
    {**GOOD, "uuid": [HOST]},
    {**GOOD, "uuid": ""},
    {**GOOD, "uuid": f"../traits/{HOST}"},
    {**GOOD, "uuid": f"{HOST}\n"},
    {**GOOD, "uuid": "a" * 1000},
]


class Odd:
    """Answers every request with one body."""

    def __init__(self, **body):
        body.setdefault("traits", [COMPUTE, TRAIT])
        body.setdefault("resource_providers", [GOOD])
        self._body = {"resource_provider_generation": 1, **body}

    def get(self, *_, **__):
        return SimpleNamespace(
            status_code=200, text="", json=lambda: self._body
        )

    put = delete = get


@pytest.mark.parametrize("entry", PROVIDERS)
def test_a_provider_that_is_none(entry, tmp_path, caplog):
    cloud = Odd(resource_providers=[GOOD, entry])
    with pytest.raises(PlacementError, match="not a list of providers"):
        Placement(cloud).providers({TRAIT})
    with pytest.raises(PlacementError, match="not a list of providers"):
        Placement(cloud).below_roots(TRAIT)
    # then a round is an error in the log, and the next one comes
    caplog.set_level(logging.ERROR)
    assert not Desk(cloud, tmp_path).attestor().once()
    ((_, line),) = logged.lines(caplog, "nova_vhard.attestor.service")
    assert "not a list of providers" in line


@pytest.mark.parametrize("name", [None, 7, [], {}])
def test_a_trait_that_is_none(name):
    placement = Placement(Odd(traits=[TRAIT, name]))
    with pytest.raises(PlacementError, match="not a list of traits"):
        placement.known({TRAIT})
    with pytest.raises(PlacementError, match="not a list of traits"):
        placement.traits_of(HOST)


def test_a_root_that_is_none():
    entry = {**GOOD, "root_provider_uuid": None}
    placement = Placement(Odd(resource_providers=[entry]))
    with pytest.raises(PlacementError, match="not a list of providers"):
        placement.below_roots(TRAIT)


@pytest.mark.parametrize(
    ("uuid", "name"),
    [(HOST[:-1] + "2", None), (None, "compute2"), (None, "compute10")],
)
def test_another_provider_than_was_asked_for(uuid, name):
    placement = Placement(Odd())
    with pytest.raises(PlacementError, match=r"it was asked for .*, and has"):
        placement.provider(uuid, name)


@pytest.mark.parametrize(
    ("uuid", "name"), [(HOST, None), (HOST.upper(), None), (None, "Compute1")]
)
def test_a_database_that_does_not_know_case(uuid, name):
    assert Placement(Odd()).provider(uuid, name).uuid == HOST


NO_NUMBERS = [None, -1, 0.9, "1", True, float("nan"), float("inf"), [1], {}]


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_a_generation_that_is_none(number):
    placement = Placement(Odd(resource_provider_generation=number))
    with pytest.raises(PlacementError, match="not traits"):
        placement.traits_of(HOST)


@pytest.mark.parametrize("name", ["total", "reserved"])
@pytest.mark.parametrize("number", NO_NUMBERS)
def test_an_inventory_that_is_none(name, number):
    fields = {"total": 1, "reserved": 1, name: number}
    placement = Placement(Odd(inventories={"CUSTOM_X": fields}))
    with pytest.raises(PlacementError, match="not inventories"):
        placement.inventories(HOST)


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_a_write_that_is_not_known_to_be_done(number):
    fields = {"total": 1, "reserved": 0}
    placement = Placement(Odd(**fields | {"reserved": number}))
    inventory = Inventory(HOST, "CUSTOM_X", 1, fields)
    with pytest.raises(PlacementError, match="not what was written"):
        placement.reserve(inventory, 1)


def test_an_answer_that_is_nested_without_end():
    def deep():
        return json.loads("[" * 200_000)

    answer = SimpleNamespace(status_code=200, text="", json=deep)
    client = SimpleNamespace(get=lambda *_, **__: answer)
    for ask in (
        lambda placement: placement.traits_of(HOST),
        lambda placement: placement.providers({TRAIT}),
        lambda placement: placement.inventories(HOST),
    ):
        with pytest.raises(PlacementError, match="not a JSON object"):
            ask(Placement(client))
