# SPDX-License-Identifier: Apache-2.0
"""A network service with one network, and a port of a host's own device.

It answers every question alike: with everything that it has.
"""

import json

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
    "tenant_id": "",
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
    "tenant_id": "",
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
    "tenant_id": "",
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
    answer = json.dumps(_OTHERS if others else _EVERYTHING).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(answer))),
    ]
    start_response("200 OK", headers)
    return [answer]
