# SPDX-License-Identifier: Apache-2.0
"""Neutron without agents: what they would say of themselves, Neutron knows.

Neutron binds a port where an agent of the host has told of itself, and has it
down until the agent has wired it.
"""

from neutron.db import provisioning_blocks
from neutron.plugins.ml2 import plugin
from neutron_lib import constants, context
from neutron_lib.callbacks import resources

from cloud import machines
from cloud.neighbours import PHYSICAL

#: Type of an agent, and what it says of the machine that it is on.
_AGENTS = {
    constants.AGENT_TYPE_OVS: {"bridge_mappings": {PHYSICAL: "br-ex"}},
    constants.AGENT_TYPE_NIC_SWITCH: {"device_mappings": {PHYSICAL: ["eth"]}},
}


class Plugin(plugin.Ml2Plugin):
    """Ml2, of whose agents none runs."""

    def __init__(self):
        super().__init__()
        for machine in machines.MACHINES:
            for kind, configuration in _AGENTS.items():
                state = {"agent_type": kind, "binary": kind, "topic": ""}
                state |= {"host": machine.name, "start_flag": True}
                state |= {"configurations": configuration}
                self.create_or_update_agent(context.get_admin_context(), state)

    def _notify_port_updated(self, mech_context):
        """Wire a port that is bound, instead of having an agent do it."""
        super()._notify_port_updated(mech_context)
        provisioning_blocks.provisioning_complete(
            context.get_admin_context(),
            mech_context.current["id"],
            resources.PORT,
            provisioning_blocks.L2_AGENT_ENTITY,
        )
