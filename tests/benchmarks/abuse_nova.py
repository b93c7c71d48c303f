# SPDX-License-Identifier: Apache-2.0
"""Hostile requests to the Nova API; see ``abuse_service``.

Only the API, as in the benchmark ``nova-api``; Glance is a real one.  What
needs a body that is as large as Nova takes is just below that.
"""

import json
import uuid
from collections.abc import Callable, Iterator
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
from tests.benchmarks.abuse_service import Case, filled, seeded  # noqa: E402
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


def case(
    name: str, path: str, body: Any, method: str = "POST", **environ: str
) -> Case:
    """Return a request; a body that is not bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(f"nova_{name}", method, path, raw, environ=environ or VERSION)


def boot(name: str, /, image: str, **more: Any) -> Case:
    """Return a boot."""
    server = {
        "name": "a server",
        "imageRef": image,
        "flavorRef": nova_cloud.FLAVOR,
        "networks": "none",
        **more,
    }
    return case(f"boot_{name}", "/v2.1/servers", {"server": server})


def device(kind: str, name: str, index: int, **more: Any) -> dict[str, Any]:
    """Return a block device."""
    return {
        "uuid": name,
        "source_type": kind,
        "destination_type": "volume",
        "boot_index": index,
        **more,
    }


def unread(image: str, disks: list[str]) -> Iterator[Case]:
    """Yield requests that Nova refuses before its first look-up.

    :param disks: images for the disks of a boot
    """
    free = [name_of(FREE, number) for number in range(len(disks))]
    ports = [{"port": name} for name in free]
    wrong = {"min_count": 2, "max_count": 1}
    for kind in ("image", "volume", "snapshot"):
        names = disks if kind == "image" else free
        devices = [
            device(kind, name, index, volume_size=1)
            for index, name in enumerate(names)
        ]
        yield boot(
            f"unread_{kind}s", image, block_device_mapping_v2=devices, **wrong
        )
    yield boot("unread_ports", image, networks=ports, **wrong)
    yield boot(
        "unread_ports_of_two", image, networks=ports, min_count=2, max_count=2
    )
    specs = {"extra_specs": {"pci_passthrough:alias": "gpu:1"}}
    yield case("specs_unread_of_a_member", EXTRA_SPECS, specs)


def boots(image: str) -> Iterator[Case]:
    """Yield boots with many ports, many block devices, or odd bodies."""
    for kind, first in (("absent", ABSENT), ("used", USED), ("free", FREE)):
        ports = filled(lambda n, f=first: {"port": name_of(f, n)}, SIZE)
        same = ports[:1] * len(ports)
        yield boot(f"ports_{kind}", image, networks=ports)
        yield boot(f"port_{kind}_repeated", image, networks=same)
    yield boot("port_ids_odd", image, networks=[{"port": "x"}] * 7000)

    def entry(kind: str, number: int) -> dict[str, Any]:
        name = image if kind == "image" else name_of("1", number)
        return device(kind, name, 0, disk_bus="ide")

    for kind in ("image", "volume", "snapshot"):
        devices = filled(lambda n, kind=kind: entry(kind, n), SIZE)
        yield boot(f"{kind}s", image, block_device_mapping_v2=devices)
        yield boot(f"{kind}s_no_image", "", block_device_mapping_v2=devices)
    old = filled(
        lambda n: {"volume_id": name_of("1", n), "device_name": "vda"}, SIZE
    )
    yield boot("volumes_format_1", "", block_device_mapping=old)
    buses = [{"disk_bus": f"ide{n}", "boot_index": n} for n in range(2000)]
    yield boot("buses", image, block_device_mapping_v2=buses)
    one = boot(
        "",
        "",
        block_device_mapping_v2=[device("volume", name_of("1", 1), 7777)],
    )
    for name, number in {
        "infinity": b"Infinity",
        "1e400": b"1e400",
        "minus_1e999": b"-1e999",
        "nan": b"NaN",
    }.items():
        body = one.body.replace(b"7777", number)
        yield case(f"boot_index_{name}", one.path, body)
    mapping = json.dumps(filled(lambda _: {"disk_bus": "ide"}, 82_000))
    yield boot("metadata", image, metadata={"block_device_mapping": mapping})
    yield boot("hints", image, **{"os:scheduler_hints": {"group": mapping}})
    yield boot("image_long", "x" * SIZE)
    yield boot("flavor_long", image, flavorRef="http://[" * 14_000)
    good = boot("", image)
    for name, body in {
        "deep_list": b"[" * DEEP + b"]" * DEEP,
        "deep_object": b'{"a":' * (DEEP // 3) + b"1" + b"}" * (DEEP // 3),
        "deep_server": b'{"server":' + b"[" * DEEP + b"]" * DEEP + b"}",
        "unfinished": b'{"server":' * (DEEP // 5),
        "too_long": good.body + b" " * (5 << 20),
        "same_key": b"{"
        + b'"server": {"imageRef": 1},' * 4000
        + good.body[1:],
    }.items():
        yield case(name, good.path, body)
    yield case("trailing_slash", good.path + "/", good.body)
    yield case("newline", good.path + "\n", good.body)
    yield case("slashes", "/v2.1" + "/" * 60_000 + "servers", good.body)
    yield case("oldest", good.path, good.body, **OLDEST)


def stored(images: dict[str, str]) -> Iterator[Case]:
    """Yield requests about images whose properties are large.

    :param images: what is large, and the id
    """
    meta = {"metadata": {"hw_disk_bus": "ide"}}
    for kind, name in images.items():
        rescue = {"rescue": {"rescue_image_ref": name}}
        path = f"/v2.1/images/{name}/metadata"
        yield boot(f"of_image_{kind}", name)
        yield case(f"rebuild_{kind}", ACTION, {"rebuild": {"imageRef": name}})
        yield case(f"rescue_{kind}", ACTION, rescue)
        yield case(f"image_metadata_{kind}", path, meta, **OLDEST)


def changes(image: str) -> Iterator[Case]:
    """Yield actions, and writes of metadata and of extra specs."""
    mapping = json.dumps(filled(lambda _: {"disk_bus": "ide"}, 82_000))
    keys = {f"hw_{number}": "ide" for number in range(KEYS)}
    path = f"/v2.1/images/{image}/metadata"
    for name, meta in {
        "bdm": {"block_device_mapping": mapping},
        "keys": keys,
        "long": {"hw_disk_bus": "ide" * 30_000},
    }.items():
        body = {"name": "x", "metadata": meta}
        metadata = {"metadata": meta}
        yield case(f"createimage_{name}", ACTION, {"createImage": body})
        yield case(f"createbackup_{name}", ACTION, {"createBackup": body})
        yield case(f"metadata_{name}", path, metadata, **OLDEST)
        yield case(f"put_metadata_{name}", path, metadata, "PUT", **OLDEST)
    for name, specs in {
        "keys": dict(list(keys.items())[:SPECS]),
        "aliases": {"pci_passthrough:alias": "gpu:1," * 16_000},
        "checks": {"vhard:require": "iommu," * 16_000},
    }.items():
        body = {"extra_specs": specs}
        yield case(f"specs_{name}", EXTRA_SPECS, body, **ADMIN)
    yield case("actions", ACTION, dict.fromkeys([*keys, "rebuild", "rescue"]))
    for name, port in {
        "attach_long": "1" * SIZE,
        "attach": name_of("1", 1),
    }.items():
        body = {"interfaceAttachment": {"port_id": port}}
        yield case(name, f"{SERVER}/os-interface", body)


def seeded_case(ids: dict[str, str]) -> Callable[[Any], Any]:
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
    clean, old = images.pop("clean"), images.pop("ide")
    ids = {
        known.CLEAN: clean,
        known.OLD: old,
        known.SERVER: nova_cloud.ACTED_ON,
        known.PORT: name_of("1", 1),
        known.VOLUME: name_of("1", 2),
    }
    disks = [name for name in images if name.startswith("disk_")]
    yield from unread(clean, [images.pop(name) for name in disks])
    yield from boots(clean)
    yield from stored(images)
    yield from changes(clean)
    yield from seeded(seeded_case(ids), RANDOM, "nova", SIZE)


def find(directory: Path, images: dict[str, str], peers: str) -> list[Finding]:
    """Return what requests cost Nova from a directory with its databases.

    :param peers: the address of the volume service
    """
    with (directory / "nova.conf").open("a") as stream:
        stream.write(_MORE.format(peers=peers))
    other = directory / "plain"
    other.mkdir()
    nova_cloud.write_paste_file(directory, GATE)
    nova_cloud.write_paste_file(other, PASS_ON)
    gate = nova_server.load(directory)
    paste = (other / "api-paste.ini").resolve()
    plain = deploy.loadapp(f"config:{paste}", name="osapi_compute")
    databases = sorted(directory.glob("*.sqlite"))
    log = directory / "nova-api.log"
    made = abuse_service.Service(gate, plain, log, databases, TOKEN)
    warm_up = boot("warm_up", images["clean"])
    return abuse_service.found(made, warm_up, cases(images))


if __name__ == "__main__":
    abuse_service.main(find)
