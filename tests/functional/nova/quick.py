# SPDX-License-Identifier: Apache-2.0
"""What Nova's own fixtures do again and again for each test, done once.

Nova makes a controller for every route of every router, and a router for
every version of its API: a good 400 controllers an application, of which 60
differ. One of a kind is enough, since a controller keeps nothing of a request.

Each of Nova's transactions opens its file of SQLite and closes it again, which
takes longer than what it does there. Here a connection is kept for the next.

A thread of futurist's that waits for work sees that it is to end when it wakes
up: a hundred times a second in Nova's tests, each thread of each service. Here
it sleeps longer. Who listens to the message bus in memory looks for a message
every 50 ms. Here it looks more often, since a boot has a dozen messages.

The policy that Nova's base fixture makes up (YAML of 200 rules) is replaced by
the shipped one before a service starts: it need not be read.
"""

import functools
import importlib
import logging
import time
import types
from collections.abc import Callable
from typing import Any

import fixtures
from nova.api.openstack.compute import routes
from nova.tests import fixtures as nova_fixtures
from oslo_db.sqlalchemy import engines
from oslo_messaging._drivers import impl_fake
from sqlalchemy import pool

from tests import services
from tests.functional.placement import quick as placement_quick

#: How long a thread waits for work before it looks whether it is to end.
IDLE_SECONDS = 0.05
#: How long a listener waits before it looks for a message.
MESSAGE_SECONDS = 0.02


@functools.lru_cache(maxsize=1)
def router(_paste_file: str) -> routes.APIRouterV21:
    """Return the router of an application, for each of its pipelines.

    Whoever loads a second application of one file clears the cache first.
    """
    return routes.APIRouterV21()


def _factory(
    _class: type, global_config: dict[str, str], **_local_config: str
) -> routes.APIRouterV21:
    """Stand in for the router's factory of paste."""
    return router(global_config["__file__"])


def _of_a_kind(build: Callable[..., None]) -> Callable[..., None]:
    """Let a router have one controller of a kind."""

    @functools.wraps(build)
    def init(self: routes.APIRouterV21, *args: Any, **kwargs: Any) -> None:
        every = routes.ROUTE_LIST
        once = functools.cache(lambda make: make())

        def shared(methods: Any) -> Any:
            if isinstance(methods, str):
                return methods
            return {
                method: [functools.partial(once, make), action]
                for method, (make, action) in methods.items()
            }

        routes.ROUTE_LIST = tuple(
            (path, shared(methods)) for path, methods in every
        )
        try:
            build(self, *args, **kwargs)
        finally:
            routes.ROUTE_LIST = every

    return init


class KeptPool(pool.QueuePool):
    """Connections to a file, as many as are wanted at once, and no fewer."""

    def __init__(self, creator: Callable[..., Any], **settings: Any) -> None:
        settings |= {"pool_size": 0, "use_lifo": True, "pre_ping": False}
        super().__init__(creator, **settings)


def _keep_connections() -> None:
    """Give the engines of files the pool above; oslo.db gives them none."""
    # As that of SQLAlchemy's own pools: three lines a transaction are a lot.
    logging.getLogger(__name__).setLevel(logging.WARNING)
    pools = {**vars(pool), "NullPool": KeptPool}
    engines.pool = types.SimpleNamespace(**pools)


def install() -> None:
    """Install the changes in this process."""
    routes.APIRouterV21.__init__ = _of_a_kind(routes.APIRouterV21.__init__)
    routes.APIRouterV21.factory = classmethod(_factory)
    nova_fixtures.PolicyFixture = fixtures.Fixture
    placement_quick.install()
    _keep_connections()
    if services.NOVA >= services.THREADS:
        impl_fake.time = types.SimpleNamespace(
            time=time.time, sleep=lambda _: time.sleep(MESSAGE_SECONDS)
        )
        _patient("nova.tests.fixtures.nova")
        _patient("nova.tests.functional.fixtures")


def _patient(name: str) -> None:
    """Make a writer wait minutes for another; SQLite waits 5 s."""
    module: Any = importlib.import_module(name)
    make = module._use_file_backed_sqlite_with_wal

    def patient(database: str) -> tuple[str, str]:
        url, path = make(database)
        return f"{url}?timeout=300", path

    module._use_file_backed_sqlite_with_wal = patient
