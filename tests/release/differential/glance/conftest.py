# SPDX-License-Identifier: Apache-2.0
"""Glance in this process, until the tests of this folder are over."""

from tests.functional.glance.conftest import (  # noqa: F401 - fixtures
    directory,
    plain,
    plain_app,
)
