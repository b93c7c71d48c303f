# SPDX-License-Identifier: Apache-2.0
"""The administrator's panel: to be copied beside the other file."""

PANEL = "nova_vhard"
PANEL_DASHBOARD = "admin"
PANEL_GROUP = "compute"
ADD_PANEL = "nova_vhard_dashboard.admin.panel.HardeningPolicy"
ADD_SCSS_FILES = ["vhard/panel.scss"]
