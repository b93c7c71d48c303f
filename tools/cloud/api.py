# SPDX-License-Identifier: Apache-2.0
"""Serve a WSGI application on loopback.

``python -m cloud.api MODULE PORT FAULTS [ARGUMENT ...]``: MODULE has it as
its attribute ``application``, and takes the arguments for its own; FAULTS is
the file of tests.integration.faults.
"""

import importlib
import sys


def serve(application, port, faults):
    # Nova's decides on how to do threads, and is imported before.
    import waitress
    from waitress import channel, task

    from tests.integration.faults import Faults

    class LastRequest(task.WSGITask):
        """A request after which the connection is closed.

        nova-scheduler connects to Placement before it forks its workers.
        They would all use the same connection and read each other's answers.
        """

        def build_response_header(self):
            self.request.headers["CONNECTION"] = "close"
            return super().build_response_header()

    channel.HTTPChannel.task_class = LastRequest
    waitress.serve(
        Faults(application, faults),
        host="127.0.0.1",
        port=int(port),
        threads=8,
        # A disk is an image's data.
        max_request_body_size=1 << 40,
        # Servers of one process share a loop otherwise.
        map={},
    )


def main(module, port, faults, *arguments):
    sys.argv[1:] = arguments
    application = importlib.import_module(module).application
    from cloud import daemons

    daemons.end_with_parent()
    serve(application, port, faults)


if __name__ == "__main__":
    main(*sys.argv[1:])
