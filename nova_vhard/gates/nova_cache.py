# SPDX-License-Identifier: Apache-2.0
"""A cache of images and flavors in a worker of the Nova API, for seconds.

It is used for a new server only where the scheduler's gate judges the whole
request again, from what Nova itself reads. What that gate does not see, such
as the block devices of a request, is never judged by a cached object.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import cachetools
from oslo_utils import strutils

from nova_vhard.policy.model import Policy
from nova_vhard.request import image as image_reader
from nova_vhard.request.lookups import Flavor, Image

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

#: Properties of an image that is never cached: block devices, a CD-ROM, and
#: what no RequestSpec has.
_UNCACHED = frozenset(
    [
        *image_reader.MAPPINGS,
        *("bdm_v2", "img_bdm_v2", "img_config_drive"),
        image_reader.BASE_IMAGE,
    ]
)

_Value = TypeVar("_Value", Image, Flavor)


class LookupCache:
    """Caches what was looked up, by user and project.

    :param seconds: for which an entry is used
    :param clock: monotonic clock, in seconds
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create an empty cache."""
        self._lock = threading.Lock()
        self._entries: Any = cachetools.TTLCache(
            MAX_SIZE, seconds, clock, _size
        )

    def get(
        self, who: Any, name: Any, look_up: Callable[[Any], _Value]
    ) -> _Value:
        """Return the cached object, or look it up.

        :param who: nova.context.RequestContext of the user
        :param name: id of the object, as the request gives it
        :param look_up: called with the name where nothing is cached
        :raises Exception: what ``look_up`` raises, which is not cached
        """
        key = (look_up.__name__, name, who.project_id, who.user_id)
        with self._lock:
            cached: _Value | None = self._entries.get(key)
        if cached is not None:
            return cached
        value = look_up(name)
        if _size(value) <= MAX_ENTRY and _is_cacheable(value):
            with self._lock:
                self._entries[key] = value
        return value


def may_be_used(policy: Policy, body: Any) -> bool:
    """Return whether the scheduler's gate judges the whole request again.

    It does not see which file a disk is made of, and an image may have got a
    root disk of another one since it was cached.

    :param body: of POST /servers, as Nova's schema leaves it
    """
    if policy.judges_files:
        return False
    if not isinstance(body, Mapping) or set(body) != {"server"}:
        # such as scheduler hints
        return False
    server = body["server"]
    if not isinstance(server, Mapping) or not _KEYS.issuperset(server):
        return False
    drive = strutils.bool_from_string(server.get("config_drive"))
    # zone:host is a forced host, for which Nova asks no filter.
    host = ":" in str(server.get("availability_zone"))
    return not (drive or host or _has_ports(server.get("networks")))


def _has_ports(networks: Any) -> bool:
    if networks is None or isinstance(networks, str):
        return False
    return any("port" in entry for entry in networks)


def _is_cacheable(value: Image | Flavor) -> bool:
    if isinstance(value, Flavor):
        return True
    return value.disk_format != "iso" and _UNCACHED.isdisjoint(
        value.properties
    )


def _size(value: Image | Flavor) -> int:
    """Return the size of an entry, in characters."""
    return len(repr(value))
