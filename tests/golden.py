# SPDX-License-Identifier: Apache-2.0
"""Sentences for people, kept in files so that wording can be reviewed alone.

``NOVA_VHARD_GOLDEN=write`` writes the files anew; look at the difference then.
"""

import os
from collections.abc import Iterable
from pathlib import Path


def check(path: Path, lines: Iterable[str]) -> None:
    """Compare lines with those of a file, or write them to it."""
    text = "".join(f"{line}\n" for line in lines)
    if os.environ.get("NOVA_VHARD_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
