# SPDX-License-Identifier: Apache-2.0
"""The port that the demo's Neutron has beside those that Nova makes."""

from demo import identity

ADDRESS = "192.168.1.99"
#: A tenant's port on a virtual function: a device of the host.
SRIOV_PORT = {
    "id": "f0000000-0000-4000-8000-000000000001",
    "name": "a virtual function",
    "description": "",
    "admin_state_up": True,
    "status": "ACTIVE",
    "mac_address": "52:54:00:1e:59:c9",
    "tenant_id": identity.ALICE.project_id,
    "project_id": identity.ALICE.project_id,
    "device_id": "",
    "resource_request": {},
    "binding:profile": {},
    "binding:vif_details": {"vlan": 100},
    "binding:vif_type": "hw_veb",
    "binding:vnic_type": "direct",
    "port_security_enabled": False,
}
