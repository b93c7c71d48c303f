# SPDX-License-Identifier: Apache-2.0
"""Hostile requests to the Nova API; see ``abuse_service``.

Only the API, as in the benchmark ``nova-api``; Glance is a real one.  What
needs a body that is as large as Nova takes is just below that.
"""

import json
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from nova import monkey_patch

# Before anything else of Nova, as nova.wsgi.osapi_compute does.
monkey_patch.patch(backend="threading")

from paste import deploy  # noqa: E402

from tests.benchmarks import (  # noqa: E402
    abuse_service,
    nova_cloud,
    nova_server,
)
from tests.benchmarks.abuse_cost import Finding  # noqa: E402
from tests.benchmarks.abuse_service import (  # noqa: E402
    Case,
    case,
    filled,
    seeded,
)
from tests.benchmarks.forked import PASS_ON  # noqa: E402
from tests.benchmarks.nova_network import ABSENT, FREE, USED  # noqa: E402
from tests.functional.glance import identity  # noqa: E402
from tests.functional.nova.service import GATE  # noqa: E402
from tests.fuzz import nova_stubs as known  # noqa: E402
from tests.fuzz import test_fuzz_nova as odd  # noqa: E402

RANDOM = 100
TOKEN = identity.token(nova_cloud.PROJECT)
#: Nova's limit of a body is 114,688 bytes.
SIZE = 112_000
DEEP = 50_000
#: Nova itself takes half a minute for thousands.
KEYS, SPECS = 500, 60
SERVERS = "/v2.1/servers"
MAPPING = "block_device_mapping_v2"
DEVICES = json.dumps(filled(lambda _: {"disk_bus": "ide"}, 82_000))
NUMBERS = {
    "infinity": "Infinity",
    "1e400": "1e400",
    "minus_1e999": "-1e999",
    "nan": "NaN",
}
BOOT = {
    "name": "a server",
    "flavorRef": nova_cloud.FLAVOR,
    "networks": "none",
}
SERVER = f"/v2.1/servers/{nova_cloud.ACTED_ON}"
ACTION = f"{SERVER}/action"
EXTRA_SPECS = f"/v2.1/flavors/{nova_cloud.FLAVOR}/os-extra_specs"
VERSION = {"HTTP_OPENSTACK_API_VERSION": "compute 2.96"}
OLDEST = {"HTTP_OPENSTACK_API_VERSION": "compute 2.1"}
ADMIN = {
    **VERSION,
    "HTTP_X_AUTH_TOKEN": identity.token(nova_cloud.PROJECT, roles="admin"),
}
#: No nova-compute answers.
_MORE = """
[DEFAULT]
rpc_response_timeout = 1
[cinder]
endpoint_template = {peers}/v3/%(project_id)s
"""


def name_of(first: str, number: int) -> str:
    """Return a UUID that begins with a digit; see ``nova_network``."""
    return first + str(uuid.UUID(int=number))[1:]


def request(
    name: str, path: str, body: Any, method: str = "POST", **environ: str
) -> Case:
    """Return a request to Nova."""
    return case(f"nova_{name}", method, path, body, **environ or VERSION)


def device(kind: str, name: str, index: int, **more: Any) -> dict[str, Any]:
    """Return a block device."""
    return {
        "uuid": name,
        "source_type": kind,
        "destination_type": "volume",
        "boot_index": index,
        **more,
    }


