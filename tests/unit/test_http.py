# SPDX-License-Identifier: Apache-2.0
"""What the API gates do alike."""

import io

import pytest

from nova_vhard.gates import http


@pytest.mark.parametrize(
    ("query", "overrides"),
    [
        ("", False),
        ("name=x", False),
        ("_method=PATCH", True),
        ("a=1&_method=", True),
        ("%5Fmethod=PATCH", True),
        ("_%6dethod=PATCH&x=_method", True),
        ("a=%ff&_method=PATCH", True),
        ("name=my_method", False),
        ("name=%ff_method", False),
    ],
)
def test_a_query_that_would_replace_the_method(query, overrides):
    environ = {"QUERY_STRING": query, "REQUEST_METHOD": "POST"}
    assert http.overrides_method(environ) is overrides


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/images", "/v2/images"),
        ("//v2///images//", "/v2/images"),
        ("/", "/"),
        ("", "/"),
    ],
)
def test_runs_of_slashes_are_one(path, expected):
    assert http.path_of({"PATH_INFO": path}) == expected


def test_a_body_can_be_read_again():
    environ = {"wsgi.input": io.BytesIO(b"12345 and more")}
    assert http.read_body(environ, 5) == b"12345"
    assert environ["wsgi.input"].read() == b"12345"


def test_a_body_shorter_than_announced_is_no_body():
    environ = {"wsgi.input": io.BytesIO(b"1234")}
    with pytest.raises(OSError, match="shorter"):
        http.read_body(environ, 5)
