# SPDX-License-Identifier: Apache-2.0
"""What Nova's own fixtures do again and again for each test, done once.

Nova makes a controller for every route of every router, and a router for
every version of its API: a good 400 controllers an application, of which 60
differ. One of a kind is enough, since a controller keeps nothing of a request.

Each of Nova's transactions opens its file of SQLite and closes it again, which
takes longer than what it does there. Here a connection is kept for the next.

A thread of futurist's that waits for work sees that it is to end when it wakes
up: a hundred times a second in Nova's tests, each thread of each service. Here
it sleeps until it has work, and is woken to end.

Who listens to the message bus in memory looks for a message every 50 ms. Here
a message wakes those who wait.

The policy that Nova's base fixture makes up (YAML of 200 rules) is replaced by
the shipped one before a service starts: it need not be read.
"""

import concurrent.futures
import functools
import importlib
import logging
import threading
import time
import types
from collections.abc import Callable
from typing import Any

import fixtures
from futurist import _thread, _utils
from nova.api.openstack.compute import routes
from nova.tests import fixtures as nova_fixtures
from oslo_db.sqlalchemy import engines
from oslo_messaging._drivers import impl_fake
from sqlalchemy import pool

from tests import services
from tests.functional.placement import quick as placement_quick

#: How long a thread waits for work before it looks whether it is to end.
IDLE_SECONDS = 1


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


def _wake_to_end() -> None:
    """Make a thread that waits for work end as soon as it is stopped."""
    worker: Any = _thread.ThreadWorker
    make, stop, run = worker.__init__, worker.stop, worker.run

    def wake(self: Any) -> None:
        nothing = _utils.WorkItem(concurrent.futures.Future(), bool)
        self.work_queue.put(nothing)

    def init(self: Any, *args: Any) -> None:
        make(self, *args)
        # Nova's tests set that of the class.
        self.MAX_IDLE_FOR = IDLE_SECONDS

    def stopped(self: Any) -> None:
        stop(self)
        # Without an executor this is the collector of garbage, which may
        # have the lock of the queue.
        if self.executor_ref() is not None:
            wake(self)

    def runs(self: Any) -> None:
        run(self)
        # The next one: it may be what this thread was woken for.
        wake(self)

    worker.__init__, worker.stop, worker.run = init, stopped, runs


def _deliver_at_once() -> None:
    """Wake those who listen to the message bus when a message has come."""
    arrived = threading.Condition()
    exchange: Any = impl_fake.FakeExchange
    deliver = exchange.deliver_message

    @functools.wraps(deliver)
    def delivered(self: Any, *args: Any, **more: Any) -> None:
        deliver(self, *args, **more)
        with arrived:
            arrived.notify_all()

    def wait(seconds: float) -> None:
        with arrived:
            arrived.wait(seconds)

    exchange.deliver_message = delivered
    impl_fake.time = types.SimpleNamespace(time=time.time, sleep=wait)


def install() -> None:
    """Install the changes in this process."""
    routes.APIRouterV21.__init__ = _of_a_kind(routes.APIRouterV21.__init__)
    routes.APIRouterV21.factory = classmethod(_factory)
    nova_fixtures.PolicyFixture = fixtures.Fixture
    placement_quick.install()
    _keep_connections()
    if services.NOVA >= services.THREADS:
        _wake_to_end()
        _deliver_at_once()
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
