# SPDX-License-Identifier: Apache-2.0
"""The version of this package: of the code that runs, and on the disk.

A package manager replaces files beneath a service that runs, and the service
goes on with the code that it has loaded until somebody restarts it. What a
policy ``requires`` is a matter of that code.
"""

import importlib.metadata

from packaging.version import InvalidVersion, Version

_NAME = "nova-vhard"


def installed() -> Version | None:
    """Return the version on the disk now, without any suffix.

    :returns: None where there is none, or none that can be read, as while it
        is being replaced
    """
    try:
        # None where the file that says it has been made, and not written yet;
        # where importlib_metadata has been imported, a KeyError or, by its
        # release, a TypeError
        version = Version(importlib.metadata.version(_NAME) or "")
    except (
        importlib.metadata.PackageNotFoundError,
        InvalidVersion,
        KeyError,
        OSError,
        TypeError,
        ValueError,
    ):
        return None
    return Version(version.base_version)


#: That of the code that runs; None where it came without its metadata.
RUNNING = installed()


def restart() -> str:
    """Return what to do where another version is installed by now.

    :returns: a sentence without its full stop; empty where this version is
        still the one that is installed, or there is none at the moment
    """
    now = installed()
    if now is None or now == RUNNING:
        return ""
    return (
        f"this process runs nova-vhard {RUNNING}, and {now} is installed by "
        "now; restart it"
    )
