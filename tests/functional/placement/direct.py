# SPDX-License-Identifier: Apache-2.0
"""The way of a request to an application in this process, without HTTP's text.

wsgi_intercept, by which Placement's fixture is reached, has urllib3 and
http.client write each request and read each answer: a fifth of the processor
of a request. Here requests hands what it would send to the application.
"""

import io
from typing import Any
from urllib.parse import urlsplit

import requests
import webob
import wsgi_intercept
from keystoneauth1 import session
from requests import adapters, structures, utils


class Direct(adapters.BaseAdapter):
    """Sends requests to the application that stands for an address.

    :param endpoint: the address, which a fixture has intercepted
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        where = urlsplit(endpoint)
        make, self._script = wsgi_intercept._wsgi_intercept[where.netloc, 80]
        self._application = make()
        self._server = f"{where.scheme}://{where.netloc}"

    def send(self, request: Any, *args: Any, **more: Any) -> Any:
        """Return the application's answer."""
        body = request.body or b""
        asked = webob.Request.blank(
            request.path_url.removeprefix(self._script),
            base_url=self._server + self._script,
            method=request.method,
            headers=list(request.headers.items()),
            body=body.encode() if isinstance(body, str) else body,
            environ={"REMOTE_ADDR": "127.0.0.1"},
        )
        given = asked.get_response(self._application)
        answer = requests.Response()
        answer.status_code, answer.reason = given.status_int, given.status[4:]
        answer.headers = structures.CaseInsensitiveDict(given.headerlist)
        answer.encoding = utils.get_encoding_from_headers(answer.headers)
        answer.raw = io.BytesIO(given.body)
        answer.url, answer.request = request.url, request
        return answer

    def close(self) -> None:
        """Close nothing."""


def to(endpoint: str) -> session.Session:
    """Return a session of keystoneauth's for what is at an address."""
    own = requests.Session()
    made = session.Session(auth=None, session=own)
    own.mount(endpoint, Direct(endpoint))
    return made
