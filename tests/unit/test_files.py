# SPDX-License-Identifier: Apache-2.0
"""A replaced file is complete despite killed or concurrent writers."""

import errno
import fcntl
import os
import signal
import threading

import pytest

from nova_vhard.common import files


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("write", [files.replace, files.create])
def test_what_a_kill_leaves_is_taken_by_the_next_write(tmp_path, write, call):
    """It may be a secret."""
    path = tmp_path / "state.json"
    before = {"state.json": "old"} if write is files.replace else {}
    for name, text in before.items():
        (tmp_path / name).write_text(text)
    for _ in range(2):
        if not (pid := os.fork()):
            setattr(os, call, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            write(str(path), "x" * 100)
        os.waitpid(pid, 0)
        left = {each.name: each.read_text() for each in tmp_path.iterdir()}
        assert left == {**before, ".state.json.new": "x" * 100}
    write(str(path), "new", mode=0o640)
    assert os.listdir(tmp_path) == ["state.json"]
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_an_empty_file_is_empty(tmp_path):
    (tmp_path / ".state.json.new").write_text("left behind")
    files.replace(str(tmp_path / "state.json"), "")
    assert (tmp_path / "state.json").read_bytes() == b""


def test_a_file_is_written_in_utf_8(tmp_path):
    files.replace(str(tmp_path / "state.json"), "ä\r\n")
    assert (tmp_path / "state.json").read_bytes() == b"\xc3\xa4\r\n"


@pytest.mark.parametrize("write", [files.replace, files.create])
def test_a_text_that_cannot_be_written_leaves_nothing(tmp_path, write):
    with pytest.raises(UnicodeEncodeError):
        write(str(tmp_path / "state.json"), "\ud800")
    assert os.listdir(tmp_path) == []


def test_the_first_fault_is_raised(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    path.write_text("old")

    def fails(_handle):
        (tmp_path / ".state.json.new").unlink()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="Input/output error"):
        files.replace(str(path), "new")
    assert os.listdir(tmp_path) == ["state.json"]
    assert path.read_text() == "old"


def test_a_file_that_another_writer_has_renamed_is_left_to_it(
    tmp_path, monkeypatch
):
    new = tmp_path / ".state.json.new"
    lock = fcntl.flock

    def renamed(handle, how):
        """Get the lock when the other writer is ready."""
        monkeypatch.setattr(fcntl, "flock", lock)
        new.rename(tmp_path / "theirs")
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", renamed)
    files.replace(str(tmp_path / "state.json"), "new")
    assert (tmp_path / "state.json").read_text() == "new"
    assert (tmp_path / "theirs").read_text() == ""


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
def test_writers_side_by_side_leave_a_whole_file(tmp_path, mode):
    path = tmp_path / "state.json"
    texts = [letter * 5000 for letter in "abcd"]
    torn = []

    def write(text):
        for _ in range(30):
            files.replace(str(path), text, mode)
            if path.read_text() not in texts:
                torn.append(text)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not torn
    assert os.listdir(tmp_path) == ["state.json"]


def test_nothing_is_written_through_a_link(tmp_path):
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / ".state.json.new").symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        files.replace(str(tmp_path / "state.json"), "new")
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


def test_no_reader_of_a_pipe_is_waited_for(tmp_path, no_wait):
    """A folder of metrics may be another user's."""
    os.mkfifo(tmp_path / ".state.json.new")
    with pytest.raises(OSError, match="No such device"):
        files.replace(str(tmp_path / "state.json"), "new")
    reader = os.open(tmp_path / ".state.json.new", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="somebody else"):
        files.replace(str(tmp_path / "state.json"), "new")
    os.close(reader)


def test_no_lock_is_waited_for_that_others_can_take(tmp_path, no_wait):
    """A kill left what is about to be read by all, and somebody opened it."""
    path, left = tmp_path / "state.prom", tmp_path / ".state.prom.new"
    left.write_text("left behind")
    left.chmod(0o644)
    with left.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        files.replace(str(path), "new", mode=0o644)
    assert os.listdir(tmp_path) == ["state.prom"]
    assert path.read_text() == "new"


def test_who_changes_the_folder_all_the_time_is_given_up(
    tmp_path, monkeypatch
):
    """A folder of metrics may be another user's."""
    monkeypatch.setattr(files, "_is", lambda *_: False)
    with pytest.raises(BlockingIOError):
        files.replace(str(tmp_path / "state.prom"), "new")


def test_a_file_is_nobody_elses_until_it_has_its_name(tmp_path, monkeypatch):
    modes = []
    for call in ("ftruncate", "fsync"):
        real = getattr(os, call)

        def seen(handle, *more, real=real):
            modes.append(os.fstat(handle).st_mode & 0o777)
            return real(handle, *more)

        monkeypatch.setattr(files.os, call, seen)
    files.replace(str(tmp_path / "state.prom"), "new", mode=0o644)
    assert modes[:2] == [0o600, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_no_lock_of_another_user_is_waited_for(tmp_path, no_wait):
    theirs = tmp_path / ".state.json.new"
    theirs.write_text("theirs")
    os.chown(theirs, 65534, 65534)
    with theirs.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="somebody else"):
            files.replace(str(tmp_path / "state.json"), "new")
    assert theirs.read_text() == "theirs"


def test_a_writer_whose_file_has_gone_says_why_it_failed(
    tmp_path, monkeypatch
):
    path = tmp_path / "state.json"

    def fail(temporary, _path):
        os.unlink(temporary)
        raise PermissionError("broken")

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(PermissionError, match="broken"):
        files.replace(str(path), "new")
    assert os.listdir(tmp_path) == []
