# SPDX-License-Identifier: Apache-2.0
"""The version of this package. A policy can require a version."""

import importlib.metadata

from packaging.version import InvalidVersion, Version


def _installed() -> Version | None:
    try:
        version = Version(importlib.metadata.version("nova-vhard"))
    except (importlib.metadata.PackageNotFoundError, InvalidVersion):
        return None
    return Version(version.base_version)


#: The running version without suffixes; None if there is no metadata.
RUNNING = _installed()