def boots(image: str, disks: list[str]) -> Iterator[Case]:
    """Yield boots with many ports, many block devices, or odd bodies.

    Nova refuses those with ``unread`` in their names before any look-up.

    :param disks: images for the disks of a boot
    """
    free = [name_of(FREE, number) for number in range(len(disks))]
    wrong = {"min_count": 2, "max_count": 1}
    unread_ports = [{"port": name} for name in free]
    ports = {
        kind: filled(lambda n, first=first: {"port": name_of(first, n)}, SIZE)
        for kind, first in (("absent", ABSENT), ("used", USED), ("free", FREE))
    }
    used = partial(name_of, "1")
    devices = {
        kind: filled(
            lambda n, kind=kind, name=name: device(
                kind, name(n), 0, disk_bus="ide"
            ),
            SIZE,
        )
        for kind, name in (
            ("image", lambda _: image),
            ("volume", used),
            ("snapshot", used),
        )
    }
    servers: dict[str, dict[str, Any]] = {
        **{
            f"boot_unread_{kind}s": {
                MAPPING: [
                    device(kind, name, index, volume_size=1)
                    for index, name in enumerate(names)
                ],
                **wrong,
            }
            for kind, names in (
                ("image", disks),
                ("volume", free),
                ("snapshot", free),
            )
        },
        "boot_unread_ports": {"networks": unread_ports, **wrong},
        "boot_unread_ports_of_two": {
            "networks": unread_ports,
            "min_count": 2,
            "max_count": 2,
        },
        **{f"boot_ports_{kind}": {"networks": ports[kind]} for kind in ports},
        **{
            f"boot_port_{kind}_repeated": {"networks": all_[:1] * len(all_)}
            for kind, all_ in ports.items()
        },
        "boot_port_ids_odd": {"networks": [{"port": "x"}] * 7000},
        **{f"boot_{kind}s": {MAPPING: devices[kind]} for kind in devices},
        **{
            f"boot_{kind}s_no_image": {"imageRef": "", MAPPING: all_}
            for kind, all_ in devices.items()
        },
        "boot_volumes_format_1": {
            "imageRef": "",
            "block_device_mapping": filled(
                lambda n: {"volume_id": used(n), "device_name": "vda"}, SIZE
            ),
        },
        "boot_buses": {
            MAPPING: [
                {"disk_bus": f"ide{n}", "boot_index": n} for n in range(2000)
            ]
        },
        "boot_metadata": {"metadata": {"block_device_mapping": DEVICES}},
        "boot_hints": {"os:scheduler_hints": {"group": DEVICES}},
        "boot_image_long": {"imageRef": "x" * SIZE},
        "boot_flavor_long": {"flavorRef": "http://[" * 14_000},
    }
    plain = {**BOOT, "imageRef": image}
    for name, more in servers.items():
        yield request(name, SERVERS, {"server": plain | more})
    good = json.dumps({"server": plain}).encode()
    disk = device("volume", used(1), 7777)
    one = json.dumps({"server": {**BOOT, "imageRef": "", MAPPING: [disk]}})
    bodies = {
        **{
            f"boot_index_{name}": one.replace("7777", number).encode()
            for name, number in NUMBERS.items()
        },
        "deep_list": b"[" * DEEP + b"]" * DEEP,
        "deep_object": b'{"a":' * (DEEP // 3) + b"1" + b"}" * (DEEP // 3),
        "deep_server": b'{"server":' + b"[" * DEEP + b"]" * DEEP + b"}",
        "unfinished": b'{"server":' * (DEEP // 5),
        "too_long": good + b" " * (5 << 20),
        "same_key": b"{" + b'"server": {"imageRef": 1},' * 4000 + good[1:],
    }
    for name, body in bodies.items():
        yield request(name, SERVERS, body)
    yield request("trailing_slash", f"{SERVERS}/", good)
    yield request("newline", f"{SERVERS}\n", good)
    yield request("slashes", "/v2.1" + "/" * 60_000 + "servers", good)
    yield request("oldest", SERVERS, good, **OLDEST)


def stored(images: dict[str, str]) -> Iterator[Case]:
    """Yield requests about images whose properties are large.

    :param images: what is large, and the id
    """
    meta = {"metadata": {"hw_disk_bus": "ide"}}
    for kind, name in images.items():
        rescue = {"rescue": {"rescue_image_ref": name}}
        path = f"/v2.1/images/{name}/metadata"
        server = {"server": {**BOOT, "imageRef": name}}
        rebuild = {"rebuild": {"imageRef": name}}
        yield request(f"boot_of_image_{kind}", SERVERS, server)
        yield request(f"rebuild_{kind}", ACTION, rebuild)
        yield request(f"rescue_{kind}", ACTION, rescue)
        yield request(f"image_metadata_{kind}", path, meta, **OLDEST)


def changes(image: str) -> Iterator[Case]:
    """Yield actions, and writes of metadata and of extra specs."""
    keys = {f"hw_{number}": "ide" for number in range(KEYS)}
    path = f"/v2.1/images/{image}/metadata"
    for name, meta in {
        "bdm": {"block_device_mapping": DEVICES},
        "keys": keys,
        "long": {"hw_disk_bus": "ide" * 30_000},
    }.items():
        metadata = {"metadata": meta}
        for action in ("createImage", "createBackup"):
            body = {action: {"name": "x", **metadata}}
            yield request(f"{action.lower()}_{name}", ACTION, body)
        yield request(f"metadata_{name}", path, metadata, **OLDEST)
        yield request(f"put_metadata_{name}", path, metadata, "PUT", **OLDEST)
    for name, specs, environ in (
        ("unread_of_a_member", {"pci_passthrough:alias": "gpu:1"}, VERSION),
        ("keys", dict(list(keys.items())[:SPECS]), ADMIN),
        ("aliases", {"pci_passthrough:alias": "gpu:1," * 16_000}, ADMIN),
        ("checks", {"vhard:require": "iommu," * 16_000}, ADMIN),
    ):
        body = {"extra_specs": specs}
        yield request(f"specs_{name}", EXTRA_SPECS, body, **environ)
    actions = dict.fromkeys([*keys, "rebuild", "rescue"])
    yield request("actions", ACTION, actions)
    for name, port in (("_long", "1" * SIZE), ("", name_of("1", 1))):
        body = {"interfaceAttachment": {"port_id": port}}
        yield request(f"attach{name}", f"{SERVER}/os-interface", body)


def wish(ids: dict[str, str], mutator: Any) -> tuple[dict[str, Any], bytes]:
    """Return an odd request about objects of this cloud.

    :param ids: of the fuzz tests, and what stands for them here
    """
    environ, body = odd.wish(mutator)
    text, path = body.decode("latin-1"), environ["PATH_INFO"]
    for name, real in ids.items():
        text, path = text.replace(name, real), path.replace(name, real)
    return {**environ, "PATH_INFO": f"/v2.1{path}"}, text.encode("latin-1")


def cases(images: dict[str, str]) -> Iterator[Case]:
    """Yield all requests.

    :param images: ids by what is in them
    """
    clean = images["clean"]
    ids = {
        known.CLEAN: clean,
        known.OLD: images["ide"],
        known.SERVER: nova_cloud.ACTED_ON,
        known.PORT: name_of("1", 1),
        known.VOLUME: name_of("1", 2),
    }
    disks = {x: y for x, y in images.items() if x.startswith("disk_")}
    apart = {"clean", "ide", *disks}
    server = {"server": {**BOOT, "imageRef": clean}}
    yield request("boot_warm_up", SERVERS, server)
    yield from boots(clean, list(disks.values()))
    yield from stored({x: images[x] for x in images if x not in apart})
    yield from changes(clean)
    yield from seeded(partial(wish, ids), RANDOM, "nova", SIZE)


def find(
    directory: Path, images: dict[str, str], peers: str
) -> Iterator[Finding]:
    """Yield what requests cost Nova from a directory with its databases.

    :param peers: the address of the volume service
    """
    with (directory / "nova.conf").open("a") as stream:
        stream.write(_MORE.format(peers=peers))
    other = directory / "plain"
    other.mkdir()
    nova_cloud.write_paste_file(directory, GATE)
    nova_cloud.write_paste_file(other, PASS_ON)
    paste = other.resolve() / "api-paste.ini"
    apps = (
        nova_server.load(directory),
        deploy.loadapp(f"config:{paste}", name="osapi_compute"),
    )
    log, databases = directory / "nova-api.log", directory.glob("*.sqlite")
    yield from abuse_service.found(apps, log, databases, TOKEN, cases(images))
