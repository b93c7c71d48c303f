# SPDX-License-Identifier: Apache-2.0
"""Gates without their services: a policy, and options to find it by."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clean import Records, records
from tests.functional.nova.conftest import (  # noqa: F401 - hooks of pytest
    pytest_pycollect_makemodule,
)
from tests.policy_option import policy_option

STRICT = """\
version: "1"
extends: baseline
passthrough: {require: []}
"""


@pytest.fixture(autouse=True)
def clean_records(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Records]:
    """Hold that every record of a test is one clean line, in a real file."""
    with records(str(tmp_path / "service.log")) as result:
        yield result
        shown = f"{result.written} records, the longest {result.longest} bytes"
        print(f"{request.node.name}: {shown}")
        assert result.faults == []


@pytest.fixture
def policy_file(tmp_path: Path) -> Iterator[Path]:
    """Give the path of the policy that every gate made from now on reads."""
    with policy_option(tmp_path, STRICT) as path:
        yield path
