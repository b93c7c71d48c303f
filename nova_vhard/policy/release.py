# SPDX-License-Identifier: Apache-2.0
"""The version of this package. A policy can require a version."""

import importlib.metadata

from packaging.version import InvalidVersion, Version


def installed() -> Version | None:
    """Return the installed version; None if there is no valid metadata."""
    try:
        version = Version(importlib.metadata.version("nova-vhard"))
    except (importlib.metadata.PackageNotFoundError, InvalidVersion):
        return None
    return Version(version.base_version)


#: The running version without suffixes; None if there is no metadata.
RUNNING = installed()
