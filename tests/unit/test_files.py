# SPDX-License-Identifier: Apache-2.0
"""A replaced file is complete despite killed or concurrent writers."""

import errno
import fcntl
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from nova_vhard.common import files


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.json"


@pytest.fixture
def new(tmp_path):
    """Return what is written first."""
    return tmp_path / ".state.json.new"


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("write", [files.replace, files.create])
def test_what_a_kill_leaves_is_taken_by_the_next_write(path, call, write):
    """It may be a secret."""
    before = {"state.json": "old"} if write is files.replace else {}
    if before:
        path.write_text("old")
    for _ in range(2):
        if not (pid := os.fork()):
            setattr(os, call, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            write(str(path), "x" * 100)
        os.waitpid(pid, 0)
        left = {each.name: each.read_text() for each in path.parent.iterdir()}
        assert left == {**before, ".state.json.new": "x" * 100}
    write(str(path), "new", mode=0o640)
    assert os.listdir(path.parent) == ["state.json"]
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("text", "content"), [("", b""), ("ä\r\n", b"\xc3\xa4\r\n")]
)
def test_a_file_is_written_in_utf_8_over_what_is_left(
    path, new, text, content
):
    new.write_text("left behind")
    files.replace(str(path), text)
    assert path.read_bytes() == content


@pytest.mark.parametrize("write", [files.replace, files.create])
def test_a_text_that_cannot_be_written_leaves_nothing(path, write):
    with pytest.raises(UnicodeEncodeError):
        write(str(path), "\ud800")
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize(
    ("call", "error"),
    [("fsync", OSError("its fault")), ("replace", PermissionError("broken"))],
)
def test_the_first_fault_is_raised(path, new, monkeypatch, call, error):
    """Even if somebody has removed the new file."""
    path.write_text("old")

    def fails(*_):
        new.unlink()
        raise error

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(type(error), match=str(error)):
        files.replace(str(path), "new")
    assert os.listdir(path.parent) == ["state.json"]
    assert path.read_text() == "old"


def test_a_file_that_another_writer_has_renamed_is_left_to_it(
    path, new, monkeypatch
):
    theirs = path.with_name("theirs")
    lock = fcntl.flock

    def renamed(handle, how):
        """Get the lock when the other writer is ready."""
        monkeypatch.setattr(fcntl, "flock", lock)
        new.rename(theirs)
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", renamed)
    files.replace(str(path), "new")
    assert (path.read_text(), theirs.read_text()) == ("new", "")


@pytest.mark.parametrize(
    ("arguments", "mode"), [([], 0o644), ([0o600], 0o600)]
)
def test_a_file_is_created(tmp_path, arguments, mode):
    path = tmp_path / "policy.yaml"
    files.create(os.path.relpath(path), "new", *arguments)
    assert os.listdir(tmp_path) == ["policy.yaml"]
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("there", ["policy.yaml", "nothing"])
def test_what_is_there_is_not_created(tmp_path, there):
    """A link that leads nowhere is there as well."""
    path = tmp_path / "policy.yaml"
    if there == "nothing":
        path.symlink_to(there)
    else:
        path.write_text("old")
    with pytest.raises(FileExistsError) as raised:
        files.create(str(path), "new")
    words = (errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    error = raised.value
    assert (error.errno, error.strerror, error.filename) == words
    assert os.listdir(tmp_path) == ["policy.yaml"]
    assert path.is_symlink() or path.read_text() == "old"


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_writers_side_by_side_leave_a_whole_file(path, mode):
    texts = [letter * 5000 for letter in "abcd"]

    def write(text):
        for _ in range(30):
            files.replace(str(path), text, mode)
            assert path.read_text() in texts

    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(write, texts))
    assert os.listdir(path.parent) == ["state.json"]


def test_nothing_is_written_through_a_link(path, new):
    target = path.with_name("target")
    target.write_text("kept")
    new.symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        files.replace(str(path), "new")
    assert target.read_text() == "kept"


@pytest.fixture
def no_wait():
    """Interrupt what waits for somebody else."""

    def fail(*_):
        pytest.fail("it waits")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_no_reader_of_a_pipe_is_waited_for(path, new, no_wait):
    """A folder of metrics may be another user's."""
    os.mkfifo(new)
    with pytest.raises(OSError, match="No such device"):
        files.replace(str(path), "new")
    reader = os.open(new, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="somebody else"):
        files.replace(str(path), "new")
    os.close(reader)


def test_no_lock_is_waited_for_that_others_can_take(path, new, no_wait):
    """A kill left what is about to be read by all, and somebody opened it."""
    new.write_text("left behind")
    new.chmod(0o644)
    with new.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        files.replace(str(path), "new", mode=0o644)
    assert os.listdir(path.parent) == ["state.json"]
    assert path.read_text() == "new"


def test_who_changes_the_folder_all_the_time_is_given_up(path, monkeypatch):
    """A folder of metrics may be another user's."""
    monkeypatch.setattr(files, "_is", lambda *_: False)
    with pytest.raises(BlockingIOError):
        files.replace(str(path), "new")


def test_a_file_is_nobody_elses_until_it_has_its_name(path, monkeypatch):
    modes = []
    for call in ("ftruncate", "fsync"):
        real = getattr(os, call)

        def seen(handle, *more, real=real):
            modes.append(os.fstat(handle).st_mode & 0o777)
            return real(handle, *more)

        monkeypatch.setattr(files.os, call, seen)
    files.replace(str(path), "new", mode=0o644)
    assert modes[:2] == [0o600, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_no_lock_of_another_user_is_waited_for(path, new, no_wait):
    new.write_text("theirs")
    os.chown(new, 65534, 65534)
    with new.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="somebody else"):
            files.replace(str(path), "new")
    assert new.read_text() == "theirs"
