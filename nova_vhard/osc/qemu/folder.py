# SPDX-License-Identifier: Apache-2.0
"""The folder of ``openstack vhard qemu build-config``: whole, or not there."""

import pathlib
import shutil
import tempfile

from osc_lib import exceptions

#: Everything that a run may have written.
OURS = frozenset(
    (
        "README.rst",
        "debian/control.nova-vhard",
        "debian/nova-vhard.mk",
        "nova-vhard/cflags",
        "nova-vhard/configure-options",
        "nova-vhard/devices.mak",
        "nova-vhard/ldflags",
        "nova-vhard/types.patch",
        "rpm/nova-vhard.spec.inc",
    )
)


def refuse(folder: pathlib.Path, force: bool) -> None:
    """Raise if a folder must not be written to.

    :raises CommandError: if it is not empty, and may not be replaced
    """
    if not folder.parent.is_dir():
        text = f"{folder}: there is no folder {folder.parent}"
        raise exceptions.CommandError(text)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise exceptions.CommandError(f"{folder} is not a folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not force:
        text = f"{folder} is not empty; --force replaces an earlier output"
        raise exceptions.CommandError(text)
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        ours = name in OURS or path.is_dir()
        if path.is_symlink() or not ours:
            text = f"{path} is not of this command; choose another folder"
            raise exceptions.CommandError(text)


def write(folder: pathlib.Path, texts: dict[str, str]) -> None:
    """Put a folder in place in one step.

    :raises OSError: if it could not be done; what was there is untouched
    """
    new = tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent)
    made = pathlib.Path(new, "new")
    try:
        for name, text in texts.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        _swap(folder, made, pathlib.Path(new, "old"))
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(folder: pathlib.Path, made: pathlib.Path, old: pathlib.Path) -> None:
    """Put a folder in place of another, or none."""
    if not folder.exists():
        made.rename(folder)
        return
    folder.rename(old)
    try:
        made.rename(folder)
    except OSError:
        old.rename(folder)
        raise
