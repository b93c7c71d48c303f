# SPDX-License-Identifier: Apache-2.0
"""One cloud for all tests that need the same one.

Starting and stopping Nova's services is half the processor of a test on them.
The first test that needs a cloud starts it, and it is stopped when another one
is needed. Between two tests there is no server; policy, options, images,
volumes, ports and Nova's API database (flavors, above all) are what they were.
"""

import copy
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import testtools
from nova import conf

from tests.functional.nova import rest

CONF = conf.CONF
WAIT_SECONDS = 300
POLLS_A_SECOND = 50
#: What a cloud is made by, beside its name.
MADE_BY = ("API_GATE", "FILTER", "HOSTS", "PCI")


@dataclass
class Cloud:
    """A cloud that tests share.

    :ivar key: what it was made by
    :ivar cleanups: what stops it
    :ivar attributes: what a test case has of it
    :ivar stores: what its fixtures kept at first
    :ivar databases: copies of its databases at first
    """

    key: tuple[Any, ...]
    cleanups: list[Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    stores: list[dict[str, Any]] = field(default_factory=list)
    databases: list[sqlite3.Connection] = field(default_factory=list)


class OneCloud:
    """Mixin for one of Nova's test cases.

    :cvar ONE_CLOUD: whether the tests of this class share a cloud
    :cvar CLOUD: name of what starts it: clouds of a name differ in gates and
        hosts only
    """

    ONE_CLOUD = False
    CLOUD = ""
    #: The cloud that is running, if tests share it.
    _running: "Cloud | None" = None

    @classmethod
    def cloud_key(cls) -> tuple[Any, ...] | None:
        """Return the key of the cloud of this class; None for a new one."""
        made_by = (getattr(cls, each, None) for each in MADE_BY)
        return (cls.CLOUD, *made_by) if cls.ONE_CLOUD else None

    def share(self, start: Callable[[], None]) -> None:
        """Start a cloud, or reuse the one that is running."""
        key = self.cloud_key()
        cloud = OneCloud._running
        if cloud and cloud.key == key and cloud.attributes:
            testtools.TestCase.setUp(self)
            vars(self).update(cloud.attributes)
            self._put_back(cloud)
        else:
            OneCloud.stop()
            if key is None:
                start()
                return
            self._start(start, key)
        self.addCleanup(self._delete_servers)
        self.addCleanup(self.settle)

    def _start(self, start: Callable[[], None], key: tuple[Any, ...]) -> None:
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
        cloud.databases = [rest.copied(each) for each in self._databases()]

    @staticmethod
    def stop() -> None:
        """Stop the cloud that tests share, if there is one."""
        if cloud := OneCloud._running:
            OneCloud._running = None
            while cloud.cleanups:
                function, args, kwargs = cloud.cleanups.pop()
                function(*args, **kwargs)

    def _stores(self) -> Iterator[dict[str, Any]]:
        """Return what Nova's fixtures keep in memory."""
        yield self.glance.images
        yield self.cinder.volumes
        yield self.cinder.volume_snapshots
        yield self.neutron._ports
        yield self.neutron._port_bindings

    def _databases(self) -> Iterator[Any]:
        """Return the databases to restore."""
        yield rest.API

    def _put_back(self, cloud: "Cloud") -> None:
        """Restore policy, images, volumes, ports and flavors."""
        self.write_policy(self.POLICY)
        for store, kept in zip(self._stores(), cloud.stores, strict=True):
            store.clear()
            store.update(copy.deepcopy(kept))
        for manager, kept in zip(
            self._databases(), cloud.databases, strict=True
        ):
            rest.put_back(manager, kept)

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
                    back = (CONF.set_override, name, info["override"], group)
                else:
                    back = (CONF.clear_override, name, group)
                self.addCleanup(*back)
        super().flags(**options)

    def _delete_servers(self) -> None:
        """Delete all servers of the cloud."""
        for server in rest.servers(self.cell_mappings.values()):
            self.admin_api.delete_server(server)
        for _ in range(WAIT_SECONDS * POLLS_A_SECOND):
            if not rest.servers(self.cell_mappings.values()):
                return
            time.sleep(1 / POLLS_A_SECOND)
        OneCloud._running.key = ()  # type: ignore[union-attr]
        raise AssertionError("servers are there that cannot be deleted")
