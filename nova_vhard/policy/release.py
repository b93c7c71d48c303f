# SPDX-License-Identifier: Apache-2.0
"""The version of this package. A policy can require a version."""

import importlib.metadata

from packaging.version import InvalidVersion, Version


def installed() -> Version | None:
    """Return the installed version; None if there is no valid metadata."""
    try:
        return Version(importlib.metadata.version("nova-vhard"))
    except (importlib.metadata.PackageNotFoundError, InvalidVersion):
        return None


#: The running version; None if there is no metadata.
INSTALLED = installed()

#: The same without suffixes, for ``requires`` and for copies.
#: A SpecifierSet excludes pre-releases: 1.1.0.dev3, a build from the branch,
#: would not satisfy ">=1.0".
RUNNING = INSTALLED and Version(INSTALLED.base_version)
