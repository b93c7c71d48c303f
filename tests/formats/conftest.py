# SPDX-License-Identifier: Apache-2.0
"""Files of each format, written by this version."""

from unittest import mock

import pytest

from nova_vhard.policy import events
from tests.formats import written


@pytest.fixture(scope="module")
def now(tmp_path_factory):
    """Return what this version writes."""
    folder = tmp_path_factory.mktemp("now")
    # Another test of this process may have left a context of a request.
    with mock.patch.object(events, "get_current", return_value=None):
        written.write(folder)
    return folder
