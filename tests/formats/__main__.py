# SPDX-License-Identifier: Apache-2.0
"""Write the formats of this version: ``python -m tests.formats 1.1.0``."""

import sys
from pathlib import Path

from tests.formats.written import write

if __name__ == "__main__":
    folder = Path(__file__).parent / sys.argv[1]
    folder.mkdir()
    write(folder)
