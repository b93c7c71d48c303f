# SPDX-License-Identifier: Apache-2.0
"""One cloud for all tests of a class.

Starting and stopping Nova's services is half the processor of a test on them.
The first test of a class starts them and the last one leaves them to the end
of the class. Between two tests there is no server; policy, options, images,
volumes and Nova's API database (flavors, above all) are what they were.
"""

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import testtools
from nova import conf

from tests.functional.nova import rest

CONF = conf.CONF
WAIT_SECONDS = 300
POLLS_A_SECOND = 50


class OneCloud:
    """Mixin for one of Nova's test cases.

    :cvar ONE_CLOUD: whether the tests of this class share a cloud
    """

    ONE_CLOUD = False
    _cloud: dict[str, Any] | None = None

    def share(self, start: Callable[[], None]) -> None:
        """Start a cloud, or reuse the one of the class."""
        if not self.ONE_CLOUD:
            start()
            return
        if "_cloud" in vars(type(self)):
            testtools.TestCase.setUp(self)
            vars(self).update(type(self)._cloud)
            self._put_back()
        else:
            self._start(start)
        self.addCleanup(self._delete_servers)
        self.addCleanup(self.settle)

    def _start(self, start: Callable[[], None]) -> None:
        """Start a cloud whose cleanups are the class's."""
        before, own = dict(vars(self)), self._cleanups
        self._cleanups = [(mock.patch.stopall, (), {})]
        start()
        owner = type(self)
        owner._cleanups_of_class, self._cleanups = self._cleanups, own
        owner._cloud = {
            name: value
            for name, value in vars(self).items()
            if name not in before or before[name] is not value
            if not name.startswith("_TestCase__") and name != "_cleanups"
        }
        owner._kept = copy.deepcopy([*self._stores()])
        owner._api_copy = rest.api_copy()

    def _stores(self) -> Iterator[dict[str, Any]]:
        """Return what Nova's fixtures of Glance and Cinder keep."""
        yield self.glance.images
        yield self.cinder.volumes
        yield self.cinder.volume_snapshots

    def _put_back(self) -> None:
        """Restore policy, images, volumes and flavors."""
        self.write_policy(self.POLICY)
        for store, kept in zip(self._stores(), self._kept, strict=True):
            store.clear()
            store.update(copy.deepcopy(kept))
        rest.put_back(self._api_copy)

    @classmethod
    def tearDownClass(cls) -> None:
        """Stop the cloud of the class."""
        cleanups = vars(cls).get("_cleanups_of_class", [])
        while cleanups:
            function, args, kwargs = cleanups.pop()
            function(*args, **kwargs)
        if "_cloud" in vars(cls):
            # Where its tests come again, behind those of others.
            del cls._cloud
        super().tearDownClass()

    def addCleanup(self, function: Any, /, *args: Any, **more: Any) -> None:
        """Register a function to be called at the end of the test.

        oslotest would also stop every mock, including those of the class.
        """
        if self.ONE_CLOUD:
            testtools.TestCase.addCleanup(self, function, *args, **more)
        else:
            super().addCleanup(function, *args, **more)

    def flags(self, **options: Any) -> None:
        """Set options until the end of the test."""
        if "_cloud" in vars(type(self)):
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
        raise AssertionError("servers are there that cannot be deleted")
