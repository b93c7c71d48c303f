# SPDX-License-Identifier: Apache-2.0
"""Configuration files of a cloud, with names in braces to be filled in."""

import pathlib

FOLDER = pathlib.Path(__file__).parent


def fill(name, /, **values):
    """Return the text of a file."""
    return (FOLDER / name).read_text(encoding="utf-8").format(**values)
