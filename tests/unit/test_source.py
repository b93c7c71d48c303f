# SPDX-License-Identifier: Apache-2.0
"""What has no text for us, and what is said of it."""

import os
import socket
import stat

import pytest

from nova_vhard.common import source
from nova_vhard.common.source import (
    TooLargeError,
    UnreadableError,
    read_text,
)


def refused(path, **limit):
    """Return what is said of a file, and the line."""
    with pytest.raises(UnreadableError) as caught:
        read_text(str(path), **limit)
    return str(caught.value), caught.value.line


def irregular(kind):
    return f"cannot be read: it is {kind}, and must be a regular file"


def test_a_directory_a_pipe_and_a_device(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path) == (irregular("a directory"), 1)
    assert refused(tmp_path / "pipe") == (irregular("a named pipe"), 1)
    assert refused("/dev/null") == (irregular("a device"), 1)


def test_a_socket(tmp_path, monkeypatch):
    # the address of a socket has few characters
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert refused("socket") == (irregular("a socket"), 1)


def test_what_is_of_no_kind():
    """The kernel has nodes without a type, such as those of events."""
    number = os.eventfd(0)
    try:
        path = f"/proc/self/fd/{number}"
        assert stat.S_IFMT(os.stat(path).st_mode) == 0
        assert refused(path) == (irregular("no file"), 1)
    finally:
        os.close(number)


def test_a_disk():
    with pytest.raises(UnreadableError, match="it is a device, and must be"):
        source._check_kind(stat.S_IFBLK | 0o600)


def test_what_is_not_there(tmp_path):
    message = "cannot be read: No such file or directory"
    assert refused(tmp_path / "nothing") == (message, 1)
    message, line = refused("nothing\0")
    assert message.startswith("cannot be read: ")
    assert "embedded null" in message
    assert line == 1


def test_what_is_no_text(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: b\nc: \xff\n")
    assert refused(path) == ("is not UTF-8: invalid start byte", 2)
    path.write_bytes(b"a: b\nc: d\ne: \xc3")
    assert refused(path) == ("is not UTF-8: unexpected end of data", 3)
    path.write_bytes(b"\n\xff")
    assert refused(path) == ("is not UTF-8: invalid start byte", 2)


def test_as_large_as_the_limit(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("äöü")
    assert read_text(str(path), 6) == "äöü"
    with pytest.raises(TooLargeError):
        read_text(str(path), 5)
    assert refused(path, limit=5) == ("is larger than 5 bytes", 1)


def test_no_more_is_in_memory_than_the_limit_and_a_byte(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"a" * 99)
    assert source._read_bytes(str(path), 5)[0] == b"a" * 6


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


def test_a_link_counts_as_what_it_leads_to(tmp_path):
    (tmp_path / "policy.yaml").write_text("a")
    (tmp_path / "link").symlink_to("policy.yaml")
    assert read_text(str(tmp_path / "link")) == "a"
