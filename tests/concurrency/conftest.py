# SPDX-License-Identifier: Apache-2.0
"""The same gates as those that are fuzzed, and the real Placement."""

from tests.functional.nova.conftest import (  # noqa: F401 - hooks of pytest
    pytest_pycollect_makemodule,
)
from tests.functional.placement.conftest import cloud  # noqa: F401
from tests.fuzz.conftest import policy_file  # noqa: F401
