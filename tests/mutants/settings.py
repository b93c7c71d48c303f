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
    )
