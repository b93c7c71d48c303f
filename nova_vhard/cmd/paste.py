# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-paste: put the gates into the paste files, or take them out."""

import argparse
import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Sequence

from nova_vhard.cmd import version
from nova_vhard.common import paste_file, terminal
from nova_vhard.common.paste_file import (
    SERVICES,
    PasteError,
    Service,
)

_ACTIONS: dict[str, Callable[[str, Service], str]] = {
    "add": paste_file.add,
    "remove": paste_file.remove,
}
_DONE = {"add": "has the gate now", "remove": "no longer has the gate"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nova-vhard-paste",
        description="Add the gate to a paste file, or remove it. The gate "
        "wraps the application in which the users' pipelines end "
        "(filter-with). A second add or remove changes nothing. add converts "
        "the old form, in which each pipeline names the gate; remove restores "
        "the file as it was before add. Restart the service afterwards.",
    )
    version.add_option(parser)
    parser.add_argument(
        "action",
        choices=sorted(_ACTIONS),
        help="Add or remove the gate.",
    )
    parser.add_argument(
        "service",
        choices=sorted(SERVICES),
        help="The service that the file belongs to.",
    )
    parser.add_argument(
        "file",
        help="The api-paste.ini of nova-api, or glance-api-paste.ini of "
        "glance-api; it is replaced atomically, and left unchanged if "
        "there is an error.",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Change a file; return 0 on success, 1 if it could not be changed."""
    options = _parser().parse_args(argv)
    change = _ACTIONS[options.action]
    # A link stays one; the file behind it is replaced.
    path = os.path.realpath(options.file)
    try:
        text = pathlib.Path(path).read_bytes().decode()
        new = change(text, SERVICES[options.service])
        if new != text:
            _replace(path, new)
    except (OSError, UnicodeDecodeError, PasteError) as error:
        stated = getattr(error, "strerror", None) or error
        terminal.complain(f"nova-vhard-paste: {options.file}: {stated}")
        return 1
    done = _DONE[options.action] if new != text else "nothing to change"
    terminal.say(f"{options.file}: {done}")
    return 0


def _replace(path: str, text: str) -> None:
    """Replace a file atomically, keeping its owner and mode."""
    before = os.stat(path)
    handle, name = tempfile.mkstemp(dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        shutil.copystat(path, name)
        os.utime(name)
        if (before.st_uid, before.st_gid) != (os.getuid(), os.getgid()):
            os.chown(name, before.st_uid, before.st_gid)
        os.replace(name, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
