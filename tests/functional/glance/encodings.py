# SPDX-License-Identifier: Apache-2.0
"""Requests that Glance accepts without the gate, and the gate's status.

Many of them encode the same change in different ways, and Glance understands
all of them. test_bypass.py sends each request with and without the gate.
"""

from collections import namedtuple
from dataclasses import replace

from tests.functional.glance.wire import (
    CHUNKED,
    PATCH_20,
    PATCH_21,
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


#: A request that creates an image, the property and value that Glance stores
#: without the gate, and the status with the gate.
Stored = namedtuple(
    "Stored", "wire name value status", defaults=("hw_disk_bus", "ide", 403)
)


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
    # Routes replaces the method, in Glance as in Nova: the gate answers 400.
    **{
        f"{method} {path}": Stored(
            replace(_IDE, method=method, path=path), status=400
        )
        for method, path in (
            ("POST", "/v2/images?_method=POST"),
            ("PUT", "/v2/images?_method=POST"),
            ("GET", "/v2/images?_method=post"),
            ("DELETE", "/v2/images?a=b&_method=POST"),
            ("HEAD", "/v2//images?_method=POST&_method=POST"),
            ("PUT", "/v2.9/images?_method=POST"),
            ("PUT", "/v2/images?%5Fmethod=POST&a=_method"),
            ("PUT", "/v2/images?a=_method&_meth%6Fd=POST"),
        )
    },
} | {version: _at(f"/{version}/images") for version in _VERSIONS}


#: Refused violations; properties of the stored image; the status with the
#: gate; rules that refuse a server with the changed image, if one is booted.
Change = namedtuple(
    "Change",
    "wire refused stored status boot",
    defaults=(["disk_bus=ide"], {}, 403, None),
)


def swap(path: str, value: str) -> dict[str, str]:
    """Return the v2.1 operation that replaces a value."""
    return {"op": "replace", "path": path, "value": value}


def _patch(text: str, content_type: str = PATCH_21, **parts: str) -> Change:
    wire = update(body=text.encode(), content_type=content_type, **parts)
    return Change(wire)


_ADD = add("/hw_disk_bus", "ide")
_ADD_TEXT = '[{"op": "add", "path": "/hw_disk_bus", "value": "ide"}]'


def _path(path: str, **parts: object) -> Change:
    return Change(update(_ADD, path=path, **parts))


UPDATE: dict[str, Change] = {
    "add": Change(update(_ADD)),
    "double slash": Change(update(add("//hw_disk_bus", "ide"))),
    "blank before": Change(update(add("/ hw_disk_bus", "ide"))),
    "blank after": Change(update(add("/hw_disk_bus ", "ide"))),
    "tab before": Change(update(add("/\thw_disk_bus", "ide"))),
    "no-break space": Change(update(add("/\u00a0hw_disk_bus", "ide"))),
    "legacy adapter": Change(update(add("/vmware_adaptertype", "ide"))),
    "legacy vif name": Change(
        update(add("/hw_vif_model", "VirtualE1000")), ["vif_model=e1000"]
    ),
    "bdm in JSON": Change(
        update(add("/bdm_v2", "true"), add("/block_device_mapping", _BDM))
    ),
    "good, then bad": Change(
        update(add("/hw_disk_bus", "virtio"), swap("/hw_disk_bus", "ide"))
    ),
    "gone, then back": Change(update(_ADD, remove("/hw_disk_bus"), _ADD)),
    "behind others": Change(
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
    "mounted": Change(update(_ADD, mount="/image")),
    "media type version": _path("/images/{id}", headers={"Accept": VND}),
    **{version: _path(f"/{version}/images/{{id}}") for version in _VERSIONS},
    **{
        f"{method}, which _method replaces": Change(
            update(_ADD, method=method, path="/v2/images/{id}?_method=PATCH"),
            [],
            status=400,
        )
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH")
    },
}

OLD = {"hw_disk_bus": "ide"}
TWO = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}
HIDDEN = {"vmware_adaptertype": "ide", "hw_disk_bus": "virtio"}
PC = {"hw_machine_type": "pc"}
SCSI = {"hw_disk_bus": "scsi"}
DRIVE = add("/img_config_drive", "mandatory")
TO_IDE, TO_SCSI, TO_VIRTIO = (
    swap("/hw_disk_bus", bus) for bus in ("ide", "scsi", "virtio")
)
_CDROM = ["guest_devices.cdrom_bus"]
_CONTROLLER = ["guest_devices.scsi_model"]


