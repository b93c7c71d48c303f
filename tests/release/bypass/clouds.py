# SPDX-License-Identifier: Apache-2.0
"""The rows of ``tests/functional/bypass`` in clouds that lack a gate."""

import importlib
import os
import pkgutil
from collections.abc import Iterable

import webob

from tests.functional import bypass
from tests.functional.bypass import ways
from tests.functional.nova import service

#: Gates to test the rows with: filter, api, or both.
SETUP = os.environ.get("NOVA_VHARD_GATES", "")


class Open(ways.Ways):
    """The same cloud as Nova ships."""

    GUARDED = False
    API_GATE = None
    FILTER = None


class OneGate(ways.Ways):
    """A cloud with one gate: the guests' devices count, not the answer."""

    API_GATE = None if SETUP == "filter" else service.GATE
    FILTER = None if SETUP == "api" else service.FILTER

    def ends(
        self,
        response: webob.Response,
        *devices: ways.Device,
        names: Iterable[str] = (),
    ) -> None:
        """Check that no guest gets the device after this request."""
        self.settle()
        self.clean(*devices)

    boots = ends  # type: ignore[assignment]


def again(cloud: type, module: str) -> dict[str, type]:
    """Return the test cases that have all gates, in another cloud.

    :param module: where they are tested
    :returns: name to test case
    """
    made = {}
    for found in pkgutil.iter_modules(bypass.__path__):
        rows = importlib.import_module(f"{bypass.__name__}.{found.name}")
        for title, case in vars(rows).items():
            if not found.ispkg and title.startswith("TestGuarded"):
                name = f"{title}_{found.name.removeprefix('test_bypass_')}"
                first, _, last = case.__bases__
                made[name] = type(
                    name, (first, cloud, last), {"__module__": module}
                )
    return made
