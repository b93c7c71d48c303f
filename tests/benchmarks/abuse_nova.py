# SPDX-License-Identifier: Apache-2.0
"""Hostile requests to the Nova API; see ``abuse_service``.

Only the API, as in the benchmark ``nova-api``; Glance is a real one.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nova import monkey_patch

# Before anything else of Nova, as nova.wsgi.osapi_compute does.
monkey_patch.patch(backend="threading")

from paste import deploy  # noqa: E402

from tests.benchmarks import (  # noqa: E402
    abuse_images,
    abuse_nova_boots,
    abuse_nova_cases,
    abuse_service,
    nova_cloud,
    nova_server,
)
from tests.benchmarks.abuse_case import Case, seeded  # noqa: E402
from tests.benchmarks.pass_on import PASS_ON  # noqa: E402
from tests.functional.glance import identity  # noqa: E402
from tests.functional.nova.service import GATE  # noqa: E402
from tests.fuzz import nova_stubs as known  # noqa: E402
from tests.fuzz import test_fuzz_nova as odd  # noqa: E402

RANDOM = 100
TOKEN = identity.token(nova_cloud.PROJECT)


#: No nova-compute answers.
_MORE = """
[DEFAULT]
rpc_response_timeout = 1
[cinder]
endpoint_template = http://127.0.0.1:{port}/v3/%(project_id)s
"""


def prepared(directory: Path, peers: int) -> abuse_service.Service:
    """Return Nova from a directory with its databases.

    :param peers: the port of the volume service
    """
    with (directory / "nova.conf").open("a") as stream:
        stream.write(_MORE.format(port=peers))
    other = directory / "plain"
    other.mkdir()
    nova_cloud.write_paste_file(directory, GATE)
    nova_cloud.write_paste_file(other, PASS_ON)
    gate = nova_server.load(directory)
    paste = (other / "api-paste.ini").resolve()
    plain = deploy.loadapp(f"config:{paste}", name="osapi_compute")
    databases = sorted(directory.glob("*.sqlite"))
    log = directory / "nova-api.log"
    return abuse_service.Service(gate, plain, log, databases, TOKEN)


def seeded_case(ids: dict[str, str]) -> Any:
    """Return what makes odd requests about objects of this cloud.

    :param ids: of the fuzz tests, and what stands for them here
    """

    def made(mutator: Any) -> tuple[dict[str, Any], bytes]:
        environ, body = odd.wish(mutator)
        text, path = body.decode("latin-1"), environ["PATH_INFO"]
        for name, real in ids.items():
            text, path = text.replace(name, real), path.replace(name, real)
        return {**environ, "PATH_INFO": f"/v2.1{path}"}, text.encode("latin-1")

    return made


def cases(images: dict[str, str]) -> Iterator[Case]:
    """Yield all requests.

    :param images: ids by what is in them
    """
    clean = images.pop("clean")
    ids = {
        known.CLEAN: clean,
        known.OLD: images.pop("ide"),
        known.SERVER: nova_cloud.ACTED_ON,
        known.PORT: abuse_nova_cases.name_of("1", 1),
        known.VOLUME: abuse_nova_cases.name_of("1", 2),
    }
    disks = [images.pop(name) for name in abuse_images.DISKS]
    yield from abuse_nova_boots.unread(clean, disks)
    yield from abuse_nova_boots.networks(clean)
    yield from abuse_nova_boots.devices(clean)
    yield from abuse_nova_boots.bodies(clean)
    yield from abuse_nova_cases.stored(images)
    yield from abuse_nova_cases.changes(clean)
    size = abuse_nova_cases.SIZE
    yield from seeded(seeded_case(ids), RANDOM, "nova", size)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    settings = json.loads(file.read_text())
    home = Path(settings["directory"])
    os.chdir(home)
    service = prepared(home, settings["peers"])
    warm_up = abuse_nova_cases.boot("warm_up", settings["images"]["clean"])
    abuse_service.main(file, service, warm_up, cases(settings["images"]))
