# SPDX-License-Identifier: Apache-2.0
"""Requests that do not concern the gate pass through it unchanged."""

import pytest

from tests.functional.glance.wire import User, Wire


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *[
            (method, path, b"")
            for method in ("GET", "HEAD", "DELETE", "PUT", "OPTIONS")
            for path in ("/v2/images/{id}", "/v2/images")
        ],
        ("PUT", "/v2/images/{id}/tags/ide", b""),
        ("POST", "/v2/images/{id}/members", b'{"member": "ide"}'),
        ("POST", "/v2/images/{id}/actions/deactivate", b""),
        ("POST", "/v2/metadefs/namespaces", b'{"namespace": "ide"}'),
        ("GET", "/v2/schemas/image", b""),
        ("GET", "/v2/info/import", b""),
        ("GET", "/versions", b""),
        ("GET", "/", b""),
        ("GET", "/healthcheck", b""),
    ],
)
def test_what_is_not_judged_is_answered_alike(
    gated: User, plain: User, method: str, path: str, body: bytes
) -> None:
    # given
    twins = [plain.create(hw_disk_bus="ide").json["id"] for _ in range(2)]
    wire = Wire(method, path, body)
    # when
    with_gate = gated.send(wire.about(twins[0]))
    without = plain.send(wire.about(twins[1]))
    # then
    assert with_gate.status == without.status
    assert set(with_gate.headers) == set(without.headers)
    if path.endswith("{id}") and method != "DELETE":
        text = with_gate.text.replace(twins[0], twins[1])
        assert len(text) == len(without.text)
