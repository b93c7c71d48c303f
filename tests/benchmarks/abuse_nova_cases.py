# SPDX-License-Identifier: Apache-2.0
"""Hostile requests to the Nova API.

What needs a body that is as large as Nova takes is just below that.
"""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from tests.benchmarks import nova_cloud
from tests.benchmarks.abuse_case import Case, filled
from tests.functional.glance import identity

#: Nova's limit of a body is 114,688 bytes.
SIZE = 112_000
#: Nova itself takes half a minute for thousands.
KEYS, SPECS = 500, 60
SERVER = f"/v2.1/servers/{nova_cloud.ACTED_ON}"
VERSION = {"HTTP_OPENSTACK_API_VERSION": "compute 2.96"}
OLDEST = {"HTTP_OPENSTACK_API_VERSION": "compute 2.1"}
ADMIN = {
    **VERSION,
    "HTTP_X_AUTH_TOKEN": identity.token(nova_cloud.PROJECT, roles="admin"),
}


def name_of(first: str, number: int) -> str:
    """Return a UUID that begins with a digit; see ``abuse_peers``."""
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


def stored(images: dict[str, str]) -> Iterator[Case]:
    """Yield requests about images whose properties are large.

    :param images: what is large, and the id
    """
    action = f"{SERVER}/action"
    for kind, name in images.items():
        yield boot(f"of_image_{kind}", name)
        yield case(f"rebuild_{kind}", action, {"rebuild": {"imageRef": name}})
        body = {"rescue": {"rescue_image_ref": name}}
        yield case(f"rescue_{kind}", action, body)
        meta = {"metadata": {"hw_disk_bus": "ide"}}
        yield case(
            f"image_metadata_{kind}",
            f"/v2.1/images/{name}/metadata",
            meta,
            **OLDEST,
        )


def changes(image: str) -> Iterator[Case]:
    """Yield actions, and writes of metadata and of extra specs."""
    mapping = json.dumps(filled(lambda _: {"disk_bus": "ide"}, 82_000))
    keys = {f"hw_{number}": "ide" for number in range(KEYS)}
    action = f"{SERVER}/action"
    metadata = f"/v2.1/images/{image}/metadata"
    for name, meta in (
        ("bdm", {"block_device_mapping": mapping}),
        ("keys", keys),
        ("long", {"hw_disk_bus": "ide" * 30_000}),
    ):
        for kind in ("createImage", "createBackup"):
            asked = {kind: {"name": "x", "metadata": meta}}
            yield case(f"{kind.lower()}_{name}", action, asked)
        yield case(f"metadata_{name}", metadata, {"metadata": meta}, **OLDEST)
        yield case(
            f"put_metadata_{name}",
            metadata,
            {"metadata": meta},
            "PUT",
            **OLDEST,
        )
    for name, specs in (
        ("keys", dict(list(keys.items())[:SPECS])),
        ("aliases", {"pci_passthrough:alias": "gpu:1," * 16_000}),
        ("checks", {"vhard:require": "iommu," * 16_000}),
    ):
        path = f"/v2.1/flavors/{nova_cloud.FLAVOR}/os-extra_specs"
        yield case(f"specs_{name}", path, {"extra_specs": specs}, **ADMIN)
    yield case("actions", action, dict.fromkeys([*keys, "rebuild", "rescue"]))
    yield case(
        "attach_long",
        f"{SERVER}/os-interface",
        {"interfaceAttachment": {"port_id": "1" * SIZE}},
    )
    yield case(
        "attach",
        f"{SERVER}/os-interface",
        {"interfaceAttachment": {"port_id": name_of("1", 1)}},
    )
