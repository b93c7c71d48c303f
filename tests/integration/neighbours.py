# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for Cinder and Neutron, as far as Nova asks them for a guest.

Any volume, snapshot and port that somebody names is there. A volume is a file
of this machine. A snapshot is of the volume of the same id, and an attachment
has the id of its volume. A port turns direct as soon as Nova binds it.
"""

import json
import pathlib
import uuid
from collections import defaultdict

import webob
from webob import dec

_NETWORK = "7e6c2f0a-5b0d-4a52-9a3e-2c1d9b6f7a11"
_VERSIONS = [
    {"id": "v3.0", "status": "CURRENT", "version": "3.71"}
    | {"min_version": "3.0", "updated": "2023-08-31T00:00:00Z", "links": []}
]
_DIRECT = {
    "binding:vnic_type": "direct",
    "binding:vif_type": "hostdev_physical",
    "binding:vif_details": {},
    # A place at which no machine has a device.
    "binding:profile": {
        "pci_slot": "0000:ff:1f.7",
        "pci_vendor_info": "8086:10ed",
        "physical_network": "physnet1",
    },
}
_SIZE = 1 << 20

#: Image metadata of volumes, whether each is attached, and ports, by id.
_METADATA = defaultdict(dict)
_ATTACHED = defaultdict(bool)
_PORTS = {}


@dec.wsgify
def application(request):
    """Answer in the process whose working directory is the cloud's."""
    parts = request.path.strip("/").split("/")
    if parts == [""]:
        return _json({"versions": _VERSIONS})
    if parts[0] == "v3":
        return _storage(request, *parts[2:])
    return _network(request, *parts[1:])


def _storage(request, kind, key="", action=""):
    body = request.json if request.body else {}
    if action == "encryption":
        return _json({})
    if action == "action":
        # What Cinder calls the owner's change of a volume.
        asked = body.get("os-set_image_metadata", {"metadata": {}})
        _METADATA[key].update(asked["metadata"])
        return _json({}, 202)
    if kind == "attachments":
        key = key or body["attachment"]["volume_uuid"]
        _ATTACHED[key] = request.method != "DELETE"
        return _json({"attachment": _attachment(key)})
    return _json({kind[:-1]: _volume(key or str(uuid.uuid4()))})


def _volume(key):
    return {
        "id": key,
        "volume_id": key,
        "name": "",
        "description": "",
        "status": "in-use" if _ATTACHED[key] else "available",
        "size": 1,
        "availability_zone": "nova",
        "bootable": "true",
        "multiattach": False,
        "attachments": [],
        "metadata": {},
        "created_at": "2026-01-01T00:00:00",
        "progress": "100%",
        "project_id": "",
        "volume_type": None,
        "snapshot_id": None,
        "volume_image_metadata": {"min_ram": "0", "min_disk": "0"}
        | _METADATA[key],
    }


def _attachment(key):
    """Return what is attached: a file, as of a shared file system."""
    path = pathlib.Path("volumes", f"{key}.img").absolute()
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_bytes(bytes(_SIZE))
    return {
        "id": key,
        "volume_id": key,
        "status": "attaching",
        "connection_info": {
            "driver_volume_type": "gpfs",
            "device_path": str(path),
            "access_mode": "rw",
        },
    }


def _network(request, kind, key=""):
    if kind == "ports" and key:
        port = _PORTS.setdefault(key, _port(key))
        asked = request.json["port"] if request.body else {}
        port.update(asked)
        if asked.get("binding:host_id"):
            port.update(_DIRECT)
        return _json({"port": port})
    network = {"id": _NETWORK, "name": "net", "subnets": [], "shared": True}
    network |= {"tenant_id": "", "router:external": False, "mtu": 1500}
    network |= {"provider:physical_network": "physnet1"}
    network |= {"port_security_enabled": False}
    if key:
        return _json({"network": network, kind[:-1]: network})
    owner = request.GET.get("device_id")
    ports = [port for port in _PORTS.values() if port["device_id"] == owner]
    known = {"networks": [network], "ports": ports}
    return _json({kind.replace("-", "_"): known.get(kind, [])})


def _port(key):
    return {
        "id": key,
        "name": "",
        "admin_state_up": True,
        "status": "ACTIVE",
        "binding:vnic_type": "normal",
        "binding:vif_type": "unbound",
        "binding:profile": {},
        "device_id": "",
        "fixed_ips": [],
        "ip_allocation": "none",
        "mac_address": "fa:16:3e:00:00:35",
        "network_id": _NETWORK,
        "security_groups": [],
        "tenant_id": "",
    }


def _json(content, status=200):
    return webob.Response(
        json.dumps(content).encode(), status, content_type="application/json"
    )
