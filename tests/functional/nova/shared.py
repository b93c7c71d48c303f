# SPDX-License-Identifier: Apache-2.0
"""One cloud for all tests that need the same one.

Starting and stopping Nova's services is half the processor of a test on them.
The first test that needs a cloud starts it, and it is stopped when another one
is needed. Between two tests there is no server; policy, options, images,
volumes, ports and Nova's API database (flavors, above all) are what they were.
Tests that need other computes, or have spoiled them, get new ones.
"""

import contextlib
import copy
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import testtools
from nova import conf
from nova.db.main import api as database
from nova.scheduler.client import report as report_client

from tests.functional.nova import rest, service

CONF = conf.CONF


@dataclass
class Cloud:
    """A cloud that tests share.

    :ivar key: what it was made by
    :ivar cleanups: what stops it
    :ivar host_cleanups: what stops its computes
    :ivar hosts: what its computes were made by; None if a test spoiled them
    :ivar attributes: what a test case has of it
    :ivar stores: what its fixtures kept at first
    :ivar without_hosts: copies of all its databases before a compute started
    :ivar databases: copies of some of them at the beginning of a test
    """

    key: tuple[Any, ...]
    cleanups: list[Any]
    host_cleanups: list[Any] = field(default_factory=list)
    hosts: tuple[Any, ...] | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    stores: list[dict[str, Any]] = field(default_factory=list)
    without_hosts: list[sqlite3.Connection] = field(default_factory=list)
    databases: list[sqlite3.Connection] = field(default_factory=list)


