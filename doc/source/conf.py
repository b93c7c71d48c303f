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
exclude_patterns = ["_generated"]
nitpicky = True
pygments_style = "native"

html_theme = "openstackdocs"
html_theme_options = {
    # pages of this project count no visitors
    "analytics_tracking_code": "",
    "display_badge": False,
    "root_title": "nova-vhard",
    "sidebar_dropdown": "none",
}
openstackdocs_auto_name = False
