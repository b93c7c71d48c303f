# SPDX-License-Identifier: Apache-2.0
"""A list-table of reStructuredText, for the generated parts of pages."""

from collections.abc import Iterable


def list_table(rows: Iterable[Iterable[str]]) -> str:
    """Return the text of a table whose first row is the header."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        cells = "\n     - ".join(row)
        lines += [line.rstrip() for line in f"   * - {cells}".splitlines()]
    return "\n".join(lines) + "\n"
