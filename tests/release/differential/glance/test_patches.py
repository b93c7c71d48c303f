# SPDX-License-Identifier: Apache-2.0
"""The Glance gate judges the image that Glance stores.

Each example is one image and one JSON patch of it, sent through Glance's own
application with the gate in it.  The gate's policy refuses nothing; its judge
records the images that it receives.  Glance's response shows the stored image.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import strategies as some

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.gates.enforcer import PolicyEnforcer
from nova_vhard.policy.hardware import NOBODY, HardwareRequest
from nova_vhard.request import image as reader
from tests import seeds
from tests.functional.glance import service
from tests.functional.glance.wire import (
    CHUNKED,
    LENGTH,
    PATCH_20,
    PATCH_21,
    User,
    Wire,
    create,
)

TRIED: Counter[str] = Counter()

# Names and values come from small sets, so that operations meet: one adds what
# the next replaces, two spellings name the same property, a legacy name covers
# a current one.
_NAMES = (
    "hw_disk_bus",
    "hw_cdrom_bus",
    "hw_scsi_model",
    "hw_vif_model",
    "hw_machine_type",
    "img_config_drive",
    "vmware_adaptertype",
    "architecture",
    "hw_architecture",
    "block_device_mapping",
    "mappings",
)
#: Names that look like the above but are not.
_NEARLY = (
    "HW_DISK_BUS",
    "Hw_vif_model",
    "hw_disk_bus ",
    " hw_disk_bus",
    "hw/disk_bus",
    "hw~disk_bus",
    "hw_disk\u200b_bus",
    "hw_d\u0456sk_bus",
    "extra_properties",
    "x",
)
_VALUES = (
    "ide",
    "IDE",
    "virtio",
    "scsi",
    "lsiLogic",
    "VirtualE1000",
    "pc",
    "q35",
    "mandatory",
    "",
    " ide",
    "ide\u0000",
    "\u0131de",
    '[{"disk_bus": "ide"}]',
    '[{"device_type": "cdrom"}]',
)
_BASE = {"name": ("a", "b"), "disk_format": ("iso", "raw"), "min_ram": (1,)}

_names = some.sampled_from(_NAMES * 3 + _NEARLY)
# Glance accepts most of each example: one part that it rejects hides all the
# rest.
_values = some.sampled_from(_VALUES * 5 + (7, None, True))
_few = some.sampled_from(_NAMES[:3])


@some.composite
def _text(draw: Any, value: Any) -> str:
    """Write a value as JSON, in one of the ways to write it."""
    if isinstance(value, str) and draw(some.integers(0, 3)) == 0:
        return '"' + "".join(f"\\u{ord(char):04x}" for char in value) + '"'
    return json.dumps(value, ensure_ascii=draw(some.booleans()))


@some.composite
def _object(draw: Any, pairs: list[tuple[str, Any]]) -> str:
    """Write an object with its keys in this order, duplicates included."""
    parts = [
        f"{draw(_text(key))}{draw(_blank)}:{draw(_blank)}{draw(_text(value))}"
        for key, value in pairs
    ]
    return "{" + ",".join(parts) + "}"


_blank = some.sampled_from(("", " ", "\n\t"))


#: Text around a name in a JSON pointer that Glance accepts.
_BEFORE = some.sampled_from(("/",) * 12 + ("//", "/ ", " /", "/\u00a0", ""))
_AFTER = some.sampled_from(("",) * 24 + (" ", " ", "\t", "/", "/-"))
#: Keys and values that an operation does not need.
_DECOYS = some.sampled_from(
    (
        ("op", "remove"),
        ("path", "/x"),
        ("value", "virtio"),
        ("add", "/x"),
        ("Path", "/hw_disk_bus"),
    )
)


@some.composite
def _operation(draw: Any, two: bool) -> str:
    op = draw(some.sampled_from(("add",) * 4 + ("replace", "remove")))
    name = draw(some.one_of(_few, _names, some.sampled_from(sorted(_BASE))))
    value = draw(
        some.sampled_from(_BASE.get(name, ())) if name in _BASE else _values
    )
    if draw(some.booleans()):
        name = name.replace("~", "~0").replace("/", "~1")
    path = f"{draw(_BEFORE)}{name}{draw(_AFTER)}"
    pairs = [(op, path)] if two else [("op", op), ("path", path)]
    if op != "remove":
        pairs.append(("value", value))
    pairs = list(draw(some.permutations(pairs)))
    if draw(some.integers(0, 5)) == 0:
        pairs.insert(draw(some.integers(0, 1)), draw(_DECOYS))
    return str(draw(_object(pairs)))


@some.composite
def tries(draw: Any) -> tuple[bytes, Wire]:
    """Give the body of an image, and a patch of it."""
    wanted = draw(
        some.lists(some.tuples(some.one_of(_few, _names), _values), max_size=4)
    )
    two = draw(some.integers(0, 3)) == 0
    operations = draw(some.lists(_operation(two), min_size=1, max_size=4))
    kind = PATCH_20 if two else PATCH_21
    if draw(some.integers(0, 9)) == 0:
        kind += "; charset=utf-8"
    patch = Wire(
        "PATCH",
        draw(
            some.sampled_from(
                ("/v2/images/{id}",) * 4
                + ("//v2//images/{id}", "/v2.9/images/{id}")
            )
        ),
        ("[" + ",".join(operations) + "]").encode("utf-8", "surrogatepass"),
        content_type=kind,
        framing=draw(some.sampled_from((LENGTH, LENGTH, CHUNKED))),
    )
    return draw(_object(wanted)).encode(), patch


#: Nothing is allowed, so that every image is read that is changed.
NOTHING = {
    "version": "1",
    "mode": "audit",
    "guest_devices": {
        kind.name: {"allow": []}
        for kind in KINDS.values()
        if kind.image_properties
    },
}
#: Allows some of the generated values, independent of the rest of an image.
SOME = {
    "version": "1",
    "mode": "audit",
    "guest_devices": {
        "disk_bus": {"allow": ["virtio", "ide", "sata"]},
        "cdrom_bus": {"allow": ["virtio", "ide"], "explicit": True},
        "machine_type": {"allow": ["q35"]},
        "scsi_model": {"allow": ["virtio-scsi"]},
    },
}


@pytest.fixture(params=[NOTHING, SOME], ids=["nothing", "some"])
def gate(directory: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give Glance's application, and the requests that its gate judges."""
    seen: list[Any] = []
    real = PolicyEnforcer.refusal

    def refusal(self: Any, policy: Any, request: Any, *rest: Any) -> Any:
        if request.before:
            seen.append(request.before.hardware())
        seen.append(request.hardware)
        return real(self, policy, request, *rest)

    (directory / "vhard.yaml").write_text(yaml.safe_dump(request.param))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PolicyEnforcer, "refusal", refusal)
        # Whether Glance's own schema is one takes two thirds of an example.
        patch.setattr(
            jsonschema.Draft202012Validator,
            "check_schema",
            lambda *_, **__: None,
        )
        yield service.load(directory / "glance-api-paste.ini"), seen