def _good(
    stored: dict[str, str], *operations: object, boot: object = None
) -> Change:
    return Change(update(*operations), [], stored, 200, boot)


#: Allowed: an image with an old bus can be renamed.
UPDATE |= {
    "new name": _good(OLD, swap("/name", "new")),
    "new tag": _good(OLD, add("/tags", ["a"])),
    "unrelated property": _good(OLD, add("/os_admin_user", "root")),
    "another good device": _good(OLD, add("/hw_vif_model", "virtio")),
    "bad one removed": _good(OLD, remove("/hw_disk_bus")),
    "bad one repaired": _good(OLD, TO_VIRTIO),
    "bad one repaired in two steps": _good(
        OLD, TO_SCSI, add("/hw_scsi_model", "virtio-scsi")
    ),
    "one of two repaired": _good(TWO, TO_VIRTIO),
    "legacy name removed beside current": _good(
        HIDDEN, remove("/vmware_adaptertype")
    ),
    "bad on the way only": _good({}, _ADD, TO_VIRTIO),
    "gone in the end": _good({}, _ADD, remove("/hw_disk_bus")),
    "config drive on q35": _good({"hw_machine_type": "q35"}, DRIVE),
    "config drive on pc with a bus": _good(
        {**PC, "hw_cdrom_bus": "sata"}, DRIVE
    ),
    "no such property as far as nova knows": _good(
        {}, add("/~1hw_disk_bus", "ide"), add("/hw_disk_bus~1", "ide")
    ),
    "another property named alike": _good({}, add("/HW_DISK_BUS", "ide")),
    "upper case of a good one": _good({}, add("/hw_vif_model", "VIRTIO")),
    "nothing at all": _good(OLD),
}

#: Allowed, although a default bus or model makes a boot of the image refused.
UPDATE |= {
    "half repaired": _good(OLD, TO_SCSI, boot=_CONTROLLER),
    "scsi without a controller": _good(
        {}, add("/hw_disk_bus", "scsi"), boot=_CONTROLLER
    ),
    "config drive on pc": _good(PC, DRIVE, boot=_CDROM),
    "bus of the config drive removed": _good(
        {**PC, "img_config_drive": "mandatory", "hw_cdrom_bus": "sata"},
        remove("/hw_cdrom_bus"),
        boot=_CDROM,
    ),
    "machine type under a config drive": _good(
        {"img_config_drive": "mandatory"},
        add("/hw_machine_type", "pc-i440fx-9.0"),
        boot=_CDROM,
    ),
    "iso on pc": _good(PC, swap("/disk_format", "iso"), boot=_CDROM),
}

#: lsilogic is libvirt's default controller.
UPDATE |= {
    "scsi controller": _good(SCSI, add("/hw_scsi_model", "virtio-scsi")),
    "its default, new": Change(
        update(add("/hw_scsi_model", "lsilogic")), ["scsi_model=lsilogic"]
    ),
    "its default, named": Change(
        update(add("/hw_scsi_model", "lsilogic")),
        ["scsi_model=lsilogic"],
        SCSI,
    ),
    "ide beside a controller": Change(
        update(_ADD), stored={"hw_scsi_model": "virtio-scsi"}
    ),
}

#: Refused because of the properties in the request, although the stored image
#: violates the policy already.
UPDATE |= {
    "same value again": Change(update(TO_IDE), stored=OLD),
    "added again": Change(update(_ADD), stored=OLD),
    "removed and added again": Change(
        update(remove("/hw_disk_bus"), _ADD), stored=OLD
    ),
    "other bad value": Change(
        update(swap("/hw_disk_bus", "fdc")), ["disk_bus=fdc"], OLD
    ),
    "new one beside an old one": Change(
        update(add("/hw_vif_model", "e1000")), ["vif_model=e1000"], OLD
    ),
    "config drive on an old bus": Change(
        update(DRIVE), ["cdrom_bus=ide"], {"hw_cdrom_bus": "ide"}
    ),
    "old bus under a config drive": Change(
        update(add("/hw_cdrom_bus", "ide")),
        ["cdrom_bus=ide"],
        {"img_config_drive": "mandatory"},
    ),
    "legacy value uncovered": Change(
        update(remove("/hw_disk_bus")), stored=HIDDEN
    ),
}
