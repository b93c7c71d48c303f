# SPDX-License-Identifier: Apache-2.0
"""Features that the installed Nova lacks, compared with the newest one."""

import functools
import importlib.metadata
from collections.abc import Iterable, Mapping
from typing import Any

from nova_vhard.catalogue.passthrough import ONE_TIME_USE

#: Requirements, and the first Nova release that supports each. one_time_use is
#: in nova/pci/devspec.py since Nova 32; older releases ignore it as a tag.
_SINCE: Mapping[str, int] = {
    "passthrough_one_time_use": 32,
    ONE_TIME_USE: 32,
}

#: Version of a nova-compute service of Nova 32 (nova/objects/service.py), the
#: newest release in _SINCE.
SERVICE_OF_32 = 70


@functools.cache
def release() -> int:
    """Return the first number of Nova's version, such as 31 for 2025.1."""
    return int(importlib.metadata.version("nova").partition(".")[0])


def ignored(checks: Iterable[str]) -> list[str]:
    """Return checks that no host proves, as this Nova ignores the setting.

    nova-scheduler is never older than the computes that it serves.
    """
    now = release()
    return sorted(check for check in checks if now < _SINCE.get(check, 0))


def depend_on_release(checks: Iterable[str]) -> bool:
    """Return whether an older Nova ignores a setting of one of them."""
    return not _SINCE.keys().isdisjoint(checks)


def reads_all_settings(host: Any) -> bool:
    """Return whether the nova-compute of a host supports all these settings.

    During an upgrade, computes can be older than their scheduler: by two
    releases in a SLURP upgrade.

    :param host: Nova HostState, or nova_servers.Host; one without a version
        counts as old
    """
    service = getattr(host, "service", None) or {}
    version: Any = service.get("version")
    # Unknown counts as old. An old compute gives out the device and does not
    # reserve it afterwards, so that the next guest gets it unclean.
    return bool(version) and int(version) >= SERVICE_OF_32
