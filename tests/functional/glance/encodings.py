# SPDX-License-Identifier: Apache-2.0
"""Ways to write one and the same wish that Glance understands all the same.

Every entry is a request which plain Glance stores (test_bypass.py shows it),
with the property and the value that end up stored.
"""

from dataclasses import dataclass, replace

from tests.functional.glance.wire import (
    CHUNKED,
    PATCH_20,
    PATCH_21,
    Wire,
    add,
    create,
    remove,
    update,
)

VND = "application/vnd.openstack.images-v2.1"
_BDM = (
    '[{"source_type": "image", "destination_type": "local",'
    ' "boot_index": 0, "disk_bus": "ide"}]'
)
_BDM_CDROM = (
    '[{"source_type": "blank", "destination_type": "volume",'
    ' "volume_size": 1, "device_type": "cdrom", "disk_bus": "ide"}]'
)
_VERSIONS = [f"v2.{minor}" for minor in (*range(14), 15, 17)]


@dataclass(frozen=True)
class Stored:
    """A request, and the property and value that Glance stores for it."""

    wire: Wire
    name: str = "hw_disk_bus"
    value: str = "ide"


def _body(text: str, **parts: str) -> Stored:
    return Stored(create({}, body=text.encode(), **parts))


_IDE = create({"hw_disk_bus": "ide"})


def _at(path: str, **headers: str) -> Stored:
    return Stored(replace(_IDE, path=path, headers=headers))


def _property(name: str, value: str) -> Stored:
    return Stored(create({name: value}), name, value)


CREATE: dict[str, Stored] = {
    "plain": Stored(_IDE),
    "e1000": _property("hw_vif_model", "e1000"),
    "upper case": _property("hw_vif_model", "E1000"),
    "mixed case": _property("hw_scsi_model", "LsiLogic"),
    "scsi model alias": _property("hw_scsi_model", "lsilogicsas"),
    "legacy adapter ide": _property("vmware_adaptertype", "ide"),
    "legacy adapter lsi": _property("vmware_adaptertype", "lsiLogic"),
    "legacy vif name": _property("hw_vif_model", "VirtualE1000"),
    "legacy vif pcnet": _property("hw_vif_model", "VirtualPCNet32"),
    "rescue": _property("hw_rescue_bus", "ide"),
    "bdm in JSON": Stored(
        create({"bdm_v2": "True", "block_device_mapping": _BDM}),
        "block_device_mapping",
        _BDM,
    ),
    "bdm of a cdrom": Stored(
        create({"bdm_v2": "true", "block_device_mapping": _BDM_CDROM}),
        "block_device_mapping",
        _BDM_CDROM,
    ),
    "bdm under its new name": Stored(
        create({"img_bdm_v2": "true", "img_block_device_mapping": _BDM}),
        "img_block_device_mapping",
        _BDM,
    ),
    "current beats legacy name": Stored(
        create({"vmware_adaptertype": "virtio", "hw_disk_bus": "ide"})
    ),
    "duplicate key": _body('{"hw_disk_bus": "virtio", "hw_disk_bus": "ide"}'),
    "escaped key": _body('{"hw_disk\\u005fbus": "\\u0069de"}'),
    "blanks around": _body('\r\n\t {"hw_disk_bus"\n:\t"ide"}  \n'),
    "content type text": _body('{"hw_disk_bus": "ide"}', content_type="x/y"),
    "no content type": _body('{"hw_disk_bus": "ide"}', content_type=""),
    "content type form": _body(
        '{"hw_disk_bus": "ide"}',
        content_type="application/x-www-form-urlencoded",
    ),
    "foreign charset": _body(
        '{"hw_disk_bus": "ide"}',
        content_type="application/json; charset=utf-16",
    ),
    "chunked": Stored(replace(_IDE, framing=CHUNKED)),
    "slashes": _at("//v2//images"),
    "slashes after version": _at("/v2////images"),
    "escaped letter": _at("/v2/%69mages"),
    "query": _at("/v2/images?a=b&method=GET"),
    "mounted": Stored(replace(_IDE, mount="/image")),
    "media type version": _at("/images", Accept=VND),
    "media type and slashes": _at("//images", Accept=VND),
} | {version: _at(f"/{version}/images") for version in _VERSIONS}


