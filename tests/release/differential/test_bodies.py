# SPDX-License-Identifier: Apache-2.0
"""The gate judges the body that Nova's own function receives.

Each example is a request. Nova's router, Resource and decorators pass it to a
controller's function, or answer it themselves; the gate's router finds the
method that it is for, and what the schemas leave of the body.
"""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as some

from nova_vhard.gates import nova_flavor, nova_schemas
from nova_vhard.gates.nova_router import Call, NotAccepted
from nova_vhard.gates.nova_routes import ROUTES
from nova_vhard.policy.subject import BOOT
from nova_vhard.request.lookups import Flavor, Image, Server
from tests import seeds
from tests.fuzz.mutate import _nodes
from tests.fuzz.service import environment
from tests.fuzz.test_fuzz_nova import GOOD
from tests.release.differential import nova_api, nova_host, roots
from tests.release.differential.values import IMAGE

TRIED: Counter[str] = Counter()

#: The lowest HTTP status that is not a refusal.
BROKEN = 500

Taken = tuple[str, dict[str, Any], str]


# Generated requests, most of them such as Nova takes: keys that a schema may
# lack, values that nearly fit, microversions on both sides of each schema's
# bounds, and bodies that are not JSON.

_WITH_NETWORKS = {
    "server": {
        "name": " server ",
        "imageRef": IMAGE,
        "flavorRef": "1",
        "networks": "auto",
        "tags": ["a"],
        "hostname": "server",
        "description": None,
    },
    "os:scheduler_hints": {"group": IMAGE},
}
_TEMPLATES: tuple[tuple[str, str, Any], ...] = (
    *GOOD,
    *(("POST", "/servers", _WITH_NETWORKS),) * 6,
)

#: Names of some schema, of some microversion.
_NAMES = (
    "server",
    "block_device_mapping",
    "block_device_mapping_v2",
    "config_drive",
    "networks",
    "imageRef",
    "flavorRef",
    "tags",
    "hostname",
    "host",
    "description",
    "trusted_image_certificates",
    "snapshot_id",
    "image_id",
    "volume_id",
    "uuid",
    "volume_type",
    "rescue_image_ref",
    "availability_zone",
    "metadata",
    "preserve_ephemeral",
    "x",
    "",
)
_VALUES = (
    None,
    True,
    "true",
    "",
    "0",
    " 1 ",
    0,
    -1,
    1.0,
    1e999,
    float("nan"),
    10**30,
    "\x00",
    "a\u00a0",
    "x" * 300,
    [],
    {},
    [{}],
    {"hw_disk_bus": "ide"},
    IMAGE,
    IMAGE.upper(),
    "http://glance/v2/images/x",
)
_BOUNDS = (1, 18, 19, 32, 36, 37, 41, 42, 48, 49, 52, 57, 63, 67, 74)
_LATER = (77, 85, 86, 87, 90, 93, 94, 96, 100, 999)
_VERSIONS = (
    *("2.36", "2.1", "2.36", "2.96", None) * 6,
    *(f"2.{minor}" for minor in (*_BOUNDS, *_LATER)),
    "latest",
    "3.0",
    "x",
)
_VERSION_HEADERS = (
    ("HTTP_OPENSTACK_API_VERSION", "compute {}"),
    ("HTTP_X_OPENSTACK_NOVA_API_VERSION", "{}"),
)
_TYPES = (
    *("application/json",) * 24,
    "application/json; charset=utf-8",
    "application/vnd.openstack.compute+json",
    "application/xml",
    "text/plain",
    "",
)


@some.composite
def _changed(draw: Any, tree: Any) -> Any:
    """Change one place of a body."""
    nodes = [each for each in _nodes(tree) if each]
    if not nodes:
        return copy.deepcopy(draw(some.sampled_from(_VALUES)))
    node = draw(some.sampled_from(nodes))
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    key = draw(some.sampled_from(keys))
    way = draw(some.integers(0, 5))
    if way == 0:
        del node[key]
    elif way == 1 and isinstance(node[key], str):
        node[key] = f" {node[key]} "
    elif way < 4 and isinstance(node, dict):
        name = draw(some.sampled_from((*_NAMES, *map(str, keys))))
        node[name] = copy.deepcopy(draw(some.sampled_from(_VALUES)))
    else:
        node[key] = copy.deepcopy(draw(some.sampled_from(_VALUES)))
    return tree


@some.composite
def _raw(draw: Any, tree: Any) -> bytes:
    """Write a body, which is sometimes not JSON."""
    text = json.dumps(tree, ensure_ascii=draw(some.booleans()))
    raw = b"" if tree is None else text.encode()
    if draw(some.integers(0, 15)):
        return raw
    ways = (
        b"",
        b"null",
        b"[]",
        b"[" + raw + b"]",
        raw[:-1],
        raw + b" ",
        raw + raw,
        b"\xef\xbb\xbf" + raw,
        raw.replace(b"{", b'{"server": {}, "rebuild": null, ', 1),
        raw.replace(b'"', b'"\xff', 1),
        text.encode("utf-16"),
    )
    return draw(some.sampled_from(ways))  # type: ignore[no-any-return]


