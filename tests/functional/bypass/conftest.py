# SPDX-License-Identifier: Apache-2.0
"""Nova, and one directory below Glance: the same set-up as for their tests."""

from tests.functional.nova.conftest import (  # noqa: F401 - hooks of pytest
    pytest_pycollect_makemodule,
)
