# SPDX-License-Identifier: Apache-2.0
"""Nova APIs over HTTP on loopback for the benchmark; see ``forked``.

Only the API: no conductor, scheduler or compute runs, and what the API casts
to them stays in memory.  The directory of each holds nova.conf and the
databases already.
"""

import os
import sys
from pathlib import Path
from typing import Any

from nova import monkey_patch

# Before anything else of Nova, as nova.wsgi.osapi_compute does.
monkey_patch.patch(backend="threading")

import nova.api.openstack.compute  # noqa: E402, F401
from nova.api.openstack import wsgi_app  # noqa: E402

import nova_vhard.gates.nova_api  # noqa: E402, F401
from tests.benchmarks import forked, nova_cloud  # noqa: E402


def load(directory: Path) -> Any:
    """Return Nova, as nova.wsgi.osapi_compute does under a WSGI server."""
    os.chdir(directory)
    os.environ["OS_NOVA_CONFIG_DIR"] = str(directory)
    program = "nova-api-os-compute"
    sys.argv = [program]
    return wsgi_app.init_application("osapi_compute", program)


if __name__ == "__main__":
    forked.main(sys.argv[1:], nova_cloud.write_paste_file, load)
