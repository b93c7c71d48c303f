# SPDX-License-Identifier: Apache-2.0
"""A Placement that takes the request and never answers, on a real socket."""

import contextlib
import socketserver
import threading
from concurrent import futures
from types import SimpleNamespace

import pytest
from keystoneauth1 import adapter, session

from nova_vhard.placement.client import Placement
from nova_vhard.placement.connect import AdapterClient
from nova_vhard.placement.posture import (
    Clock,
    Posture,
    PostureUnavailable,
    Question,
)
from tests.functional.placement.reports import IOMMU, MARK, NOW

ASKED = Question(frozenset(("iommu",)), 2)
#: Seconds to wait for an event before it counts as missing.
PATIENCE = 60
#: Time limit in seconds: a working server answers in a fraction of it, a
#: hanging one takes longer.
LIMIT = 1.0
BEGINNING = b"HTTP/1.1 200 OK\r\nX-Filler: "


class Silent(socketserver.ThreadingTCPServer):
    """A server that takes requests and does not answer them.

    :param drips: send the header of an answer, byte by byte, without an end:
        a time limit on the next byte never comes to an end then
    :ivar asked: set when there was a request
    """

    daemon_threads = True

    def __init__(self, drips):
        super().__init__(("127.0.0.1", 0), None)
        self.drips, self.asked = drips, threading.Event()
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        request.recv(65536)
        self.asked.set()
        filler = BEGINNING if self.drips else b""
        with contextlib.suppress(OSError):
            while not self.over.wait(LIMIT / 10):
                request.sendall(filler)
                filler = filler[-1:]

    def close(self):
        self.over.set()
        self.shutdown()
        self.server_close()


@pytest.fixture(params=[False, True], ids=["silent", "drips"])
def silent(request):
    server = Silent(request.param)
    yield server
    server.close()


def test_a_refresh_that_hangs_does_not_block_others(silent, cloud):
    # given a host that has passed the check, and a Placement that hangs
    host = cloud.host("good", {IOMMU, *MARK})
    hangs = AdapterClient(
        adapter.Adapter(
            session.Session(auth=None, timeout=LIMIT),
            endpoint_override=silent.url,
            service_type="placement",
        )
    )
    clients = [hangs]
    client = SimpleNamespace(
        get=lambda url, version: clients[-1].get(url, version)
    )
    seconds = [0.0]
    clock = Clock(lambda: seconds[0], lambda: NOW)
    posture = Posture(lambda: Placement(client), 1, 600, clock, LIMIT)

    def ask(_):
        with pytest.raises(PostureUnavailable) as raised:
            posture.hosts(ASKED)
        return str(raised.value)

    # when 8 threads ask, then each gets an error within the time limit
    with futures.ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, range(8)))
    assert answers == {"Placement has not answered yet"}
    assert silent.asked.is_set()
    # and when Placement works again, the next request succeeds, although the
    # first one may still hang
    clients.append(cloud)
    posture._timeout = PATIENCE
    # The next attempt is after a tenth of posture_ttl.
    seconds[0] += 1
    assert posture.hosts(ASKED) == {host}
