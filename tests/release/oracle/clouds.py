# SPDX-License-Identifier: Apache-2.0
"""Clouds that live longer than a test."""

from tests.release.oracle.cloud import Cloud


class Clouds:
    """At most a cloud at a time, which is kept while its name is."""

    def __init__(self) -> None:
        self._name = ""
        self._cloud: Cloud | None = None

    def named(self, name: str) -> Cloud:
        """Return the cloud of this name; another one is stopped."""
        if self._cloud is None or name != self._name:
            self.close()
            self._cloud = Cloud("runTest")
            self._cloud.setUp()
            self._name = name
        return self._cloud

    def close(self) -> None:
        """Stop the cloud, if there is any."""
        if self._cloud is not None:
            self._cloud.close()
            self._cloud = None
