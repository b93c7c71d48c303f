# SPDX-License-Identifier: Apache-2.0
"""Common handling of WSGI requests in the API gates."""

import contextlib
import io
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from nova_vhard.common.log import CleanLogger
from nova_vhard.common.text import clean

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


OVERRIDE_TEXT = (
    "The query parameter _method is not accepted: it would change the HTTP "
    "method after the hardening policy has checked the request. Send the "
    "request with the method that you need."
)

NO_POLICY_TEXT = (
    "The hardening policy of this cloud cannot be read at the moment, so "
    "the request cannot be checked and is refused. Try again later, or "
    "contact the cloud's operator."
)

LOOKUP_TEXT = (
    "The hardening policy of this cloud could not check the request, "
    "because an object that it refers to (such as an image, flavor or "
    "port) cannot be looked up at the moment. Try again later."
)

_FAULT_TEXT = (
    "The hardening policy of this cloud could not check the request "
    "because of an internal error. Report this request ID to the cloud's "
    "operator: {}"
)

MALFORMED_TEXT = "The body of the request cannot be read."


def overrides_method(environ: Environ) -> bool:
    """Return whether the query string would replace the method.

    Routes does that in Glance and Nova (``use_method_override``).
    """
    # Routes also reads _method from a form in a POST body. That reaches no
    # judged method: Nova's ``get_content_type`` and Glance's ``update`` answer
    # 415 to the type of a form, and Glance's ``create`` is a POST anyway.
    query = environ.get("QUERY_STRING") or ""
    # The cheap test first, since almost no request has it. Blank values are
    # kept; Routes ignores them, but a refusal does no harm.
    return "method" in query and any(
        name == "_method" for name, _ in parse_qsl(query, True)
    )


def fault_text(context: Any) -> str:
    """Return the text that a user gets after an internal error of the gate.

    :param context: an oslo.context RequestContext, or None
    """
    return _FAULT_TEXT.format(clean(getattr(context, "request_id", None)))


def report_fault(logger: CleanLogger, context: Any) -> str:
    """Log the current exception; return the text for the user.

    If logging fails too, the service does not fail.

    :param logger: the gate's logger; its name identifies the gate
    :param context: an oslo.context RequestContext, or None
    """
    with contextlib.suppress(Exception):
        logger.exception("The gate has failed")
    return fault_text(context)


def read_body(environ: Environ, length: int) -> bytes:
    """Return a body of known length, and buffer it for the next reader.

    webob itself would copy it three times.

    :param length: in bytes, as the client announced it; not 0
    :raises OSError: if the client sends less
    """
    # No bound of its own: the service would read the same bytes next, and
    # Nova's pipelines limit the length before the gate (sizelimit in
    # api-paste.ini).
    body: bytes = environ["wsgi.input"].read(length)
    # A shorter body may still be valid JSON. The gate and the service must not
    # disagree about where it ends.
    if len(body) != length:
        raise OSError("the body is shorter than announced")
    environ["wsgi.input"] = io.BytesIO(body)
    environ["webob.is_body_seekable"] = True
    return body
