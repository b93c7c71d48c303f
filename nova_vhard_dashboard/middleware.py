# SPDX-License-Identifier: Apache-2.0
"""Middleware that passes refusals of the gates to the dashboard's pages.

Horizon passes a refusal on as text, in three places: a JSON string of its own
API, a message with a redirect, or an unhandled exception. Each becomes one
answer, ``{"nova_vhard": {...}}`` with status 403, which
static/vhard/refusal.js shows: ``message`` is the gate's text, and the other
keys are those of ``nova_vhard_dashboard.verdicts.explained``, if the dashboard
can find the verdict again. All other answers are unchanged.
"""

import json
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from nova_vhard.explain.messages import OPENING
from nova_vhard_dashboard import verdicts

_FORBIDDEN = 403
_JSON = "application/json"


class RefusalMiddleware:
    """Answers with the refusal where a request met one.

    :param get_response: the view, or the next middleware before it
    """

    def __init__(
        self, get_response: Callable[[HttpRequest], HttpResponse]
    ) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer, or the refusal that it is about."""
        response = self._get_response(request)
        refusal = _of_api(response) or _of_messages(request)
        return _answer(request, refusal) if refusal else response

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        """Answer for a view without Horizon's own handling of exceptions.

        Such as POST /api/glance/images/, by which a file is uploaded.
        """
        refusal = _message(str(exception)) if _by_script(request) else None
        return _answer(request, refusal) if refusal else None


def _by_script(request: HttpRequest) -> bool:
    """Return whether a page's script waits for the answer."""
    sender: str | None = request.headers.get("X-Requested-With")
    return sender == "XMLHttpRequest"


def _of_api(response: HttpResponse) -> str | None:
    """Return the refusal in an answer of Horizon's own API."""
    if response.status_code != _FORBIDDEN or response.streaming:
        return None
    if not response.get("Content-Type", "").startswith(_JSON):
        return None
    try:
        text = json.loads(response.content)
    except ValueError:
        return None
    return _message(text) if isinstance(text, str) else None


def _of_messages(request: HttpRequest) -> str | None:
    """Return the refusal in a message of a dialog's view.

    A view that was refused redirects: the dialog would be lost, and the
    message be shown on another page.
    """
    if request.method != "POST" or not _by_script(request):
        return None
    for tag, text, _ in _messages(request):
        refusal = _message(text) if tag == "error" else None
        if refusal:
            return refusal
    return None


def _message(text: str) -> str | None:
    """Return what a gate says after its opening; None if it is another's."""
    _, opening, rest = text.partition(OPENING)
    return rest if opening else None


def _messages(request: HttpRequest) -> list[Any]:
    """Return the messages that Horizon sends with its answer."""
    kept = getattr(request, "horizon", {})
    return kept.get("async_messages", [])  # type: ignore[no-any-return]


def _answer(request: HttpRequest, message: str) -> HttpResponse:
    """Return the refusal alone, without Horizon's other messages."""
    _messages(request).clear()
    refusal = {"message": message} | (verdicts.refused(request, message) or {})
    return JsonResponse({"nova_vhard": refusal}, status=_FORBIDDEN)
