# SPDX-License-Identifier: Apache-2.0
"""Serve a WSGI application on loopback.

``python -m cloud.api MODULE PORT FAULTS``: MODULE has it as its attribute
``application``; FAULTS is the file of cloud.faults.
"""

import importlib
import sys

_MODULE, _PORT, _FAULTS = sys.argv[1:]
# The services would take the arguments for theirs.
del sys.argv[1:]
# First of all: nova's decides on how to do threads.
_application = importlib.import_module(_MODULE).application

import waitress  # noqa: E402
from waitress import channel, task  # noqa: E402

from cloud.faults import Faults  # noqa: E402


class _LastOne(task.WSGITask):
    """A request after which the connection is closed.

    nova-scheduler speaks to Placement before it forks its workers. They
    would go on with the one connection that they all have, and read each
    other's answers.
    """

    def build_response_header(self):
        """Do as if the client had asked for it."""
        self.request.headers["CONNECTION"] = "close"
        return super().build_response_header()


channel.HTTPChannel.task_class = _LastOne
waitress.serve(
    Faults(_application, _FAULTS),
    host="127.0.0.1",
    port=int(_PORT),
    threads=8,
)
