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
import webob
import yaml

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.gates import enforcer as judge
from nova_vhard.gates import glance_api
from nova_vhard.policy.hardware import NOBODY, HardwareRequest
from nova_vhard.request import image as reader
from tests import seeds
from tests.functional.glance import service
from tests.functional.glance.wire import User, create
from tests.release.differential import patches

TRIED: Counter[str] = Counter()

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


class Judged(judge.PolicyEnforcer):
    """A judge who writes down what is brought before him."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.seen: list[Any] = []

    def refusal(self, policy: Any, request: Any, *rest: Any) -> Any:
        before = request.before
        self.seen += [before.hardware()] if before else []
        self.seen.append(request.hardware)
        return super().refusal(policy, request, *rest)


@pytest.fixture(scope="module", autouse=True)
def schemas_checked_once() -> Iterator[None]:
    """Let Glance check its own schema once, not with every operation.

    What the schema says of a body is asked each time; only whether the
    schema itself is one is not, which takes two thirds of an example.
    """
    validator = jsonschema.Draft202012Validator
    check, known = validator.check_schema, set()

    def once(schema: Any, *rest: Any, **more: Any) -> None:
        text = json.dumps(schema, sort_keys=True)
        if text not in known:
            check(schema, *rest, **more)
            known.add(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validator, "check_schema", once)
        yield
    assert known, "void: Glance checks with another validator"


@pytest.fixture(params=[NOTHING, SOME], ids=["nothing", "some"])
def gate(directory: Any, request: pytest.FixtureRequest) -> Any:
    """Give Glance's application, whose gate writes down what it judges."""
    judges: list[Judged] = []

    def watched(*args: Any) -> Judged:
        judges.append(Judged(*args))
        return judges[-1]

    (directory / "vhard.yaml").write_text(yaml.safe_dump(request.param))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glance_api, "PolicyEnforcer", watched)
        app = service.load(directory / "glance-api-paste.ini")
    (each,) = {id(made): made for made in judges}.values()
    return app, each.seen


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
    no_worse(response, plain, wire)
    return None, [nobodys(request) for request in seen]


def nobodys(request: HardwareRequest) -> HardwareRequest:
    """Return a request of which nobody knows whose image it is."""
    choices = (replace(wish, holder=NOBODY) for wish in request.choices)
    return replace(request, choices=tuple(choices), holder=NOBODY)


def no_worse(response: webob.Response, plain: User, wire: Any) -> None:
    """Check that Glance alone does not take it, either."""
    alone = plain.send(wire)
    assert alone.status_int == response.status_int, (
        alone.text,
        response.text,
    )


@seeds.searched(patches.tries(), 200)
def search(gate: Any, plain: User, item: patches.Try) -> None:
    TRIED["examples"] += 1
    wire = create({}, body=item.image)
    first, seen = taken(gate, plain, wire, 201)
    if first is None:
        first = plain.create().json
    else:
        assert seen == [read(first)]
        TRIED["created"] += 1
    patch = item.patch.about(first["id"])
    second, seen = taken(gate, plain, patch, 200)
    if second is None:
        return
    TRIED["changed"] += 1
    if seen:
        assert seen == [read(first), read(second)]
    else:
        assert read(first) == read(second)


def test_search_of_patches(gate: Any, plain: User) -> None:
    """The gate judges a JSON patch exactly as Glance stores it.

    Glance must accept most of the generated patches; otherwise the test proves
    nothing.
    """
    TRIED.clear()
    search(gate, plain)
    assert TRIED["created"] > TRIED["examples"] / 5, TRIED
    assert TRIED["changed"] > TRIED["examples"] / 5, TRIED
