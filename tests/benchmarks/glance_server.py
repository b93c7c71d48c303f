# SPDX-License-Identifier: Apache-2.0
"""Glance APIs over HTTP on loopback for the benchmarks; see ``forked``.

The filter stands after ``context``.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import glance.api.v2.router  # noqa: F401
from glance.common import wsgi_app

import nova_vhard.gates.glance_api  # noqa: F401  (all imports before a fork)
from tests.benchmarks import forked
from tests.functional.glance import service

POLICY = 'version: "1"\nextends: baseline\n'

#: A log file, as in production. SQLite does not wait for the disk, which is
#: not measured.
_TUNING = """
[DEFAULT]
log_file = {directory}/glance.log
[database]
sqlite_synchronous = false
"""


def prepare(directory: Path, our_filter: str) -> None:
    """Write the configuration of a server and create its database."""
    configuration = service.write(directory, our_filter)
    with configuration.open("a") as stream:
        stream.write(_TUNING.format(directory=directory))
    (directory / "vhard.yaml").write_text(POLICY)
    service.create_database(configuration)


def load(directory: Path) -> Any:
    """Return Glance, as glance.wsgi.api does under a WSGI server."""
    os.environ["OS_GLANCE_CONFIG_DIR"] = str(directory)
    # A server that buffers a body does it on the checkout's disk, too.
    tempfile.tempdir = str(directory)
    return wsgi_app.init_app()


if __name__ == "__main__":
    forked.main(sys.argv[1:], prepare, load)
