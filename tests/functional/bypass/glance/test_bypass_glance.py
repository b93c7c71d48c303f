# SPDX-License-Identifier: Apache-2.0
"""Rows 1, 2, 3, 9, 20 and 27: what Glance's side closes.

Each try is made at Glance as it ships, too, where it must succeed. More ways
to write these requests are in ``tests/functional/glance/encodings.py``.
"""

from typing import Any

import pytest

from tests.functional.bypass.glance.attempts import refused
from tests.functional.bypass.glance.conftest import Import
from tests.functional.glance.wire import (
    CHUNKED,
    PATCH_20,
    User,
    Wire,
    add,
    create,
    update,
)

PATCHES = {
    "plain": update(add("/hw_disk_bus", "ide")),
    "two slashes": update(add("//hw_disk_bus", "ide")),
    "blank": update(add("/ hw_disk_bus", "ide")),
    "chunked": update(add("/hw_disk_bus", "ide"), framing=CHUNKED),
    "version 2.0": update(
        body=b'[{"add": "/hw_disk_bus", "value": "ide"}]',
        content_type=PATCH_20,
    ),
}


@pytest.mark.parametrize(
    ("name", "value"), [("hw_disk_bus", "ide"), ("hw_vif_model", "e1000")]
)
def test_bypass_01_property_on_upload(
    gated: User, plain: User, name: str, value: str
) -> None:
    refused(gated, plain, create({name: value}), name, value)


@pytest.mark.parametrize("wire", PATCHES.values(), ids=PATCHES.keys())
def test_bypass_02_property_by_patch(
    gated: User, plain: User, wire: Wire
) -> None:
    refused(gated, plain, wire)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vmware_adaptertype", "ide"),
        ("hw_vif_model", "VirtualE1000"),
        ("hw_vif_model", "E1000"),
        ("hw_scsi_model", "LsiLogic"),
    ],
)
def test_bypass_03_legacy_names_and_case(
    gated: User, plain: User, name: str, value: str
) -> None:
    refused(gated, plain, create({name: value}), name, value)


def test_bypass_09_property_injected_by_the_import_task(
    gated: User, import_task: Import
) -> None:
    image, text = import_task(gated, ["inject_image_metadata", "vhard"])
    assert "hw_disk_bus='ide' is not allowed" in text
    assert image["status"] != "active"


def test_bypass_09_without_the_plugin_it_becomes_active(
    plain: User, import_task: Import
) -> None:
    image, _ = import_task(plain, ["inject_image_metadata"])
    assert (image["status"], image["hw_disk_bus"]) == ("active", "ide")


@pytest.mark.parametrize("model", ["intel", "smmuv3", "auto"])
def test_bypass_20_viommu_that_switches_novas_prefilter_off(
    gated: User, plain: User, model: str
) -> None:
    name = "hw_viommu_model"
    refused(gated, plain, create({name: model}), name, model)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_bypass_27_method_in_the_query_string_of_glance(
    gated: User, plain: User, method: str
) -> None:
    wire = create(
        {"hw_disk_bus": "ide"}, method=method, path="/v2/images?_method=POST"
    )
    answer: Any = gated.send(wire)
    assert answer.status_int == 400
    assert "_method" in answer.json["badRequest"]["message"]
    assert plain.images() == []
    assert plain.send(wire).status_int == 201
