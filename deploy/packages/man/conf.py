# SPDX-License-Identifier: Apache-2.0
"""Configuration of the man pages alone; needs nothing but Sphinx.

sphinx-build -b man -c deploy/packages/man doc/source/cli FOLDER
"""

import runpy
from pathlib import Path

_whole = runpy.run_path(
    str(Path(__file__).resolve().parents[3] / "doc" / "source" / "conf.py")
)
project = _whole["project"]
author = _whole["author"]
copyright = _whole["copyright"]
man_pages = [
    (page.removeprefix("cli/"), *more) for page, *more in _whole["man_pages"]
]
# No man pages: the list of the commands, which has links to other pages, and
# the reference of the client's, which needs the client to be written.
exclude_patterns = ["openstack-vhard.rst"]
suppress_warnings = ["ref.doc", "toc.excluded"]
