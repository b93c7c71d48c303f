# SPDX-License-Identifier: Apache-2.0
"""Results of status checks, and how several become one."""

from collections.abc import Collection, Iterable

from oslo_upgradecheck.upgradecheck import Code, Result

from nova_vhard.common.text import clean

_NAMED = 5


class NotHere(Exception):
    """Raised if the input of a check is not on this node."""


class Broken(Exception):
    """Raised if the input of a check is on this node but cannot be used."""


def fine(stated: str) -> Result:
    """Return a success, with what was read."""
    return Result(Code.SUCCESS, stated)


def warn(stated: str) -> Result:
    """Return a warning: what is wrong, and the fix."""
    return Result(Code.WARNING, stated)


def fail(stated: str) -> Result:
    """Return a failure: what is wrong, and the fix."""
    return Result(Code.FAILURE, stated)


def together(entries: Iterable[Result], stated: str) -> Result:
    """Return one result of several: the worst code, every text.

    :param stated: what to say where nothing was found
    """
    results = sorted(entries, key=lambda item: item.code, reverse=True)
    if not results:
        return fine(stated)
    return Result(
        results[0].code,
        " ".join(dict.fromkeys(result.details for result in results)),
    )


def named(names: Collection[str]) -> str:
    """Return the first few of many names, safe to show."""
    shown = ", ".join(clean(name) for name in sorted(names)[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown
