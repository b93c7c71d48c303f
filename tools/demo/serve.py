# SPDX-License-Identifier: Apache-2.0
"""What the demo's service processes do alike.

The parent hands over listening sockets and a pipe. A process says on its
standard output what it is doing and, last, that it is ready; it ends when
its standard input ends, so that nothing outlives the parent.
"""

import os
import socket
import sys
import threading
import traceback

import waitress

READY = "ready"


class Reporter:
    """Progress for the parent, on what was the standard output.

    Whatever else is printed goes to standard error, which is the log.
    """

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def say(self, what):
        """Tell the parent what is being done."""
        print(what, file=self._out)

    def ready(self):
        """Tell the parent that requests are answered from now on."""
        self.say(READY)


def inherited(descriptor):
    """Give the socket that the parent handed over under a number."""
    return socket.socket(fileno=int(descriptor))


def serve(app, listener, threads=4):
    """Serve a WSGI application in the background.

    :param listener: a bound TCP socket
    """
    # A map of its own: waitress's servers share one loop otherwise.
    server = waitress.create_server(
        app, map={}, sockets=[listener], threads=threads
    )
    threading.Thread(target=server.run, daemon=True).start()


def until_parent_ends():
    """Wait for the end of standard input, then end this process at once.

    There is nothing to save: data of the demo is for one run only.
    """
    sys.stdin.read()
    os._exit(0)


def run(main):
    """Run a process's main function with the command line's arguments.

    It ends the process when it fails: threads of services that are started
    already would keep it alive.
    """
    try:
        main(*sys.argv[1:])
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
