# SPDX-License-Identifier: Apache-2.0
"""Nova and Placement in the test process: the same set-up as their tests."""

from tests.functional.nova.conftest import (  # noqa: F401 - hooks of pytest
    pytest_pycollect_makemodule,
)
