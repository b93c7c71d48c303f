# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds the documentation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ext"))

extensions = [
    "openstackdocstheme",
    "oslo_config.sphinxext",
    "reno.sphinxext",
    "vhard_reference",
]

project = "nova-vhard"
author = "nova-vhard developers"
copyright = "nova-vhard developers, Apache License 2.0"

master_doc = "index"
source_suffix = ".rst"
# admin/evidence: the extension puts its sections into admin/checks.
exclude_patterns = ["_generated", "admin/evidence.rst"]
# titlerow.html: the theme's says "OpenStack API Documentation" over each page.
templates_path = ["_templates"]
nitpicky = True
pygments_style = "native"

html_theme = "openstackdocs"
html_static_path = ["_static"]
html_css_files = ["nova-vhard.css"]
html_theme_options = {
    # pages of this project count no visitors
    "analytics_tracking_code": "",
    "display_badge": False,
    "root_title": "nova-vhard",
    "sidebar_dropdown": "none",
}
openstackdocs_auto_name = False

_COMMANDS = {
    "nova-vhard-attestor": "passes a verifier's word on hosts to Placement",
    "nova-vhard-cleaner": "cleans passthrough devices before the next guest",
    "nova-vhard-exporter": "counts what the gates decide, for Prometheus",
    "nova-vhard-guard": "judges what libvirt is about to start on a host",
    "nova-vhard-paste": "puts the gates into paste files, or takes them out",
    "nova-vhard-reporter": "proves a compute node, and says so in Placement",
    "nova-vhard-status": "says whether the policy is really in force",
}
man_pages = [
    (f"cli/{name}", name, title, [author], 1)
    for name, title in _COMMANDS.items()
]
