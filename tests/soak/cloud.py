# SPDX-License-Identifier: Apache-2.0
"""The Placement of a soak, as its operator and its clients see it."""

import collections
import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request
import uuid

import requests
from oslo_config import cfg

from nova_vhard.conf import reporter as reporter_conf
from tests.soak import server

ROOT = pathlib.Path(__file__).parents[2]
# Seconds for a start, on a machine that is busy.
_LONG = 120

_HEADERS = {
    "X-Auth-Token": "admin",
    "OpenStack-API-Version": "placement 1.39",
}


class Cloud:
    """Placement in a process that can be killed and started again.

    :ivar happened: what its faults have done
    :ivar restarts: how often it was killed and came back
    """

    def __init__(self, folder, seed, rate):
        self.folder = folder
        self.happened = collections.Counter()
        self.restarts = 0
        self._seed = seed
        self._rate = rate
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self):
        seed = self._seed + self.restarts
        arguments = (self.folder, self._port, seed, self._rate)
        with open(self.folder / "server.log", "a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", server.__name__, *map(str, arguments)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stderr=log,
            )
        deadline = time.monotonic() + _LONG
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                return self._read(server.COUNTS)
            time.sleep(0.05)
        raise RuntimeError((self.folder / "server.log").read_text())

    def kill(self):
        self.happened.update(self._read(server.COUNTS))
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()

    def restart(self, rate=None):
        """Start it again, with the same database."""
        self.restarts += 1
        self._rate = self._rate if rate is None else rate
        self.start()

    def _read(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def conf(self, **options):
        """Return a reporter's configuration.

        :param options: of the group ``vhard_reporter``
        """
        conf = cfg.ConfigOpts()
        reporter_conf.register(conf)
        path = self.folder / f"{uuid.uuid4()}.conf"
        login = f"endpoint = {self.url}\ntoken = admin\ntimeout = 60\n"
        path.write_text(f"[placement]\nauth_type = admin_token\n{login}")
        conf([], default_config_files=[str(path)])
        for name, value in options.items():
            conf.set_override(name, value, "vhard_reporter")
        return conf


class Client:
    """A client of Placement other than a reporter.

    :param truth: whether the faults spare its requests
    """

    def __init__(self, cloud, truth=False):
        self._url = cloud.url
        self._session = requests.Session()
        self._session.headers.update(_HEADERS)
        if truth:
            self._session.headers[server.TRUTH] = "1"

    def __call__(self, method, path, body=None):
        """Send a request; return status and what came back."""
        answer = self._session.request(
            method, self._url + path, json=body, timeout=60
        )
        with contextlib.suppress(ValueError):
            return answer.status_code, answer.json()
        return answer.status_code, None
