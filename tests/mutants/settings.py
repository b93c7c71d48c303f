# SPDX-License-Identifier: Apache-2.0
"""What mutmut is told in pyproject.toml."""

import json
from collections.abc import Sequence

from tests.mutants.areas import Area

_SETTINGS = """
[tool.mutmut]
source_paths = ["nova_vhard"]
only_mutate = {files}
also_copy = {others}
pytest_add_cli_args = {options}
pytest_add_cli_args_test_selection = {tests}
timeout_constant = 10.0
timeout_multiplier = 5.0
use_git_change_detection = false
"""
#: A function of mutmut's stands between a mutant and who calls it.
_DESELECTED = "tests/unit/test_log.py::test_a_record_knows_its_caller"
#: Of pytest.
OPTIONS = ["-p", "no:cacheprovider", "-p", "no:warnings", "-p", "no:xdist"]
OPTIONS += ["--deselect", _DESELECTED]


def text(area: Area, entries: Sequence[str]) -> str:
    """Return mutmut's settings.

    :param entries: what the folder has
    """
    others = sorted(set(entries) - {"nova_vhard"})
    return _SETTINGS.format(
        files=json.dumps(area.files),
        others=json.dumps(others),
        options=json.dumps(OPTIONS),
        tests=json.dumps(area.tests),
    )
