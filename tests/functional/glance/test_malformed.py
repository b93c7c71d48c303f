# SPDX-License-Identifier: Apache-2.0
"""Bodies that nobody should send: never stored unjudged, never a new 5xx.

What plain Glance answers is the measure.  The gate may answer 400 or 403 in
its place, and may pass the request on; it may not break where Glance does
not, and nothing with a refused device may end up in the store.
"""

import pytest
from webob import Response

from tests.functional.glance.wire import (
    CHUNKED,
    PATCH_20,
    PATCH_21,
    UWSGI,
    User,
    Wire,
    add,
    create,
    update,
)

BODIES = {
    "empty": b"",
    "blank": b"  ",
    "no JSON": b"hw_disk_bus=ide",
    "cut off": b'{"hw_disk_bus": "ide"',
    "number": b"1",
    "string": b'"hw_disk_bus"',
    "null": b"null",
    "not a number": b'{"min_ram": NaN, "hw_disk_bus": "ide"}',
    "list of one": b'[{"hw_disk_bus": "ide"}]',
    "list of lists": b'[["hw_disk_bus", "ide"]]',
    "list of strings": b'["tags", "hw_disk_bus"]',
    "object in list value": b'{"hw_disk_bus": ["ide"]}',
    "object value": b'{"hw_disk_bus": {"ide": "ide"}}',
    "number value": b'{"hw_disk_bus": 1}',
    "null value": b'{"hw_disk_bus": null}',
    "null beside ide": b'{"hw_disk_bus": "ide", "hw_vif_model": null}',
    "boolean beside ide": b'{"hw_disk_bus": "ide", "hw_vif_model": true}',
    "null tags": b'{"hw_disk_bus": "ide", "tags": null}',
    "number tags": b'{"hw_disk_bus": "ide", "tags": 7}',
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "deep value": b'{"hw_disk_bus": "ide", "a": '
    + b"[" * 900
    + b"]" * 900
    + b"}",
    "utf-16": '{"hw_disk_bus": "ide"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"hw_disk_bus": "ide"}',
    "broken utf-8": b'{"hw_disk_bus": "ide", "name": "\xff\xfe"}',
    "lone surrogate": b'{"hw_disk_bus": "ide", "name": "\\ud800"}',
    "nul": b'{"hw_disk_bus": "ide\\u0000"}',
    "huge number": b'{"hw_disk_bus": "ide", "min_ram": ' + b"9" * 5000 + b"}",
    "bdm is no JSON": b'{"block_device_mapping": "[{"}',
    "bdm is a number": b'{"bdm_v2": "true", "block_device_mapping": "7"}',
    "bdm is deep": b'{"bdm_v2": "true", "block_device_mapping": "'
    + b"[" * 60_000
    + b'"}',
    "bdm of numbers": b'{"bdm_v2": "true", "block_device_mapping": "[1]"}',
    "mappings are no JSON": b'{"mappings": "{"}',
}

