# SPDX-License-Identifier: Apache-2.0
"""The version of this package, which a policy can require."""

import importlib.metadata

from packaging.version import InvalidVersion, Version


def _installed() -> Version | None:
    try:
        version = Version(importlib.metadata.version("nova-vhard"))
    except (importlib.metadata.PackageNotFoundError, InvalidVersion):
        return None
    return Version(version.base_version)


#: The version that runs, without any suffix; None if it has no metadata.
RUNNING = _installed()
