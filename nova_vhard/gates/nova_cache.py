# SPDX-License-Identifier: Apache-2.0
"""A cache of flavors in a worker of the Nova API, for seconds.

It is used for a new server only where the scheduler's gate judges the whole
request again, from what Nova itself reads. What that gate does not see, such
as the block devices of a request, is never judged by a cached flavor. An image
is read anew each time: Nova reads the same answer (nova_images).
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import cachetools
from oslo_utils import strutils

from nova_vhard.request import nova_api
from nova_vhard.request.lookups import Flavor

#: Largest size of the cache of a worker, and of an entry, in characters.
MAX_SIZE, MAX_ENTRY = 4 << 20, 16 << 10

#: Keys of a server's body that neither choose a device nor keep Nova from
#: asking the scheduler's filters.
_KEYS = frozenset(
    [
        *("accessIPv4", "accessIPv6", "adminPass", "availability_zone"),
        *("config_drive", "description", "flavorRef", "hostname", "imageRef"),
        *("key_name", "max_count", "metadata", "min_count", "name"),
        *("networks", "OS-DCF:diskConfig", "personality"),
        *("return_reservation_id", "security_groups", "tags", "user_data"),
    ]
)


class LookupCache:
    """Caches flavors that were looked up, by user and project.

    :param seconds: for which an entry is used
    :param clock: monotonic clock, in seconds
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lock = threading.Lock()
        self._entries: Any = cachetools.TTLCache(
            MAX_SIZE, seconds, clock, _size
        )

    def get(
        self, who: Any, flavor_id: str, look_up: Callable[[str], Flavor]
    ) -> Flavor:
        """Return the cached flavor, or look it up.

        :param who: nova.context.RequestContext of the user
        :param look_up: called with the id where nothing is cached
        :raises Exception: what ``look_up`` raises, which is not cached
        """
        key = (flavor_id, who.project_id, who.user_id)
        with self._lock:
            cached: Flavor | None = self._entries.get(key)
        if cached is not None:
            return cached
        flavor = look_up(flavor_id)
        if _size(flavor) <= MAX_ENTRY:
            with self._lock:
                self._entries[key] = flavor
        return flavor


def may_be_used(body: Any) -> bool:
    """Return whether the scheduler's gate judges the whole request again.

    :param body: of POST /servers, as Nova's schema leaves it
    """
    if not isinstance(body, Mapping) or set(body) != {"server"}:
        # such as scheduler hints
        return False
    server = body["server"]
    if not isinstance(server, Mapping) or not _KEYS.issuperset(server):
        return False
    drive = strutils.bool_from_string(server.get("config_drive"))
    has_ports = _has_ports(server.get("networks"))
    return not (drive or nova_api.is_forced(server) or has_ports)


def _has_ports(networks: Any) -> bool:
    if networks is None or isinstance(networks, str):
        return False
    return any("port" in entry for entry in networks)


def _size(flavor: Flavor) -> int:
    """Return the size of an entry, in characters."""
    return len(repr(flavor))
