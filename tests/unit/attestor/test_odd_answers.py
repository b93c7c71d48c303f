# SPDX-License-Identifier: Apache-2.0
"""A Placement, or a proxy before it, that answers with another shape."""

import functools
import json
import logging
from types import SimpleNamespace
from unittest import mock

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


def test_a_round_that_has_such_an_answer_is_an_error(tmp_path, caplog):
    """It is in the log, and the next one comes."""
    caplog.set_level(logging.ERROR)
    cloud = Odd(resource_providers=[GOOD, {}])
    assert not Desk(cloud, tmp_path).attestor().once()
    ((_, line),) = logged.lines(caplog, "nova_vhard.attestor.service")
    assert "not a list of providers" in line


NO_NAMES = [None, 7, [], {}]
NO_NUMBERS = [None, -1, 0.9, "1", True, float("nan"), float("inf"), [1], {}]
NO_ROOT = {**GOOD, "root_provider_uuid": None}
FIELDS = {"total": 1, "reserved": 1}
WRITE = (Inventory(HOST, "CUSTOM_X", 1, {"total": 1, "reserved": 0}), 1)
#: What an answer has, the method that asks for it, and what it says.
ANSWERS = [
    *(
        ({"traits": [TRAIT, name]}, method, arguments, "not a list of traits")
        for name in NO_NAMES
        for method, arguments in (
            ("known", ({TRAIT},)),
            ("traits_of", (HOST,)),
        )
    ),
    *(
        (
            {"resource_providers": [GOOD, entry]},
            method,
            (argument,),
            "not a list of providers",
        )
        for entry in (*PROVIDERS, NO_ROOT)
        for method, argument in (
            ("providers", {TRAIT}),
            ("below_roots", TRAIT),
        )
        if (entry, method) != (NO_ROOT, "providers")
    ),
    *(
        (
            {"resource_provider_generation": number},
            "traits_of",
            (HOST,),
            "not traits",
        )
        for number in NO_NUMBERS
    ),
    *(
        (
            {"inventories": {"CUSTOM_X": {**FIELDS, name: number}}},
            "inventories",
            (HOST,),
            "not inventories",
        )
        for name in FIELDS
        for number in NO_NUMBERS
    ),
    # A write that is not known to be done.
    *(
        ({**FIELDS, "reserved": number}, "reserve", WRITE, "not what was wri")
        for number in NO_NUMBERS
    ),
]


@pytest.mark.parametrize(("body", "method", "arguments", "said"), ANSWERS)
def test_an_answer_of_another_shape(body, method, arguments, said):
    with pytest.raises(PlacementError, match=said):
        getattr(Placement(Odd(**body)), method)(*arguments)


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


@pytest.mark.parametrize(
    ("method", "argument"),
    [("traits_of", HOST), ("providers", {TRAIT}), ("inventories", HOST)],
)
def test_an_answer_that_is_nested_without_end(method, argument):
    answer = mock.Mock(status_code=200)
    answer.json = functools.partial(json.loads, "[" * 200_000)
    client = mock.Mock()
    client.get.return_value = answer
    with pytest.raises(PlacementError, match="not a JSON object"):
        getattr(Placement(client), method)(argument)
