# SPDX-License-Identifier: Apache-2.0
"""The gate judges the body that Nova's own function receives.

Each example is a request. Nova's router, Resource and decorators pass it to a
controller's function, or answer it themselves; the gate's router finds the
method that it is for, and what the schemas leave of the body.
"""

from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from nova_vhard.gates import nova_flavor, nova_schemas
from nova_vhard.gates.nova_router import Call, NotAccepted
from nova_vhard.gates.nova_routes import ROUTES
from nova_vhard.policy.subject import BOOT
from nova_vhard.request.lookups import Flavor, Image, Server
from tests import seeds, services
from tests.fuzz.service import environment, sent
from tests.release.differential import bodies, nova_api, nova_host

TRIED: Counter[str] = Counter()

#: The lowest HTTP status that is not a refusal.
BROKEN = 500

Taken = tuple[str, dict[str, Any], str]


@pytest.fixture(scope="module")
def nova() -> Iterator[nova_api.NovaApi]:
    """Give Nova's API."""
    with nova_host.nova_at_rest(), pytest.MonkeyPatch.context() as patch:
        yield nova_api.NovaApi(patch)


@pytest.fixture(scope="module")
def names(nova: nova_api.NovaApi) -> Any:
    """Stop Nova in its functions; give their names."""
    return nova.stop_in_methods()


def environ_of(request: bodies.Sent) -> dict[str, Any]:
    """Return the WSGI environment of a request."""
    environ = environment(
        request.method, request.path, request.body, request.content_type
    )
    environ |= {**request.version, "nova.context": nova_api.user()}
    return sent(environ, request.body)


def taken(nova: nova_api.NovaApi, request: bodies.Sent) -> Taken | int | None:
    """Return what Nova's function receives; None if Nova answers 4xx.

    BROKEN if Nova fails: os-volumes_boot does, and UTF-16 in a body.
    """
    try:
        status = nova.status(environ_of(request), request.legacy)
    except nova_api.Reached as reached:
        ids = dict(reached.reached)
        body = ids.pop("body", None)
        return reached.name, ids, repr(body)
    TRIED[f"{status // 100}xx"] += 1
    return BROKEN if status >= BROKEN else None


def judged(
    nova: nova_api.NovaApi, names: Any, request: bodies.Sent
) -> Taken | None:
    """Return what the gate reads; None where Nova answers."""
    try:
        call = nova.routers[request.legacy].call(environ_of(request))
        if call is None or call.method not in names:
            TRIED["not looked at"] += 1
            return None
        body = call.body()
        # text: that of true, 1 and 1.0 differs, and that of NaN does not
        # The filter judges a new server by what Nova has stored about it.
        if ROUTES[call.method].operation != BOOT:
            assert read_of(call) == read_before_34(call)
            TRIED["raw"] += 1
        return names[call.method], call.ids, repr(body)
    except NotAccepted:
        return None


def read_of(call: Call) -> str:
    """Return what the readers make of a body, in words.

    Nothing is looked up: the result names what was asked for.
    """
    reader = ROUTES[call.method].reader
    if reader is None:
        return repr(nova_flavor.changed({}, call))
    find = SimpleNamespace(
        server=lambda named: Server(
            named, base_image=named, shelved_image=named
        ),
        image=lambda named: Image({"hw_disk_bus": named}),
        flavor=lambda named: Flavor(flavorid=named),
        port=lambda named: {"id": named, "binding:vnic_type": "direct"},
        recorded_image=lambda server: Image({}),
        kept_devices=lambda server: [],
        own_image=lambda server: Image({}),
    )
    return repr(reader(find, nova_api.user(), call.ids, call.body()))


def read_before_34(call: Call) -> str:
    """Return the same of a body that Nova has not validated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nova_schemas, "validate", lambda *_: None)
        return read_of(call)


def known(found: Any, request: bodies.Sent) -> Any:
    """Return the data of a request that Nova shows to a gate.

    Before Nova 34, Nova drops keys of the v2 API in code that a gate cannot
    see.
    """
    dropped = services.NOVA < 34 and request.legacy
    return found[:2] if dropped and found else found


def search_in(nova: nova_api.NovaApi, names: Any) -> None:
    """Search in Nova's API."""

    @seeds.searched(bodies.requests(), 500)
    def search(request: bodies.Sent) -> None:
        TRIED["examples"] += 1
        result = taken(nova, request)
        seen = judged(nova, names, request)
        if result not in (None, BROKEN):
            # Nova answers what is not in a microversion; the gate judges it.
            assert known(result, request) == known(seen, request)
            TRIED["taken"] += 1
            TRIED["v2"] += request.legacy

    search()


def test_search_of_bodies(nova: nova_api.NovaApi, names: Any) -> None:
    """Bodies: what comes to Nova's own function is what is judged.

    Many of what is generated must be taken, or nothing is proven.
    """
    search_in(nova, names)
    print(TRIED)
    tried = TRIED["examples"]
    assert TRIED["taken"] > tried / 8, TRIED
    assert TRIED["v2"] > tried / 40, TRIED
    assert TRIED["4xx"] > tried / 8, TRIED
    assert TRIED["raw"] > tried / 16, TRIED