def read(image: dict[str, Any]) -> Any:
    """Return what Nova would be told of a stored image."""
    return reader.read(image, image.get("disk_format"))


def taken(
    gate: Any, plain: User, wire: Any, wanted: int
) -> tuple[dict[str, Any] | None, list[Any]]:
    """Send a request; return what is stored, and what has been judged."""
    app, seen = gate
    seen.clear()
    response = plain.of(app).send(wire)
    if response.status_int == wanted:
        return dict(response.json), [nobodys(request) for request in seen]
    # Glance without the gate rejects it, too.
    alone = plain.send(wire)
    assert alone.status_int == response.status_int, (alone.text, response.text)
    return None, []


def nobodys(request: HardwareRequest) -> HardwareRequest:
    """Return a request of which nobody knows whose image it is."""
    choices = (replace(wish, holder=NOBODY) for wish in request.choices)
    return replace(request, choices=tuple(choices), holder=NOBODY)


@seeds.searched(tries(), 200)
def search(gate: Any, plain: User, item: tuple[bytes, Wire]) -> None:
    TRIED["examples"] += 1
    image, patch = item
    first, seen = taken(gate, plain, create({}, body=image), 201)
    if first is None:
        first = plain.create().json
    else:
        assert seen == [read(first)]
        TRIED["created"] += 1
    second, seen = taken(gate, plain, patch.about(first["id"]), 200)
    if second is None:
        return
    TRIED["changed"] += 1
    both = [read(first), read(second)]
    assert seen == both if seen else both[0] == both[1]


def test_search_of_patches(gate: Any, plain: User) -> None:
    """The gate judges a JSON patch exactly as Glance stores it.

    Glance must accept most of the generated patches; otherwise the test proves
    nothing.
    """
    TRIED.clear()
    search(gate, plain)
    assert TRIED["created"] > TRIED["examples"] / 5, TRIED
    assert TRIED["changed"] > TRIED["examples"] / 5, TRIED
