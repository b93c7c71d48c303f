# SPDX-License-Identifier: Apache-2.0
"""What the API gates do alike."""

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
