# SPDX-License-Identifier: Apache-2.0
"""What Glance imports leaves the modules of other tests in its process be."""

import http.server
import sys
import threading

from tests.functional.glance.wire import User


def test_http_server_keeps_its_locks(gated: User) -> None:
    """A copy with eventlet's locks never ends on a native thread."""
    assert gated.app
    assert http.server is sys.modules["http.server"]
    assert http.server.socketserver.threading is threading
