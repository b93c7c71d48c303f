# SPDX-License-Identifier: Apache-2.0
"""Images and flavors as a worker of the Nova API saw them seconds ago.

They serve a new server only of which the scheduler's gate judges all of it
again, from what Nova itself reads for the request. What that gate does not
see, such as the block devices of a request, is never judged by a copy.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import cachetools
from oslo_utils import strutils

from nova_vhard.policy.model import Policy
from nova_vhard.request import image as image_reader
from nova_vhard.request.lookups import Flavor, Image

#: Characters that all copies of a worker may have, and one of them.
MOST, MOST_OF_ONE = 4 << 20, 16 << 10

#: What a body may say beside images and flavors: nothing of it is hardware,
#: and by none of it the scheduler's filters are passed by.
_SERVER = frozenset(
    [
        *("accessIPv4", "accessIPv6", "adminPass", "availability_zone"),
        *("config_drive", "description", "flavorRef", "hostname", "imageRef"),
        *("key_name", "max_count", "metadata", "min_count", "name"),
        *("networks", "OS-DCF:diskConfig", "personality"),
        *("return_reservation_id", "security_groups", "tags", "user_data"),
    ]
)

#: Properties of an image that is read anew each time: block devices of its
#: own, a CD-ROM, and what no RequestSpec has.
_ANEW = frozenset(
    [
        *image_reader.MAPPINGS,
        *("bdm_v2", "img_bdm_v2", "img_config_drive"),
        image_reader.BASE_IMAGE,
    ]
)

_Value = TypeVar("_Value", Image, Flavor)


class Recent:
    """Copies, each for some seconds.

    :param seconds: for how long
    :param clock: returns seconds
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Have none yet."""
        self._lock = threading.Lock()
        self._copies: Any = cachetools.TTLCache(MOST, seconds, clock, _size)

    def get(
        self, who: Any, name: Any, look_up: Callable[[Any], _Value]
    ) -> _Value:
        """Return the copy of an object, or look it up.

        :param who: RequestContext of the user; a copy is for the same user in
            the same project
        :param name: by which it is asked for
        :param look_up: called with the name; what it raises is not kept
        """
        key = (look_up.__name__, name, who.project_id, who.user_id)
        with self._lock:
            copy: _Value | None = self._copies.get(key)
        if copy is not None:
            return copy
        value = look_up(name)
        if _size(value) <= MOST_OF_ONE and not _is_read_anew(value):
            # Unless all copies together are smaller than this one.
            with self._lock, contextlib.suppress(ValueError):
                self._copies[key] = value
        return value


def may_serve(policy: Policy, body: Any) -> bool:
    """Return whether the scheduler's gate judges a new server whole.

    It does not see of what file a guest is: an image can have got a root disk
    since that is made of another one. So it must be no rule's concern.

    :param body: of POST /servers, as Nova's schema leaves it
    """
    if policy.judges_files:
        return False
    if not isinstance(body, Mapping) or set(body) != {"server"}:
        # Scheduler hints, for one, stand beside it.
        return False
    server = body["server"]
    if not isinstance(server, Mapping) or not _SERVER.issuperset(server):
        return False
    drive = strutils.bool_from_string(server.get("config_drive"))
    # Nova takes zone:host for a host, and asks no filter.
    host = ":" in str(server.get("availability_zone"))
    return not (drive or host or _has_ports(server.get("networks")))


def _has_ports(networks: Any) -> bool:
    if networks is None or isinstance(networks, str):
        return False
    return any("port" in entry for entry in networks)


def _is_read_anew(value: Image | Flavor) -> bool:
    if isinstance(value, Flavor):
        return False
    return value.disk_format == "iso" or not _ANEW.isdisjoint(value.properties)


def _size(value: Image | Flavor) -> int:
    """Return how many characters a copy has."""
    return len(repr(value))