def _patch(text: str, content_type: str = PATCH_21, **parts: str) -> Stored:
    return Stored(
        update(body=text.encode(), content_type=content_type, **parts)
    )


_ADD = add("/hw_disk_bus", "ide")
_ADD_TEXT = '[{"op": "add", "path": "/hw_disk_bus", "value": "ide"}]'


def _path(path: str, **headers: str) -> Stored:
    return Stored(update(_ADD, path=path, headers=headers))


UPDATE: dict[str, Stored] = {
    "add": Stored(update(_ADD)),
    "double slash": Stored(update(add("//hw_disk_bus", "ide"))),
    "blank before": Stored(update(add("/ hw_disk_bus", "ide"))),
    "blank after": Stored(update(add("/hw_disk_bus ", "ide"))),
    "tab before": Stored(update(add("/\thw_disk_bus", "ide"))),
    "no-break space": Stored(update(add("/\u00a0hw_disk_bus", "ide"))),
    "legacy adapter": Stored(
        update(add("/vmware_adaptertype", "ide")), "vmware_adaptertype"
    ),
    "legacy vif name": Stored(
        update(add("/hw_vif_model", "VirtualE1000")),
        "hw_vif_model",
        "VirtualE1000",
    ),
    "bdm in JSON": Stored(
        update(
            add("/bdm_v2", "true"),
            add("/block_device_mapping", _BDM),
        ),
        "block_device_mapping",
        _BDM,
    ),
    "good, then bad": Stored(
        update(
            add("/hw_disk_bus", "virtio"),
            {"op": "replace", "path": "/hw_disk_bus", "value": "ide"},
        )
    ),
    "gone, then back": Stored(update(_ADD, remove("/hw_disk_bus"), _ADD)),
    "behind others": Stored(
        update(add("/name", "x"), add("/tags", ["a"]), _ADD)
    ),
    "v2.0 add": _patch('[{"add": "/hw_disk_bus", "value": "ide"}]', PATCH_20),
    "v2.0 double slash": _patch(
        '[{"add": "//hw_disk_bus", "value": "ide"}]', PATCH_20
    ),
    "v2.0 with decoy op": _patch(
        '[{"op": "remove", "path": "/name",'
        ' "add": "/hw_disk_bus", "value": "ide"}]',
        PATCH_20,
    ),
    "v2.1 with decoy add": _patch(
        '[{"add": "/name", "op": "add", "path": "/hw_disk_bus",'
        ' "value": "ide"}]'
    ),
    "duplicate path": _patch(
        '[{"op": "add", "path": "/name", "path": "/hw_disk_bus",'
        ' "value": "ide"}]'
    ),
    "duplicate value": _patch(
        '[{"op": "add", "path": "/hw_disk_bus", "value": "virtio",'
        ' "value": "ide"}]'
    ),
    "escaped pointer": _patch(
        '[{"op": "add", "path": "/hw\\u005fdisk_bus", "value": "ide"}]'
    ),
    "content type with charset": _patch(
        _ADD_TEXT, content_type=PATCH_21 + "; charset=UTF-8"
    ),
    "chunked": _patch(_ADD_TEXT, framing=CHUNKED),
    "slashes": _path("//v2//images//{id}"),
    "query": _path("/v2/images/{id}?a=b"),
    "mounted": Stored(update(_ADD, mount="/image")),
    "media type version": _path("/images/{id}", Accept=VND),
} | {version: _path(f"/{version}/images/{{id}}") for version in _VERSIONS}
