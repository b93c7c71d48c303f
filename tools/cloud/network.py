# SPDX-License-Identifier: Apache-2.0
"""One network with a port of a host's own device, and one volume.

Neutron's and Cinder's APIs for Horizon's dialogs; each answers every question
alike: with everything that it has. The volume is of an image with an IDE disk.
"""

import contextlib
import functools
import json
import os
import urllib.error
import urllib.request

_OWNER = "whoever asks"
_NETWORK = {
    "id": "7e6c2f0a-5b0d-4a52-9a3e-2c1d9b6f7a01",
    "name": "private",
    "admin_state_up": True,
    "mtu": 1500,
    "provider:network_type": "vlan",
    "provider:physical_network": "physnet1",
    "router:external": False,
    "shared": True,
    "status": "ACTIVE",
    "subnets": [],
    "tenant_id": _OWNER,
}
_PORT = {
    "id": "7e6c2f0a-5b0d-4a52-9a3e-2c1d9b6f7a02",
    "name": "direct",
    "admin_state_up": True,
    "binding:vnic_type": "direct",
    "device_id": "",
    "device_owner": "",
    "fixed_ips": [],
    "mac_address": "fa:16:3e:00:00:01",
    "network_id": _NETWORK["id"],
    "security_groups": [],
    "status": "DOWN",
    "tenant_id": _OWNER,
}
_SUBNET = {
    "id": "7e6c2f0a-5b0d-4a52-9a3e-2c1d9b6f7a03",
    "name": "private",
    "allocation_pools": [],
    "cidr": "192.0.2.0/24",
    "dns_nameservers": [],
    "enable_dhcp": False,
    "gateway_ip": None,
    "host_routes": [],
    "ip_version": 4,
    "network_id": _NETWORK["id"],
    "tenant_id": _OWNER,
}
_NETWORK["subnets"].append(_SUBNET["id"])
_EMPTY = (
    "availability_zones",
    "extensions",
    "floatingips",
    "routers",
    "security_groups",
    "subnetpools",
)
_EVERYTHING = {
    "network": _NETWORK,
    "networks": [_NETWORK],
    "port": _PORT,
    "ports": [_PORT],
    "quota": {},
    "subnet": _SUBNET,
    "subnets": [_SUBNET],
    **{name: [] for name in _EMPTY},
}
_VOLUME = {
    "id": "7e6c2f0a-5b0d-4a52-9a3e-2c1d9b6f7a04",
    "name": "old-disk",
    "attachments": [],
    "availability_zone": "nova",
    "bootable": "true",
    "created_at": "2026-01-01T00:00:00.000000",
    "description": "",
    "encrypted": False,
    "metadata": {},
    "multiattach": False,
    "os-vol-tenant-attr:tenant_id": _OWNER,
    "size": 1,
    "snapshot_id": None,
    "source_volid": None,
    "status": "available",
    "volume_image_metadata": {"hw_disk_bus": "ide"},
    "volume_type": "",
}
_LIMITS = {
    "maxTotalSnapshots": 10,
    "maxTotalVolumeGigabytes": 1000,
    "maxTotalVolumes": 10,
    "totalGigabytesUsed": 1,
    "totalSnapshotsUsed": 0,
    "totalVolumesUsed": 1,
}
_V3 = {
    "id": "v3.0",
    "links": [],
    "min_version": "3.0",
    "status": "CURRENT",
    "updated": "2023-08-31T00:00:00Z",
    "version": "3.71",
}
_STORAGE = {
    "availabilityZoneInfo": [],
    "extensions": [],
    "limits": {"absolute": _LIMITS, "rate": []},
    "quota_set": {},
    "services": [],
    "snapshots": [],
    "transfers": [],
    "versions": [_V3],
    "volume": _VOLUME,
    "volume_types": [],
    "volumes": [_VOLUME],
}
#: Of all networks that others share, and of the ports in one.
_OTHERS = {**_EVERYTHING, "networks": [], "ports": []}


def application(environ, start_response):
    """Answer."""
    query = environ.get("QUERY_STRING", "")
    others = "shared=True" in query or "network_id=" in query
    everything = _OTHERS if others else _EVERYTHING
    if environ["PATH_INFO"].startswith("/volume/"):
        everything = _STORAGE
    text = json.dumps(everything)
    owner = _project(environ.get("HTTP_X_AUTH_TOKEN", ""))
    answer = text.replace(json.dumps(_OWNER), json.dumps(owner)).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(answer))),
    ]
    start_response("200 OK", headers)
    return [answer]


@functools.lru_cache(maxsize=100)
def _project(token):
    """Return whose a token is: older clients look for their own things."""
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    url = os.environ["CLOUD_KEYSTONE"] + "/v3/auth/tokens"
    request = urllib.request.Request(url, headers=headers)
    with (
        contextlib.suppress(urllib.error.HTTPError),
        urllib.request.urlopen(request) as response,
    ):
        return json.load(response)["token"].get("project", {}).get("id", "")
    return ""
