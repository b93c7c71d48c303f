# SPDX-License-Identifier: Apache-2.0
"""A real Placement in a process of its own, with faults in front of it.

    python -m tests.soak.server FOLDER PORT SEED RATE

RATE is the share of requests that go wrong. It ends with its standard input.
"""

import collections
import itertools
import os
import pathlib
import random
import sqlite3
import sys
import threading

import waitress
import webob

#: Header of a request that nothing happens to.
TRUTH = "X-Soak-Truth"
#: Path that tells what has happened.
COUNTS = "/soak"

# Requests between two short outages, and how many are lost in one.
_EVERY = 2000
_LOST = 60

CONFIG = """\
[DEFAULT]
log_file = {folder}/placement.log
[api]
auth_strategy = noauth2
[placement_database]
connection = sqlite:///{folder}/placement.sqlite
sync_on_startup = true
"""


class Faults:
    """Answers some requests in place of Placement, or after it.

    - 409, 500 and 503 without anything done;
    - 500 after everything was done: the answer is lost;
    - 200 with something that is no JSON.
    """

    def __init__(self, app, seed, rate):
        self._app = app
        self._random = random.Random(seed)
        self._rate = rate
        self._count = itertools.count(1)
        self.happened = collections.Counter()

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == COUNTS:
            answer = webob.Response(json_body=self.happened)
            return answer(environ, start_response)
        if environ.get("HTTP_X_SOAK_TRUTH"):
            return self._app(environ, start_response)
        fault = self._pick(environ["REQUEST_METHOD"])
        self.happened["requests"] += 1
        if not fault:
            return self._app(environ, start_response)
        self.happened[fault] += 1
        if fault == "lost answers":
            b"".join(self._app(environ, lambda *unused: None))
            fault = "500"
        answer = webob.Response("<html>")
        if fault != "garbage":
            answer.status = f"{fault} injected"
        return answer(environ, start_response)

    def _pick(self, method):
        number = next(self._count)
        if self._rate and number % _EVERY < _LOST and number > _EVERY:
            return "503"
        if self._random.random() >= self._rate:
            return None
        if method == "GET":
            return self._random.choice(("500", "503", "garbage"))
        return self._random.choice(("409", "409", "500", "lost answers"))


def load(path):
    """Load Placement from a configuration file; return its application."""
    from oslo_config import cfg
    from oslo_log import log
    from placement import conf as options
    from placement import db_api, deploy

    conf = cfg.ConfigOpts()
    options.register_opts(conf)
    conf([], default_config_files=[path])
    log.setup(conf, "placement")
    db_api.configure(conf)
    return deploy.loadapp(conf)


def _end_with_parent():
    sys.stdin.read()
    os._exit(0)


def main(folder, port, seed, rate):
    threading.Thread(target=_end_with_parent, daemon=True).start()
    path = pathlib.Path(folder, "placement.conf")
    path.write_text(CONFIG.format(folder=folder))
    app = load(str(path))
    with sqlite3.connect(path.with_suffix(".sqlite")) as connection:
        # Readers do not wait for the writer.
        connection.execute("PRAGMA journal_mode=WAL")
    waitress.serve(
        Faults(app, int(seed), float(rate)),
        host="127.0.0.1",
        port=int(port),
        threads=4,
        connection_limit=2000,
        asyncore_use_poll=True,
        _quiet=True,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
