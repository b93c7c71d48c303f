# SPDX-License-Identifier: Apache-2.0
"""A network service with one network, and a port of a host's own device.

It answers every question alike: with everything that it has.
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
#: Of all networks that others share, and of the ports in one.
_OTHERS = {**_EVERYTHING, "networks": [], "ports": []}


def application(environ, start_response):
    """Answer."""
    query = environ.get("QUERY_STRING", "")
    others = "shared=True" in query or "network_id=" in query
    text = json.dumps(_OTHERS if others else _EVERYTHING)
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
