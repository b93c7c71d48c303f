# SPDX-License-Identifier: Apache-2.0
"""The cloud that tests share."""

import pytest

from tests.functional.nova import shared


def test_a_cleanup_that_fails_keeps_none_from_running():
    called = []
    cleanups = [
        (called.append, ("first",), {}),
        (divmod, (1, 0), {}),
        (called.append, ("last",), {}),
    ]
    with pytest.raises(ZeroDivisionError):
        shared._clean(cleanups)
    assert (called, cleanups) == (["last", "first"], [])
