# SPDX-License-Identifier: Apache-2.0
"""The sentence for a user who may not do what a command needs."""

_FORBIDDEN = 403
#: Names by which keystoneauth, openstacksdk, glanceclient and our Placement
#: client keep the HTTP status of a failed request.
_STATUS = ("status", "http_status", "status_code", "code")

_SENTENCE = (
    "this user is not allowed to do that (HTTP 403); use one with the role "
    "admin, or ask the cloud's operator"
)


def why(error: BaseException) -> str:
    """Return the text of an error, a common sentence for missing rights.

    What a service itself answers then, such as Placement's JSON, says less.
    The sentence names the service where the text begins with its name.
    """
    cause: BaseException | None = error
    while cause is not None:
        if _FORBIDDEN in (getattr(cause, name, None) for name in _STATUS):
            service, colon, _ = str(error).partition(": ")
            known = colon and service.isalpha() and cause is not error
            return f"{service}: {_SENTENCE}" if known else _SENTENCE
        cause = cause.__cause__
    return str(error)
