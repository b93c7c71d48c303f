# SPDX-License-Identifier: Apache-2.0
"""Each row succeeds on unmodified Nova, or its test would prove nothing."""

from tests.functional.bypass import test_bypass_servers
from tests.functional.nova import base, service
from tests.release.bypass import clouds

globals().update(clouds.again(clouds.Open, __name__))


class TestGuardedHardReboot_servers(
    clouds.Open, test_bypass_servers.HardReboot, base.LibvirtCase
):
    """The scheduler's gate without the API's: what the row is about."""

    FILTER = service.FILTER
