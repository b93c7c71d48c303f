# SPDX-License-Identifier: Apache-2.0
"""Faults in front of an API: what its bad days look like to who asks.

A file that names them is looked at with each request, so that a test can
switch them while everything runs: JSON, a list of objects with

- ``path``: what the path of a request begins with
- ``method``: the method of a request (default: any)
- ``query``: what must be in its query string (default: anything)
- ``status``: the answer, instead of the service's; a number
- ``body``: its body
- ``seconds``: to wait before whatever is answered
"""

import json
import os
import time
from http.client import responses


class Faults:
    """A WSGI application in front of another.

    :param application: the other
    :param path: of the file; without one nothing goes wrong
    """

    def __init__(self, application, path):
        self._application = application
        self._path = path

    def __call__(self, environ, start_response):
        """Answer a request."""
        fault = self._fault(environ)
        time.sleep(fault.get("seconds", 0))
        if "status" not in fault:
            return self._application(environ, start_response)
        body = fault.get("body", "").encode()
        status = fault["status"]
        start_response(
            f"{status} {responses[status]}",
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
            ],
        )
        return [body]

    def _fault(self, environ):
        if not os.path.exists(self._path):
            return {}
        with open(self._path, encoding="utf-8") as file:
            faults = json.load(file)
        query = environ.get("QUERY_STRING", "")
        for fault in faults:
            begins = environ["PATH_INFO"].startswith(fault["path"])
            method = fault.get("method", environ["REQUEST_METHOD"])
            begins = begins and method == environ["REQUEST_METHOD"]
            if begins and fault.get("query", "") in query:
                return fault
        return {}
