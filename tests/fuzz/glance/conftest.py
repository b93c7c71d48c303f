# SPDX-License-Identifier: Apache-2.0
"""Glance with and without the gate, for this directory alone.

Glance's configuration is gone again before Nova's tests want theirs.
"""

from tests.functional.glance.conftest import (  # noqa: F401 - fixtures
    baseline_app,
    directory,
    gated,
    plain,
    plain_app,
)
