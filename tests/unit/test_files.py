# SPDX-License-Identifier: Apache-2.0
"""A file that is replaced is whole, whoever is killed or writes beside it."""

import fcntl
import os
import signal
import threading

import pytest

from nova_vhard.common import files


def test_what_a_kill_leaves_behind_is_taken_by_the_next_write(tmp_path):
    path = tmp_path / "state.json"
    path.write_text("old")
    for _ in range(2):
        if not (pid := os.fork()):
            os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
            files.replace(str(path), "x" * 100)
        os.waitpid(pid, 0)
    assert sorted(os.listdir(tmp_path)) == [".state.json.new", "state.json"]
    assert path.read_text() == "old"
    files.replace(str(path), "new", mode=0o640)
    assert os.listdir(tmp_path) == ["state.json"]
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_writers_side_by_side_leave_a_whole_file(tmp_path):
    path = tmp_path / "state.json"
    texts = [letter * 5000 for letter in "abcd"]
    torn = []

    def write(text):
        for _ in range(30):
            files.replace(str(path), text)
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
