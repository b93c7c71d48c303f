# SPDX-License-Identifier: Apache-2.0
"""The same cloud as Nova ships."""

from tests.release.oracle import cloud


class OpenCloud(cloud.Cloud):
    """Has no gate: nothing is judged in it."""

    API_GATE = None
    FILTER = None
