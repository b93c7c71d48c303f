# SPDX-License-Identifier: Apache-2.0
"""The demo's cloud: its processes, its addresses, its users' clients."""

import queue
import socket

from demo import config, identity, keystone, processes, serve

_LISTENERS = ("keystone", "glance", "nova", "plain-nova", "placement")


class Cloud:
    """Keystone's stand-in here; Glance, and Nova with Placement, as processes.

    :param place: common.place.Place
    :param gates: whether this project's gates are configured
    :param say: called with (service, what it does) while the cloud starts
    """

    def __init__(self, place, gates, say):
        self.place = place
        self.gates = gates
        self._say = say
        self._sockets = {}
        self._urls = {}
        self._processes = []
        self._news = queue.Queue()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exception):
        self.stop()

    def url(self, service):
        """Give the address of a service."""
        return self._urls[service]

    @property
    def logs(self):
        """The services' log files."""
        return sorted(self.place.logs.glob("*.log"))

    def process_ids(self):
        """Give the processes' ids, to show that none was started again."""
        return [one.id for one in self._processes]

    def _start(self):
        # Bound here, so that all addresses are known before anything runs.
        for name in _LISTENERS:
            self._sockets[name] = listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            port = listener.getsockname()[1]
            self._urls[name] = f"http://127.0.0.1:{port}"
        config.write(self.place, self.url("keystone"), self.gates)
        app = keystone.Keystone(self.url("keystone"), self._catalogue())
        serve.serve(app, self._sockets.pop("keystone"))
        self._nova()
        self._glance()
        processes.wait(self._processes, self._news, self._say)

    def _catalogue(self):
        def everywhere(url):
            return {identity.REGION: url, identity.PLAIN_REGION: url}

        return {
            "identity": everywhere(self.url("keystone") + "/v3"),
            "image": everywhere(self.url("glance")),
            "placement": everywhere(self.url("placement")),
            "compute": {
                identity.REGION: self.url("nova") + "/v2.1",
                identity.PLAIN_REGION: self.url("plain-nova") + "/v2.1",
            },
        }

    def _glance(self):
        self._process(
            "glance",
            "demo.glance_process",
            [self.place.home("glance")],
            ["glance"],
        )

    def _nova(self):
        self._process(
            "nova",
            "demo.nova_process",
            [self.place.home("nova"), self.place.home("placement")],
            ["nova", "plain-nova", "placement"],
        )

    def _process(self, name, module, arguments, listeners):
        sockets = [self._sockets.pop(one) for one in listeners]
        numbers = [one.fileno() for one in sockets]
        log = self.place.logs / f"{name}-stderr.log"
        self._processes.append(
            processes.Process(
                name,
                module,
                [*arguments, *numbers],
                sockets,
                log,
                self._news,
            )
        )
        for listener in sockets:
            # The process has its own; where it ends, nobody shall listen.
            listener.close()

    def stop(self):
        """Stop what was started, and free the ports."""
        for process in self._processes:
            process.release()
        for process in self._processes:
            process.stop()
        for listener in self._sockets.values():
            listener.close()
