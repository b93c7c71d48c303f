# SPDX-License-Identifier: Apache-2.0
"""A log is followed through whatever rotation does to it."""

import errno
import os
import shutil

import pytest

from nova_vhard.cmd.exporter import follow
from nova_vhard.cmd.exporter.follow import Follower


@pytest.fixture
def path(tmp_path):
    return tmp_path / "service.log"


@pytest.fixture
def follower(path):
    """A follower of a file that was there before."""
    path.write_bytes(b"old\n")
    found = Follower(str(path))
    assert new(found) == []
    yield found
    found.close()


def new(follower):
    return [line.decode() for line in follower.lines()]


def append(path, text):
    with open(path, "a") as file:
        file.write(text)


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_begins_at_the_end_and_reads_whole_lines(path, follower):
    append(path, "one\ntwo\nth")
    assert new(follower) == ["one", "two"]
    append(path, "ree\n")
    assert new(follower) == ["three"]
    assert new(follower) == []


def test_a_line_that_is_being_written_at_the_start_is_read_whole(path):
    path.write_text("old\nhalf")
    follower = Follower(str(path))
    assert new(follower) == []
    append(path, " a line\n")
    assert new(follower) == ["half a line"]


def test_a_file_that_appears_later_is_read_from_its_start(path):
    follower = Follower(str(path))
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            new(follower)
    path.write_text("one\n")
    assert new(follower) == ["one"]


def test_rotation_by_rename_loses_nothing(path, follower, tmp_path):
    append(path, "one\n")
    path.rename(tmp_path / "service.log.1")
    append(tmp_path / "service.log.1", "two\n")
    append(path, "three\n")
    assert new(follower) == ["one", "two", "three"]
    append(tmp_path / "service.log.1", "a worker that reopens late\n")
    append(path, "four\n")
    assert new(follower) == ["a worker that reopens late", "four"]


def test_between_rename_and_the_new_file_the_old_one_is_read(
    path, follower, tmp_path
):
    path.rename(tmp_path / "service.log.1")
    append(tmp_path / "service.log.1", "one\n")
    found = []
    with pytest.raises(FileNotFoundError):
        found.extend(follower.lines())
    lines = follower.lines()
    append(tmp_path / "service.log.1", "two\n")
    assert next(lines) == b"two"
    append(path, "three\n")
    assert [*lines] == [b"three"]


def test_a_deleted_file_is_let_go(path, follower, tmp_path):
    before = descriptors()
    for number in range(5):
        path.rename(tmp_path / f"service.log.{number}")
        append(path, f"{number}\n")
        assert new(follower) == [str(number)]
    assert descriptors() == before + 1
    for number in range(5):
        (tmp_path / f"service.log.{number}").unlink()
    assert new(follower) == []
    assert descriptors() == before


@pytest.mark.parametrize("text", ["new\n", "longer than it was before\n"])
def test_rotation_by_copytruncate(path, follower, tmp_path, text):
    append(path, "one\n")
    assert new(follower) == ["one"]
    shutil.copy(path, tmp_path / "service.log.1")
    os.truncate(path, 0)
    append(path, text)
    assert new(follower) == [text.strip()]


def test_a_file_that_is_emptied_and_filled_again(path, follower):
    os.truncate(path, 0)
    assert new(follower) == []
    append(path, "one\n")
    assert new(follower) == ["one"]


def test_of_a_line_that_is_too_long_a_part_is_kept(path, follower):
    append(path, "x" * (3 * follow.LONGEST) + "\none\n")
    long, one = new(follower)
    assert one == "one"
    assert len(long) <= follow.LONGEST + follow._CHUNK
    append(path, "two\n")
    assert new(follower) == ["two"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_not_read(path, make):
    make(path)
    before = descriptors()
    follower = Follower(str(path))
    for _ in range(3):
        with pytest.raises(OSError, match="not a regular file"):
            new(follower)
    assert descriptors() == before
    path.rmdir() if path.is_dir() else path.unlink()
    path.write_text("was there, perhaps\n")
    assert new(follower) == []


def test_a_loop_of_links_is_an_error(path):
    path.symlink_to(path)
    with pytest.raises(OSError) as caught:
        new(Follower(str(path)))
    assert caught.value.errno == errno.ELOOP


def test_a_disk_that_fails_is_an_error_and_nothing_is_read_twice(
    path, follower, monkeypatch
):
    append(path, "one\n")
    assert new(follower) == ["one"]
    with monkeypatch.context() as patch:

        def fail(*arguments):
            raise OSError(errno.EIO, "Input/output error")

        patch.setattr(follow.os, "pread", fail)
        with pytest.raises(OSError, match="Input/output"):
            new(follower)
    assert new(follower) == []
    append(path, "two\n")
    assert new(follower) == ["two"]
