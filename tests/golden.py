# SPDX-License-Identifier: Apache-2.0
"""Texts for users, kept in files so that wording is reviewed separately.

``NOVA_VHARD_GOLDEN=write`` writes the files again; review the difference.
"""

import os
from collections.abc import Iterable
from pathlib import Path


def check(path: Path, lines: Iterable[str]) -> None:
    """Compare lines with those of a golden file, or write the file."""
    text = "".join(f"{line}\n" for line in lines)
    if os.environ.get("NOVA_VHARD_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), (
        "NOVA_VHARD_GOLDEN=write writes it again"
    )