OPERATIONS = {
    "object": b'{"op": "add", "path": "/hw_disk_bus", "value": "ide"}',
    "number in list": b"[1]",
    "no path": b'[{"op": "add", "value": "ide"}]',
    "no op": b'[{"path": "/hw_disk_bus", "value": "ide"}]',
    "no value": b'[{"op": "add", "path": "/hw_disk_bus"}]',
    "unknown op": b'[{"op": "move", "path": "/hw_disk_bus", "value": "ide"}]',
    "op is a list": b'[{"op": ["add"], "path": "/hw_disk_bus", "value": "i"}]',
    "path is a number": b'[{"op": "add", "path": 7, "value": "ide"}]',
    "path is null": b'[{"op": "add", "path": null, "value": "ide"}]',
    "path is a list": b'[{"op": "add", "path": ["/a"], "value": "ide"}]',
    "no slash": b'[{"op": "add", "path": "hw_disk_bus", "value": "ide"}]',
    "slash at the end": b'[{"op":"add","path":"/hw_disk_bus/","value":"ide"}]',
    "bad escape": b'[{"op":"add", "path":"/hw_disk_bus~2", "value":"ide"}]',
    "deep path": b'[{"op":"add", "path":"/hw_disk_bus/0", "value":"ide"}]',
    "number": b'[{"op": "add", "path": "/hw_disk_bus", "value": 7}]',
    "null": b'[{"op": "add", "path": "/hw_disk_bus", "value": null}]',
    "list": b'[{"op": "add", "path": "/hw_disk_bus", "value": ["ide"]}]',
    "object value": b'[{"op":"add","path":"/hw_disk_bus","value":{"a":"b"}}]',
    "replace what is not there": b'[{"op": "replace", "path": "/hw_disk_bus",'
    b' "value": "ide"}]',
    "remove what is not there": b'[{"op":"remove", "path": "/hw_disk_bus"}]',
    "all properties at once": b'[{"op": "add", "path": "/extra_properties",'
    b' "value": {"hw_disk_bus": "ide"}}]',
    "properties as text": b'[{"op": "add", "path": "/extra_properties",'
    b' "value": "hw_disk_bus"}]',
    "read-only beside ide": b'[{"op": "add", "path": "/hw_disk_bus",'
    b' "value": "ide"}, {"op": "replace", "path": "/id", "value": "x"}]',
    "locations": b'[{"op": "add", "path": "/locations/-", "value": 1}]',
}


def no_worse(response: Response, plain: User, wire: Wire) -> None:
    """Let a 5xx pass only where Glance alone gives it, too."""
    if response.status_int >= 500:
        assert plain.send(wire).status_int == response.status_int


@pytest.mark.parametrize("framing", ["length", CHUNKED, UWSGI])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_create(gated: User, plain: User, body: bytes, framing: str) -> None:
    # given
    wire = create({}, body=body, framing=framing)
    # when
    response = gated.send(wire)
    # then
    assert not any("ide" in map(str, i.values()) for i in plain.images())
    no_worse(response, plain, wire)


PATCHES = {
    f"{name}, {kind}": (body, kind)
    for bodies, kinds in (
        (BODIES, (PATCH_21, PATCH_20, "application/json", "")),
        (OPERATIONS, (PATCH_21, PATCH_20)),
    )
    for name, body in bodies.items()
    for kind in kinds
}


@pytest.mark.parametrize(
    ("body", "kind"), PATCHES.values(), ids=PATCHES.keys()
)
def test_update(gated: User, plain: User, body: bytes, kind: str) -> None:
    # given
    image = plain.create().json
    # when
    wire = update(body=body, content_type=kind).about(image["id"])
    response = gated.send(wire)
    # then
    assert plain.image(image["id"]) == image
    assert response.status_int != 200
    no_worse(response, plain, wire)


def test_chunks_of_uwsgi_are_no_way_in(gated: User, plain: User) -> None:
    """Glance 33 itself reads an empty body there, and answers 400."""
    # given
    image = plain.create().json
    wires = [
        create({"hw_disk_bus": "ide"}, framing=UWSGI),
        update(add("/hw_disk_bus", "ide"), framing=UWSGI).about(image["id"]),
    ]
    for wire in wires:
        # when
        response = gated.send(wire)
        # then
        assert response.status_int in (403, plain.send(wire).status_int)
        assert plain.images() == [image]


@pytest.mark.parametrize(
    "path",
    ["/v2/images/", "/v2.16/images", "/v3/images", "/images", "/v1/images"],
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "post", "Post"])
def test_paths_that_glance_does_not_know(
    gated: User, plain: User, path: str, method: str
) -> None:
    # given
    wire = create({"hw_disk_bus": "ide"}, path=path, method=method)
    assert plain.send(wire).status_int >= 300
    # when
    response = gated.send(wire)
    # then
    assert plain.images() == []
    assert response.status_int in (400, 403, plain.send(wire).status_int)