@some.composite
def requests(draw: Any) -> tuple[dict[str, Any], bytes, bool]:
    """Give a request, its body, and whether it is sent to the v2 API."""
    method, path, good = draw(some.sampled_from(_TEMPLATES))
    tree = copy.deepcopy(good)
    if path == "/servers" and draw(some.integers(0, 3)) == 0:
        tree = draw(roots.bodies())
    if isinstance(tree, dict) and draw(some.integers(0, 7)) == 0:
        # The v2 API ignores keys of another operation.
        other = draw(some.sampled_from(_TEMPLATES))[2]
        tree = {**copy.deepcopy(other or {}), **tree}
    for _ in range(draw(some.sampled_from((0, 0, 1, 1, 1, 2)))):
        tree = draw(_changed(tree))
    body = draw(_raw(tree))
    kind = draw(some.sampled_from(_TYPES))
    environ = environment(method, path, body, kind)
    value = draw(some.sampled_from(_VERSIONS))
    if value is not None:
        header, form = draw(some.sampled_from(_VERSION_HEADERS))
        environ[header] = form.format(value)
    return environ, body, draw(some.integers(0, 3)) == 0


@pytest.fixture(scope="module")
def nova() -> Iterator[nova_api.NovaApi]:
    """Give Nova's API, which stops in its functions."""
    with nova_host.nova_at_rest(), pytest.MonkeyPatch.context() as patch:
        made = nova_api.NovaApi(patch)
        made.stop_in_methods()
        yield made


def taken(
    nova: nova_api.NovaApi, environ: dict[str, Any], legacy: bool
) -> Taken | int | None:
    """Return what Nova's function receives; None if Nova answers 4xx.

    BROKEN if Nova fails: os-volumes_boot does, and UTF-16 in a body.
    """
    try:
        status = nova.status(environ, legacy)
    except nova_api.Reached as reached:
        ids = dict(reached.reached)
        body = ids.pop("body", None)
        return reached.name, ids, repr(body)
    TRIED[f"{status // 100}xx"] += 1
    return BROKEN if status >= BROKEN else None


def judged(
    nova: nova_api.NovaApi, environ: dict[str, Any], legacy: bool
) -> Taken | None:
    """Return what the gate reads; None where Nova answers."""
    try:
        call = nova.routers[legacy].call(environ)
        if call is None or call.method not in nova.names:
            TRIED["not looked at"] += 1
            return None
        body = call.body()
        # text: that of true, 1 and 1.0 differs, and that of NaN does not
        # The filter judges a new server by what Nova has stored about it.
        if ROUTES[call.method].operation != BOOT:
            assert read_of(call) == read_before_34(call)
            TRIED["raw"] += 1
        return nova.names[call.method], call.ids, repr(body)
    except NotAccepted:
        return None


def read_of(call: Call) -> str:
    """Return what the readers make of a body, in words.

    Nothing is looked up: the result names what was asked for.
    """
    reader = ROUTES[call.method].reader
    if reader is None:
        return repr(nova_flavor.changed({}, call))
    find = SimpleNamespace(
        server=lambda named: Server(
            named, base_image=named, shelved_image=named
        ),
        image=lambda named: Image({"hw_disk_bus": named}),
        flavor=lambda named: Flavor(flavorid=named),
        port=lambda named: {"id": named, "binding:vnic_type": "direct"},
        recorded_image=lambda server: Image({}),
        kept_devices=lambda server: [],
        own_image=lambda server: Image({}),
    )
    return repr(reader(find, nova_api.user(), call.ids, call.body()))


def read_before_34(call: Call) -> str:
    """Return the same of a body that Nova has not validated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nova_schemas, "validate", lambda *_: None)
        return read_of(call)


def test_search_of_bodies(nova: nova_api.NovaApi) -> None:
    """Bodies: what comes to Nova's own function is what is judged.

    Nova must accept many of the examples, or the test proves nothing.
    """

    @seeds.searched(requests(), 500)
    def search(request: tuple[dict[str, Any], bytes, bool]) -> None:
        TRIED["examples"] += 1
        environ, body, legacy = request
        result = taken(nova, nova_api.sent(environ, body), legacy)
        seen = judged(nova, nova_api.sent(environ, body), legacy)
        if result not in (None, BROKEN):
            # Nova answers what is not in a microversion; the gate judges it.
            assert result == seen
            TRIED["taken"] += 1
            TRIED["v2"] += legacy

    search()
    print(TRIED)
    tried = TRIED["examples"]
    assert TRIED["taken"] > tried / 8, TRIED
    assert TRIED["v2"] > tried / 40, TRIED
    assert TRIED["4xx"] > tried / 8, TRIED
    assert TRIED["raw"] > tried / 16, TRIED
