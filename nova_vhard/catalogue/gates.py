# SPDX-License-Identifier: Apache-2.0
"""Names of the gates, as decision events and metrics have them."""

GLANCE_API = "glance-api"
GLANCE_IMPORT = "glance-import"
GUARD = "guard"
NOVA_API = "nova-api"
SCHEDULER = "scheduler"

#: Name of the scheduler's gate in ``enabled_filters``.
FILTER = "VirtHardeningFilter"

GATES = (GLANCE_API, GLANCE_IMPORT, GUARD, NOVA_API, SCHEDULER)