class OneCloud:
    """Mixin for one of Nova's test cases.

    :cvar ONE_CLOUD: whether the tests of this class share a cloud
    :cvar CLOUD: name of what starts it: clouds of a name differ in the filter
        only
    :cvar NEW_HOSTS: whether each test needs computes that no other test has
        used, and leaves them in a state that no other test can use
    """

    ONE_CLOUD = True
    CLOUD = ""
    NEW_HOSTS = False
    API_GATE: str | None
    FILTER: str | None
    HOSTS: tuple[str, ...] = ()
    #: The cloud that is running, if tests share it.
    _running: "Cloud | None" = None

    @classmethod
    def cloud_key(cls) -> tuple[Any, ...] | None:
        """Return the key of the cloud of this class; None for a new one."""
        return (cls.CLOUD, cls.FILTER) if cls.ONE_CLOUD else None

    def share(self, start: Callable[[], None]) -> None:
        """Start a cloud, or reuse the one that is running."""
        service.Switch.on = bool(self.API_GATE)
        key = self.cloud_key()
        cloud = OneCloud._running
        if cloud and cloud.key == key and cloud.attributes:
            testtools.TestCase.setUp(self)
            vars(self).update(cloud.attributes)
            self._put_back(cloud)
        else:
            OneCloud.stop()
            if self.__module__.startswith(("tests.functional", "tests.fuzz")):
                # A test without a gate belongs to tests/release.
                assert self.API_GATE or self.FILTER
            if key is None:
                start()
                self.start_hosts()
                return
            cloud = self._start(start, key)
        hosts, cloud.hosts = cloud.hosts, None
        if self.NEW_HOSTS or hosts != self.HOSTS:
            self._change_hosts(cloud)
        if not self.NEW_HOSTS:
            cloud.hosts = self.HOSTS
            self.addCleanup(self._delete_servers)
        self.addCleanup(self.settle)

    def start_hosts(self) -> None:
        """Start the computes; a cloud may have none."""

    def _start(self, start: Callable[[], None], key: tuple[Any, ...]) -> Cloud:
        """Start a cloud whose cleanups are not the test's."""
        before, own = dict(vars(self)), self._cleanups
        self._cleanups = [(mock.patch.stopall, (), {})]
        OneCloud._running = cloud = Cloud(key, self._cleanups)
        start()
        self._cleanups = own
        cloud.attributes = {
            name: value
            for name, value in vars(self).items()
            if name not in before or before[name] is not value
            if not name.startswith("_TestCase__") and name != "_cleanups"
        }
        cloud.stores = copy.deepcopy([*self._stores()])
        cloud.without_hosts = [*map(rest.copied, self._all_databases())]
        return cloud

    def _change_hosts(self, cloud: Cloud) -> None:
        """Stop the computes of a cloud, and start those of this test."""
        if cloud.host_cleanups:
            _clean(cloud.host_cleanups)
            self._restore(self._all_databases(), cloud.without_hosts)
            report_client.report_client_singleton().clear_provider_cache()
            for name in ("computes", "host_mappings", "compute_rp_uuids"):
                vars(self).get(name, {}).clear()
        own, self._cleanups = self._cleanups, cloud.host_cleanups
        self.start_hosts()
        self._cleanups = own
        cloud.databases = [*map(rest.copied, self._databases())]

    @staticmethod
    def stop() -> None:
        """Stop the cloud that tests share, if there is one."""
        if cloud := OneCloud._running:
            OneCloud._running = None
            _clean([*cloud.cleanups, *cloud.host_cleanups])

    def _stores(self) -> Iterator[dict[str, Any]]:
        """Return what Nova's fixtures keep in memory."""
        yield self.glance.images
        yield self.cinder.volumes
        yield self.cinder.volume_snapshots
        yield self.neutron._ports
        yield self.neutron._port_bindings

    def _databases(self) -> list[Any]:
        """Return the databases to restore for each test."""
        return [rest.API]

    def _all_databases(self) -> list[Any]:
        """Return the databases of all services."""
        cells = (
            database.create_context_manager(cell.database_connection)
            for cell in self.cell_mappings.values()
        )
        return [rest.API, rest.PLACEMENT, *cells]

    def _restore(self, managers: list[Any], copies: list[Any]) -> None:
        for manager, kept in zip(managers, copies, strict=True):
            rest.put_back(manager, kept)

    def _put_back(self, cloud: "Cloud") -> None:
        """Restore policy, images, volumes, ports and flavors."""
        self.write_policy(self.POLICY)
        for store, kept in zip(self._stores(), cloud.stores, strict=True):
            store.clear()
            store.update(copy.deepcopy(kept))
        self._restore(self._databases(), cloud.databases)

    def addCleanup(self, function: Any, /, *args: Any, **more: Any) -> None:
        """Register a function to be called at the end of the test.

        oslotest would also stop every mock, including those of the cloud.
        """
        if self.ONE_CLOUD:
            testtools.TestCase.addCleanup(self, function, *args, **more)
        else:
            super().addCleanup(function, *args, **more)

    def flags(self, **options: Any) -> None:
        """Set options until the end of the test."""
        if OneCloud._running and OneCloud._running.attributes:
            group = options.get("group")
            for name in options.keys() - {"group"}:
                info = CONF._get_opt_info(name, group)
                if "override" in info:
                    # Nova has caches of some, which its own function clears.
                    kept = {"group": group, name: info["override"]}
                    self.addCleanup(super().flags, **kept)
                else:
                    self.addCleanup(CONF.clear_override, name, group)
        super().flags(**options)

    def _delete_servers(self) -> None:
        """Delete all servers of the cloud."""
        for server in rest.servers(self.cell_mappings.values()):
            self.admin_api.delete_server(server)
        cloud, cells = OneCloud._running, self.cell_mappings.values()
        assert cloud
        # No other test can use it if that fails.
        key, cloud.key = cloud.key, ()
        rest.until(
            lambda: not rest.servers(cells), "servers cannot be deleted"
        )
        cloud.key = key


def _clean(cleanups: list[Any]) -> None:
    """Call cleanups of a test case, the last one first.

    All of them, even if one raises: Python waits at its end for the threads of
    a service that is not stopped, without a limit.
    """
    with contextlib.ExitStack() as stack:
        for function, args, kwargs in cleanups:
            stack.callback(function, *args, **kwargs)
        cleanups.clear()
