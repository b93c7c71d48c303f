# SPDX-License-Identifier: Apache-2.0
"""A Placement that takes the request and never answers, on a real socket."""

import contextlib
import socket
import threading
import time

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


class Silent:
    """A server that takes requests and does not answer them.

    :param drips: send the header of an answer, byte by byte, without an end:
        a time limit on the next byte never comes to an end then
    """

    def __init__(self, drips):
        self._drips = drips
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.asked = threading.Event()
        port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                result, _ = self._socket.accept()
                threading.Thread(
                    target=self._hang, args=(result,), daemon=True
                ).start()

    def _hang(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            self.asked.set()
            if self._drips:
                connection.sendall(BEGINNING)
            while not self._over.wait(LIMIT / 10):
                if self._drips:
                    connection.sendall(b"x")

    def close(self):
        self._over.set()
        self._socket.close()


@pytest.fixture(params=[False, True], ids=["silent", "drips"])
def silent(request):
    server = Silent(request.param)
    yield server
    server.close()


class Switched:
    """Sends requests to the silent server, then to the real Placement."""

    def __init__(self, silent, cloud):
        self._silent = AdapterClient(
            adapter.Adapter(
                session.Session(auth=None, timeout=LIMIT),
                endpoint_override=silent.url,
                service_type="placement",
            )
        )
        self._cloud = cloud
        self.hangs = True

    def get(self, url, version):
        client = self._silent if self.hangs else self._cloud
        return client.get(url, version)


def test_a_refresh_that_hangs_keeps_nobody_from_trying(silent, cloud):
    # given a host that has proven it, and a server that does not say so
    host = cloud.host("good", {IOMMU, *MARK})
    client = Switched(silent, cloud)
    clock = Clock(now=lambda: NOW)
    posture = Posture(lambda: Placement(client), 1, 600, clock, LIMIT)
    lines = []

    def ask():
        try:
            lines.append(posture.hosts(ASKED))
        except PostureUnavailable as error:
            lines.append(str(error))

    # when 8 ask, then each is told within the limit that nobody knows
    callers = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for caller in callers:
        caller.start()
    assert silent.asked.wait(PATIENCE)
    for caller in callers:
        caller.join(PATIENCE)
    assert lines == ["Placement has not answered yet"] * 8
    # and when Placement is well, the next one has the answer, though the
    # first request may hang on
    client.hangs = False
    posture._timeout = PATIENCE
    end = time.monotonic() + PATIENCE
    found = None
    while found is None:
        # For a tenth of posture_ttl there is no answer.
        with contextlib.suppress(PostureUnavailable):
            found = posture.hosts(ASKED)
        assert time.monotonic() < end
    assert found == {host}
