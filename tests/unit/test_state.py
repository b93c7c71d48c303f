# SPDX-License-Identifier: Apache-2.0
"""The three outcomes of a state file: absent, unreadable, damaged."""

import errno
import os

import pytest

from nova_vhard.common import state


def test_an_absent_file_is_none(tmp_path):
    assert state.read(str(tmp_path / "file"), dict) is None


def test_a_link_to_nowhere_is_unreadable(tmp_path):
    """The target of the link may not be mounted yet."""
    path = tmp_path / "file"
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(OSError) as raised:
        state.read(str(path), dict)
    expected = (errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    error = raised.value
    assert (error.errno, error.strerror, error.filename) == expected
    with pytest.raises(ValueError, match="it is a directory"):
        state.read(str(tmp_path), dict)


@pytest.mark.parametrize(
    ("text", "parse"),
    [
        ("{", dict),
        ("\x00", dict),
        ("1", len),
        ("{}", lambda content: content["key"]),
        ("1" + "0" * 400, float),
        ("[" * 100_000, dict),
    ],
)
def test_a_damaged_file_is_an_error_and_stays(tmp_path, text, parse):
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(ValueError):
        state.read(str(path), parse)
    for _ in range(2):
        state.set_aside(str(path))
    assert path.read_text() == text
    assert (tmp_path / "file.damaged").read_text() == text
