# SPDX-License-Identifier: Apache-2.0
"""Faults of our own, files that fail, and logs that cannot be written."""

import builtins
import contextlib
import errno
import fcntl
import gc
import io
import itertools
import logging
import os
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

from tests import logged

DECISIONS = "nova_vhard.decisions"
OURS = "nova_vhard"

#: Kinds that a gate gives a meaning to elsewhere: OSError and RecursionError
#: in a client's body, the next three at Nova's own router.
KINDS = (
    RuntimeError,
    OSError,
    RecursionError,
    AttributeError,
    TypeError,
    KeyError,
    ValueError,
)

SECRET = "rivet-42"


#: What a file operation fails with: our code tells EACCES from all others
#: that a file which is there may fail with.
ERRORS = ("EIO", "EACCES")
KILLS = BEFORE, AFTER = "killed before", "killed after"
#: What changes a file. A kill after another operation leaves what a kill
#: before it leaves.
_CHANGES = ("open", "write", "mkdir", "ftruncate", "fchmod")
_CHANGES += ("link", "replace", "unlink")

_OPENERS = ((builtins, "open"), (io, "open"))
_OPERATIONS = (
    *((fcntl, "flock"), (os, "open"), (os, "stat"), (os, "lstat")),
    *((os, "fstat"), (os, "listdir"), (os, "readlink"), (os, "mkdir")),
    *((os, "dup"), (os, "ftruncate"), (os, "fchmod"), (os, "fsync")),
    *((os, "link"), (os, "replace"), (os, "unlink")),
)


class FileOperations:
    """The file operations of this process below a folder; one of them fails.

    :param number: of the one that fails, from 1
    :param fault: one of ERRORS or KILLS
    :ivar done: names of the operations so far
    """

    def __init__(self, folder: Path, number: int, fault: str) -> None:
        self.folder, self.number, self.fault = str(folder), number, fault
        self.done: list[str] = []

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """Count, and let one fail, what is done inside."""
        with contextlib.ExitStack() as stack:
            for place, name in (*_OPERATIONS, *_OPENERS):
                made = self._patched(name, getattr(place, name))
                stack.enter_context(mock.patch.object(place, name, made))
            yield

    def _patched(self, name: str, real: Any) -> Any:
        def patched(*args: Any, **more: Any) -> Any:
            if not any(map(self._is_below, (*args, *more.values()))):
                return real(*args, **more)
            result = self._do(name, lambda: real(*args, **more))
            return _File(result, self) if real is _REAL_OPEN else result

        return patched

    def _is_below(self, place: Any) -> bool:
        if type(place) is int and place > 2:
            with contextlib.suppress(OSError):
                place = _REAL_READLINK(f"/proc/self/fd/{place}")
        return str(place).startswith(self.folder)

    def _do(self, name: str, operation: Callable[[], Any]) -> Any:
        self.done.append(name)
        due = self.fault if len(self.done) == self.number else ""
        if due in ERRORS:
            number = getattr(errno, due)
            raise OSError(number, os.strerror(number))
        if due == BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return operation()
        finally:
            if due == AFTER:
                os.kill(os.getpid(), signal.SIGKILL)


_REAL_OPEN, _REAL_READLINK = open, os.readlink


class _File:
    """An open file whose reads and writes are counted, too."""

    def __init__(self, file: Any, operations: FileOperations) -> None:
        self._file, self._operations = file, operations

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._file, name)
        if name not in ("read", "write"):
            return real
        return lambda *args: self._operations._do(name, lambda: real(*args))

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()


def in_a_process(work: Callable[[], object]) -> bool:
    """Do something in a process of its own; return whether it was killed."""
    # Without this the child's first collection copies all of the memory.
    gc.freeze()
    if not (pid := os.fork()):
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    gc.unfreeze()
    assert code in (0, -signal.SIGKILL), "see standard error"
    return code != 0


def each_fails(
    folder: Path,
    work: Callable[[FileOperations], object],
    restarted: Callable[[bool], object],
    outside: bool = False,
) -> list[str]:
    """Let each file operation of some work fail once, in each way.

    A kill is tried after each change of a file. Between two changes it makes
    no difference, unless the work also changes something else.

    :param folder: that the operations are below; before each work it is as
        it is now
    :param work: has what is to fail below ``failing``, and then what must
        hold if it goes on
    :param restarted: what must hold when it is started again; hears whether
        it was killed, or ended by an exception
    :param outside: whether the work changes more than these files
    :returns: the operations
    """
    read, write = os.pipe()
    before = folder.with_name("before")
    shutil.copytree(folder, before)

    def count() -> None:
        operations = FileOperations(folder, 0, "")
        work(operations)
        os.write(write, " ".join(operations.done).encode())

    def fail(number: int, fault: str) -> None:
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
        work(FileOperations(folder, number, fault))

    def errors() -> None:
        """Go on after each error, and start again in the same process."""
        for (number, name), fault in itertools.product(operations, ERRORS):
            # For the output of a test that fails.
            print(f"{fault} at {number}, {name}", flush=True)
            ended = False
            try:
                fail(number, fault)
            except AssertionError:
                raise
            except Exception:
                ended = True
            restarted(ended)

    def killed() -> None:
        """Start again after the last kill; then be killed in turn."""
        if last:
            print("started again after", *last, flush=True)
            restarted(True)
        fail(number, fault)

    in_a_process(count)
    names = os.read(read, 1 << 16).decode().split()
    operations = [*enumerate(names, 1)]
    in_a_process(errors)
    last: tuple[object, ...] = ()
    for (number, name), fault in itertools.product(
        operations, (BEFORE, AFTER)
    ):
        if (fault == AFTER and name in _CHANGES) or (
            fault == BEFORE and (outside or number == 1)
        ):
            assert in_a_process(killed)
            last = (number, name, fault)
    in_a_process(lambda: restarted(True))
    os.close(read)
    os.close(write)
    return names


def failing(error: type[Exception]) -> Any:
    """Return a function that raises an error, with a text to be found."""

    def fail(*_arguments: Any, **_more: Any) -> NoReturn:
        raise error(SECRET)

    return fail


@contextlib.contextmanager
def errors() -> Iterator[list[logging.LogRecord]]:
    """Give the list of errors that our code logs from now on."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = records.append  # type: ignore[method-assign]
    with logged.handled(OURS, handler):
        yield records


@contextlib.contextmanager
def no_files() -> Iterator[None]:
    """Let the process open no further file (EMFILE)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def broken_log(name: str) -> Iterator[None]:
    """Let every record of a logger, and of those below it, raise OSError."""
    handler = logging.Handler()
    handler.emit = failing(OSError)  # type: ignore[method-assign]
    with logged.handled(name, handler):
        yield


def check_logged(result: list[logging.LogRecord], kind: type) -> None:
    """Check that there is one error, with the traceback of an exception."""
    assert len(result) == 1, [record.getMessage() for record in result]
    (record,) = result
    assert record.levelname == "ERROR" and record.name.startswith(OURS)
    raised, error, trace = record.exc_info or (None, None, None)
    assert raised is not None and raised.__name__ == kind.__name__
    assert SECRET in str(error) and record.getMessage() in (
        "The gate has failed",
        "The search for the fix of a refusal has failed",
    )
    assert trace is not None
