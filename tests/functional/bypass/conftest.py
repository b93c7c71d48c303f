# SPDX-License-Identifier: Apache-2.0
"""Nova's test setup, and one directory below it Glance's."""

from tests.functional.nova.conftest import (  # noqa: F401 - hooks of pytest
    pytest_pycollect_makemodule,
)
