# SPDX-License-Identifier: Apache-2.0
"""Settings of mutmut in pyproject.toml."""

import json
from collections.abc import Sequence

from tests.mutants.areas import Area

_SETTINGS = """
[tool.mutmut]
source_paths = ["nova_vhard"]
only_mutate = {files}
also_copy = {others}
"""
_DESELECTED = (
    # a function of mutmut's stands between a mutant and who calls it
    "tests/unit/test_log.py::test_a_record_knows_its_caller",
    # too long for every mutant: how long something large takes
    "tests/unit/cli/test_decision.py::test_memory_does_not_grow_with_the_file",
    "tests/unit/test_server_exemptions.py"
    "::test_ten_thousand_exemptions_are_looked_up_not_searched",
)
#: Of pytest.
OPTIONS = ["-p", "no:cacheprovider", "-p", "no:warnings", "-p", "no:xdist"]
OPTIONS += [f"--deselect={name}" for name in _DESELECTED]


def text(area: Area, entries: Sequence[str]) -> str:
    """Return mutmut's settings.

    :param entries: what the folder has
    """
    others = sorted(set(entries) - {"nova_vhard"})
    return _SETTINGS.format(
        files=json.dumps(area.files),
        others=json.dumps(others),
    )
