# SPDX-License-Identifier: Apache-2.0
"""Fault injection in front of an API.

Each request reads a file of faults, so a test can change them while everything
runs: a JSON list of objects with

- ``path``: prefix of the request's path
- ``method``: method of the request (default: any)
- ``query``: text that the query string must contain (default: any)
- ``status``: status to answer instead of the service's, an integer
- ``body``: body of that answer
- ``seconds``: delay before any answer
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
        asked = environ["REQUEST_METHOD"]
        for fault in faults:
            if (
                environ["PATH_INFO"].startswith(fault["path"])
                and fault.get("method", asked) == asked
                and fault.get("query", "") in query
            ):
                return fault
        return {}
