# SPDX-License-Identifier: Apache-2.0
"""Evidence: the record of what one check has read and found."""

from nova_vhard.host.sanitized import shown

#: Lines that a record keeps; the rest is counted.
MAX_EVIDENCE = 48

# Characters of a line: room for the names of all USB controllers of a QEMU.
_LONG = 1000


class Evidence:
    """Lines in the order of the report, limited in number and sanitized.

    Each check that runs on a HostRoot begins a new record, so that it does not
    report the evidence of the check before. Code whose result is shared by
    several checks (``Host.shared``, a cache by HostRoot) must therefore not
    note lines itself: each check that uses the result notes its own.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._first = 0
        self._more = 0

    def note(self, *lines: str, first: bool = False) -> None:
        """Add lines to the record, but for those that it has.

        :param first: whether they go before all that do not. A report has
            room for some lines only: those that decide come first
        """
        place = self._first if first else len(self._lines)
        texts = dict.fromkeys(shown(line, _LONG) for line in lines)
        new = [text for text in texts if text not in self._lines]
        self._lines[place:place] = new
        self._first += len(new) if first else 0
        self._more += len(self._lines[MAX_EVIDENCE:])
        del self._lines[MAX_EVIDENCE:]

    def lines(self) -> tuple[str, ...]:
        """Return what was kept, and how many lines were not."""
        more = (f"and {self._more} more",) if self._more else ()
        return (*self._lines, *more)
