# SPDX-License-Identifier: Apache-2.0
"""Behavior common to the API gates."""

import io

import pytest
import webob
from oslo_context.context import RequestContext

from nova_vhard.common.log import get_logger
from nova_vhard.gates import http
from tests import faults


@pytest.mark.parametrize(
    ("query", "overrides"),
    [
        (None, False),
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
    assert not http.overrides_method({})


@pytest.mark.parametrize("broken", [False, True])
def test_a_fault_is_told_even_if_it_cannot_be_logged(broken):
    log = get_logger("nova_vhard.test")
    context = RequestContext(request_id="req-7", overwrite=False)
    ways = faults.broken_log(faults.OURS) if broken else faults.errors()
    with ways as logged:
        try:
            raise KeyError(faults.SECRET)
        except KeyError:
            text = http.report_fault(log, "a service", context)
    assert text.endswith(
        "Report this request ID to the cloud's operator: req-7"
    )
    if not broken:
        faults.check_logged(logged, KeyError)


def test_a_body_can_be_read_again_and_rewound_by_webob():
    environ = {
        "wsgi.input": io.BytesIO(b"12345 and more"),
        "CONTENT_LENGTH": "5",
        "REQUEST_METHOD": "POST",
    }
    assert http.read_body(environ, 5) == b"12345"
    assert environ["wsgi.input"].read() == b"12345"
    request = webob.Request(environ)
    assert request.is_body_seekable
    request.make_body_seekable()
    assert request.body == b"12345"


def test_a_body_shorter_than_announced_is_no_body():
    environ = {"wsgi.input": io.BytesIO(b"1234")}
    with pytest.raises(OSError, match="shorter"):
        http.read_body(environ, 5)
