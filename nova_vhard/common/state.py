# SPDX-License-Identifier: Apache-2.0
"""State files of our daemons: absent, unreadable or damaged.

A file that cannot be read at the moment (EIO, EMFILE, EACCES) is not absent. A
reader that treats it as absent loses the state, and its next write makes the
loss permanent.
"""

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any, TypeVar

from nova_vhard.common import source

_State = TypeVar("_State")


def read(
    path: str, parse: Callable[[Any], _State], limit: int = source.MAX_SIZE
) -> _State | None:
    """Return the content of a state file, or None if there is no file.

    :param parse: returns the content of parsed JSON; may raise what a wrong
        type or a missing key raises
    :raises OSError: if the file cannot be read. Ask again later, and write
        only a new good state over it
    :raises ValueError: if the file is damaged, see ``set_aside``
    """
    try:
        return parse(json.loads(source.read_text(path, limit)))
    except source.UnreadableError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError):
            raise ValueError(f"it {error}") from error
        # A link to nowhere may lead to a file system that is not mounted.
        if isinstance(cause, FileNotFoundError) and not os.path.islink(path):
            return None
        raise OSError(cause.errno, cause.strerror, path) from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
    ) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def set_aside(path: str) -> None:
    """Give a damaged file the second name ``<path>.damaged``.

    The first name stays until a new state replaces it: for the cleaner, a
    device without a file was never used. The first damaged copy stays, too.
    """
    with contextlib.suppress(OSError):
        os.link(path, f"{path}.damaged")
