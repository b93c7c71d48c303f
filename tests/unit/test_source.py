# SPDX-License-Identifier: Apache-2.0
"""Files that are refused as text sources, and the error messages."""

import os
import socket
import stat

import pytest

from nova_vhard.common import source
from nova_vhard.common.source import (
    UnreadableError,
    read_private,
    read_text,
)


def refused(path, **limit):
    """Return what is said of a file, and the line."""
    with pytest.raises(UnreadableError) as caught:
        read_text(str(path), **limit)
    return str(caught.value), caught.value.line


def irregular(kind):
    return f"cannot be read: it is {kind}, and must be a regular file"


MISSING = "cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (".", irregular("a directory")),
        ("pipe", irregular("a named pipe")),
        ("/dev/null", irregular("a device")),
        ("socket", irregular("a socket")),
        # The kernel has nodes without a type, such as those of events.
        ("event", irregular("no file")),
        ("nothing", MISSING),
    ],
)
def test_what_is_no_file(tmp_path, monkeypatch, name, said):
    # the address of a socket has few characters
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    number = os.eventfd(0)
    os.symlink(f"/proc/self/fd/{number}", "event")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert refused(name) == (said, 0)
    os.close(number)


def test_a_name_that_no_file_can_have():
    message, line = refused("nothing\0")
    assert message.startswith("cannot be read: ") and line == 0
    assert "embedded null" in message


def test_a_disk():
    with pytest.raises(UnreadableError, match="it is a device, and must be"):
        source._check_kind(stat.S_IFBLK | 0o600)


@pytest.mark.parametrize(
    ("content", "said", "line"),
    [
        (b"a: b\nc: \xff\n", "is not UTF-8: invalid start byte", 2),
        (b"a: b\nc: d\ne: \xc3", "is not UTF-8: unexpected end of data", 3),
        (b"\n\xff", "is not UTF-8: invalid start byte", 2),
        ("äöü!".encode(), "is larger than 6 bytes", 0),
        # No machine has memory for it; the disk has a hole.
        (None, "is larger than 6 bytes", 0),
    ],
)
def test_what_is_no_text(tmp_path, content, said, line):
    path = tmp_path / "policy.yaml"
    if content is None:
        path.touch()
        os.truncate(path, 2**40)
    else:
        path.write_bytes(content)
    limit = {"limit": 6} if line == 0 else {}
    assert refused(path, **limit) == (said, line)


def test_as_large_as_the_limit(tmp_path):
    """A link counts as what it leads to."""
    (tmp_path / "policy.yaml").write_text("äöü")
    (tmp_path / "link").symlink_to("policy.yaml")
    assert read_text(str(tmp_path / "link"), 6) == "äöü"


def test_a_file_that_becomes_a_device_between_two_looks(tmp_path, monkeypatch):
    """It is opened so that nothing is waited for, and none controls us."""
    path = tmp_path / "policy.yaml"
    path.write_text("a")
    opened = []
    really_open = os.open

    def opening(name, flags):
        opened.append(flags)
        return really_open(name, flags)

    monkeypatch.setattr(os, "open", opening)
    assert read_text(str(path)) == "a"
    for flag in (os.O_NONBLOCK, os.O_NOCTTY, os.O_CLOEXEC):
        assert opened[0] & flag


STRANGER = 12345


@pytest.fixture
def private(tmp_path):
    """A file that is read-only for others, in a folder of its own."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o755)
    path = folder / "key"
    path.write_text("text")
    path.chmod(0o640)
    return path


def open_to(path, secret):
    """Return why a private file is not read."""
    with pytest.raises(UnreadableError) as caught:
        read_private(str(path), secret)
    return str(caught.value)


@pytest.mark.parametrize("secret", [True, False])
def test_a_private_file(private, secret):
    assert read_private(str(private), secret, 4) == "text"
    with pytest.raises(UnreadableError, match="larger than 3 bytes"):
        read_private(str(private), secret, 3)


@pytest.mark.parametrize(
    ("mode", "secret", "fault"),
    [
        (0o640, True, ""),
        (0o644, False, ""),
        (0o645, False, ""),
        (0o644, True, "can be read by others: chmod o-r"),
        (
            0o620,
            True,
            "cannot be trusted: others can write to {}: mode 0620 "
            "(chmod go-w)",
        ),
        (
            0o664,
            False,
            "cannot be trusted: others can write to {}: mode 0664 "
            "(chmod go-w)",
        ),
        (
            0o646,
            False,
            "cannot be trusted: others can write to {}: mode 0646 "
            "(chmod go-w)",
        ),
    ],
)
def test_a_private_file_and_its_mode(private, mode, secret, fault):
    private.chmod(mode)
    if fault:
        assert open_to(private, secret) == fault.format(private)
    else:
        assert read_private(str(private), secret) == "text"


@pytest.mark.parametrize(
    ("mode", "good"),
    [(0o755, True), (0o1777, True), (0o777, False), (0o775, False)],
)
@pytest.mark.parametrize("up", [0, 1])
def test_a_private_file_and_the_mode_of_a_folder(private, up, mode, good):
    # Whoever can change a folder on the way can put another file there.
    folder = private.parents[up]
    folder.chmod(mode)
    if good:
        assert read_private(str(private), True) == "text"
    else:
        text = f"cannot be trusted: others can write to {folder}: mode"
        assert open_to(private, True) == f"{text} {mode:04o} (chmod go-w)"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away: needs root")
@pytest.mark.parametrize(
    ("owner", "reader", "good"),
    [
        (0, STRANGER, True),
        (STRANGER, STRANGER, True),
        (STRANGER, 0, False),
        (1, STRANGER, False),
    ],
)
def test_a_private_file_and_its_owner(
    private, monkeypatch, owner, reader, good
):
    monkeypatch.setattr(os, "geteuid", lambda: reader)
    for path in (private, private.parent):
        os.chown(path, owner, -1)
        if good:
            assert read_private(str(private), True) == "text"
        else:
            text = (
                f"cannot be trusted: {path} is not owned by root: uid {owner}"
            )
            assert open_to(private, True) == f"{text} (chown root)"
        os.chown(path, 0, -1)


def test_a_private_file_that_a_link_of_a_strangers_leads_to(private):
    folder = private.parent.parent / "open"
    folder.mkdir()
    folder.chmod(0o777)
    link = folder / "key"
    link.symlink_to(private)
    assert "others can write to" in open_to(link, True)
    private.unlink()
    text = f"cannot be trusted: {private}: No such file or directory"
    assert open_to(private, True) == text
