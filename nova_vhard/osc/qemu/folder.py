# SPDX-License-Identifier: Apache-2.0
"""The folder of ``openstack vhard qemu build-config``: whole, or not there."""

import pathlib
import shutil
import tempfile

from osc_lib import exceptions


def write(folder: pathlib.Path, texts: dict[str, str]) -> None:
    """Put a new folder in place in one step.

    :raises CommandError: if it is there already, and not empty
    :raises OSError: if it could not be done; what was there is untouched
    """
    if not folder.parent.is_dir():
        raise exceptions.CommandError(
            f"{folder}: there is no folder {folder.parent}"
        )
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise exceptions.CommandError(f"{folder} is not a folder")
    if folder.exists() and any(folder.iterdir()):
        raise exceptions.CommandError(
            f"{folder} is not empty; remove it, or name another folder"
        )
    new = tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent)
    made = pathlib.Path(new, "new")
    try:
        for name, text in texts.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        # This replaces an empty folder, but not one with files.
        made.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
