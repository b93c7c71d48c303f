# SPDX-License-Identifier: Apache-2.0
"""External text, XML and PCI addresses, and files that we write."""

import errno
import fcntl
import io
import operator
import os
import signal
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest

from nova_vhard.common import files, pci, source, state, terminal, trusted, xml
from nova_vhard.common.text import LIMIT, clean, fit, line, lines, quote


def refused(path, **limit):
    """Return what is said of a file, and the line."""
    with pytest.raises(source.UnreadableError) as caught:
        source.read_text(str(path), **limit)
    return str(caught.value), caught.value.line


def irregular(kind):
    return f"cannot be read: it is {kind}, and must be a regular file"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (".", irregular("a directory")),
        ("pipe", irregular("a named pipe")),
        ("/dev/null", irregular("a device")),
        ("socket", irregular("a socket")),
        # The kernel has nodes without a type, such as those of events.
        ("event", irregular("no file")),
        ("nothing", "cannot be read: No such file or directory"),
        # an invalid file name
        ("nothing\0", "embedded null"),
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
        message, line = refused(name)
    assert said in message and line == 0
    os.close(number)


def test_a_disk():
    with pytest.raises(
        source.UnreadableError, match="it is a device, and must be"
    ):
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
    assert refused(path, **{"limit": 6} if line == 0 else {}) == (said, line)


def test_as_large_as_the_limit(tmp_path):
    """A link counts as what it leads to."""
    (tmp_path / "policy.yaml").write_text("äöü")
    (tmp_path / "link").symlink_to("policy.yaml")
    assert source.read_text(str(tmp_path / "link"), 6) == "äöü"


def test_a_file_that_becomes_a_device_between_two_looks(tmp_path, monkeypatch):
    """It is opened so that nothing is waited for, and none controls us."""
    path = tmp_path / "policy.yaml"
    path.write_text("a")
    opened = mock.Mock(wraps=os.open)
    monkeypatch.setattr(os, "open", opened)
    assert source.read_text(str(path)) == "a"
    wanted = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    assert opened.call_args.args[1] & wanted == wanted


STRANGER = 12345


@pytest.fixture
def home(tmp_path):
    """A folder with two folders, each of which contains a file."""
    for name in ("one", "two/deep"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("one", "two"):
        (tmp_path / name / "key").write_text(name)
        (tmp_path / name / "key").chmod(0o640)
    return tmp_path


@pytest.fixture
def private(home):
    """A file that is read-only for others, in a folder of its own."""
    return home / "one" / "key"


def outcome(path, secret=True):
    """Return the text of a private file, or the reason why it is not read."""
    try:
        return source.read_private(str(path), secret)
    except source.UnreadableError as error:
        return str(error)


@pytest.mark.parametrize("secret", [True, False])
def test_a_private_file(private, secret):
    assert source.read_private(str(private), secret, 3) == "one"
    with pytest.raises(source.UnreadableError, match="larger than 2 bytes"):
        source.read_private(str(private), secret, 2)


WRITABLE = (
    "cannot be trusted: others can write to {}: mode {:04o} (chmod go-w)"
)


@pytest.mark.parametrize(
    ("up", "mode", "secret", "said"),
    [
        (0, 0o640, True, "one"),
        (0, 0o644, False, "one"),
        (0, 0o645, False, "one"),
        (0, 0o644, True, "can be read by others: chmod o-r"),
        (0, 0o620, True, WRITABLE),
        (0, 0o664, False, WRITABLE),
        (0, 0o646, False, WRITABLE),
        # a user who can change a folder on the way can put another file there
        *(
            (up, mode, True, said)
            for up in (1, 2)
            for mode, said in (
                (0o755, "one"),
                (0o1777, "one"),
                (0o777, WRITABLE),
                (0o775, WRITABLE),
            )
        ),
    ],
)
def test_a_private_file_and_modes(private, up, mode, secret, said):
    place = (private, *private.parents)[up]
    place.chmod(mode)
    assert outcome(private, secret) == said.format(place, mode)


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
    fault = "cannot be trusted: {} is not owned by root: uid {} (chown root)"
    for path in (private, private.parent):
        os.chown(path, owner, -1)
        said = "one" if good else fault.format(path, owner)
        assert outcome(private) == said
        os.chown(path, 0, -1)


def test_a_private_file_that_a_link_of_a_strangers_leads_to(private):
    folder = private.parent.parent / "open"
    folder.mkdir()
    folder.chmod(0o777)
    link = folder / "key"
    link.symlink_to(private)
    assert "others can write to" in outcome(link)
    private.unlink()
    assert (
        outcome(private)
        == f"cannot be trusted: {private}: No such file or directory"
    )


# External text is sanitized and truncated.


class Broken:
    """A value that cannot be converted to text."""

    def __str__(self):
        raise RuntimeError("broken")


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (clean, ("plain",), "plain"),
        (clean, ("a\nb\tc\x00",), "abc"),
        (clean, ("\u202eevil\u2066",), "evil"),
        (clean, ("\u2028",), ""),
        (clean, ("\ud800",), ""),
        (clean, (7,), "7"),
        (clean, (None,), "None"),
        (clean, ("ü" * 64,), "ü" * 64),
        (clean, ("ü" * 65,), "ü" * 63 + "…"),
        (clean, ("\x00" * 100 + "x",), "x"),
        (clean, ("\n" * 4 * LIMIT + "a",), ""),
        (clean, ("\n" * (4 * LIMIT - 1) + "a",), "a"),
        (clean, (Broken(),), "<Broken>"),
        (quote, ("a' and 'b", 64), "'a` and `b'"),
        (quote, ("a" * 9, 9), f"'{'a' * 9}'"),
        (quote, ("a" * 10, 9), f"'{'a' * 8}…'"),
        (fit, (["one", "two", "three"], 100, "; ", 0), "one; two; three"),
        (
            fit,
            (["one", "two", "three" * 5], 20, "; ", 0),
            "one; two; and 1 more",
        ),
        (fit, (["one", "two", "three" * 5], 19, "; ", 0), "one; and 2 more"),
        (fit, (["ääää"], 5, "; ", 0), "ää"),
        (fit, ([], 5, "; ", 0), ""),
        (fit, (["one", "two"], 8, "; ", 0), "one; two"),
        (fit, (["one", "two"], 7, "; ", 0), "one"),
        (fit, (["one"], 3, "; ", 0), "one"),
        (fit, (["one"], 2, "; ", 0), "on"),
        (fit, (["äö", "ü"], 8, "; ", 0), "äö; ü"),
        (fit, (["äö", "ü"], 7, "; ", 0), "äö"),
        (
            fit,
            (["one", "two", "three" * 9], 20, "; ", 0),
            "one; two; and 1 more",
        ),
        (fit, (["one", "two"], 100, "; ", 7), "one; two; and 7 more"),
        (fit, (["one", "two"], 19, "; ", 7), "one; and 8 more"),
        (fit, (["one", "2"], 15, "; ", 1), "one; and 2 more"),
        (line, ("x" * 9, 9), "x" * 9),
        (line, ("x" * 10, 9), "x" * 6 + "…"),
        (line, ("ä" * 4, 8), "ä" * 4),
        (line, ("ä" * 5, 8), "ä" * 2 + "…"),
        (line, ("a\n  b\x1b", 9), "a b"),
        (line, ("a\n b\tc\u202e",), "a b c"),
        (line, ("😀" * 100, 30), "😀" * 6 + "…"),
        (line, ("\n" * 35 + "x", 9), "x"),
        (line, ("\n" * 36 + "x", 9), ""),
        (line, ("\n" * 400 + "a", 100), ""),
        (line, ("\n" * 399 + "a", 100), "a"),
        (lines, ("a\nb", 9), "a\nb"),
        (lines, ("a\x1b\nb\u2028\n", 9), "a\nb\n"),
        (lines, ("x" * 10 + "\n" + "x" * 9, 9), "x" * 6 + "…\n" + "x" * 9),
        (lines, (7, 9), "7"),
        (lines, (ValueError("a\nb"), 9), "a\nb"),
        (fit, (["one", "two"], 19, ", ", 7), "one, and 8 more"),
        (pci.fields, ("0000:0a:1f.7",), ("0000", "0a", "1f", "7")),
        (pci.address, ("0000:0a:1f.7",), "0000:0a:1f.7"),
        (pci.fields, ("ABCD:0A:1F.0",), ("ABCD", "0A", "1F", "0")),
        (pci.address, ("ABCD:0A:1F.0",), "abcd:0a:1f.0"),
        (pci.fields, ("0000:0a:20.0",), None),
        (pci.address, ("0000:0a:20.0",), None),
        (pci.fields, ("0000:0a:1f.8",), None),
        (pci.address, ("0000:0a:1f.8",), None),
        (pci.fields, ("10000:0a:1f.7",), None),
        (pci.address, ("10000:0a:1f.7",), None),
        (pci.fields, ("0a:1f.7",), None),
        (pci.address, ("0a:1f.7",), None),
        (pci.fields, ("0000:0a:1f.7\n",), None),
        (pci.address, ("0000:0a:1f.7\n",), None),
        (pci.fields, (" 0000:0a:1f.7",), None),
        (pci.address, (" 0000:0a:1f.7",), None),
        (pci.fields, ("",), None),
        (pci.address, ("",), None),
    ],
)
def test_texts_that_are_safe_and_fit(function, arguments, expected):
    """Text beyond the limit is not read, and quoted text contains no quote."""
    assert function(*arguments) == expected


# The output of programs, and its stream.

ODD = "a\x1b[2J\nb"


@pytest.mark.parametrize(
    ("write", "content", "out", "err"),
    [
        (terminal.say, ODD, "a[2J b\n", ""),
        (terminal.say, 7, "7\n", ""),
        (terminal.complain, ODD, "", "a[2J b\n"),
        (terminal.show, ODD, "a[2J\nb\n", ""),
        # callers of these functions sanitize each value
        (terminal.show_data, "a\nb", "a\nb\n", ""),
        (
            terminal.show_json,
            {"ä": [1]},
            '{\n  "\\u00e4": [\n    1\n  ]\n}\n',
            "",
        ),
    ],
)
def test_what_is_written_where(capsys, write, content, out, err):
    write(content)
    assert capsys.readouterr() == (out, err)


def test_a_line_goes_to_the_stream_that_is_given(capsys):
    stream = io.StringIO()
    terminal.say(ODD, stream)
    assert stream.getvalue() == "a[2J b\n"
    assert capsys.readouterr() == ("", "")


# External XML: allowed content and limits.


@pytest.mark.parametrize(
    "text",
    [
        "<a b='ä'><c/>d</a>",
        b"<a b='\xc3\xa4'/>",
        "<?xml version='1.0' encoding='utf-8'?><a b='ä'/>",
        b"<a b='\xc3\xa4'>\n</a>\n",
    ],
)
def test_a_document(text):
    root = xml.parse(text)
    assert (root.tag, root.get("b")) == ("a", "ä")


@pytest.mark.parametrize(
    ("text", "most", "deepest", "message"),
    [
        ("<a><b/><c/></a>", 3, 2, None),
        ("<a>" + " " * 93 + "</a>", 3, 2, None),
        ("<a>" + " " * 94 + "</a>", 3, 2, "larger than 100 bytes"),
        ("<a><b/><c/></a>", 2, 2, "more than 2 elements"),
        ("<a><b/><c/></a>", 3, 1, "more than 1 elements in each other"),
        ("<a><b/><c><d/></c><e/></a>", 5, 3, None),
        (
            "<a><b><c/><d><e/></d></b></a>",
            9,
            3,
            "more than 3 elements in each other",
        ),
        (
            "<a><b/><c><d/></c></a>",
            9,
            2,
            "more than 2 elements in each other",
        ),
        *(
            (text, 3, 2, message)
            for text, message in (
                (
                    "<!DOCTYPE a><a/>",
                    "a document type, in which entities are declared",
                ),
                (b"<a>\xff</a>", "not UTF-8: invalid start byte"),
                ("<a>", "not XML: no element found: line 1, column 3"),
                ("", "not XML: no element found: line 1, column 0"),
            )
        ),
    ],
)
def test_rejected_xml_has_a_reason(monkeypatch, text, most, deepest, message):
    monkeypatch.setattr(xml, "MAX_ELEMENTS", most)
    monkeypatch.setattr(xml, "MAX_DEPTH", deepest)
    monkeypatch.setattr(xml, "MAX_SIZE", 100)
    if message is None:
        assert xml.parse(text).tag == "a"
    else:
        with pytest.raises(xml.XmlError) as caught:
            xml.parse(text)
        assert str(caught.value) == message


# The three outcomes of a state file: absent, unreadable, damaged.


def test_a_link_to_nowhere_is_unreadable_and_no_file_is_none(tmp_path):
    """The target of the link may not be mounted yet."""
    path = tmp_path / "file"
    assert state.read(str(path), dict) is None
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(
        FileNotFoundError, match=os.strerror(errno.ENOENT)
    ) as e:
        state.read(str(path), dict)
    assert e.value.filename == str(path)
    with pytest.raises(ValueError, match="it is a directory"):
        state.read(str(tmp_path), dict)


@pytest.mark.parametrize(
    ("text", "parse"),
    [
        ("{", dict),
        ("\x00", dict),
        ("1", len),
        ("{}", operator.itemgetter("key")),
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


# Path resolution, which must match the kernel's.


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("{home}/one/key", "one"),
        ("{home}/one/./key", "one"),
        ("{home}/one//key", "one"),
        ("{home}/two/deep/../key", "two"),
        ("{home}/two/deep//../key", "two"),
        ("{home}/two/deep/../../one/key", "one"),
        ("{home}/../../../../../../../../../../..{home}/one/key", "one"),
        # relative to the working directory
        ("key", "two"),
        ("../one/key", "one"),
        # A path after a link is relative to the link's target.
        *(f"{{home}}/link{n}/../key two".split() for n in range(3)),
        ("{home}/one/link", "two"),
    ],
)
def test_every_way_to_write_a_path(home, path, expected, monkeypatch):
    monkeypatch.chdir(home / "two")
    for number, target in enumerate(
        (f"{home}/two/deep", "two/deep", "one/../two/deep")
    ):
        (home / f"link{number}").symlink_to(target)
    (home / "one" / "link").symlink_to("../two/key")
    path = path.format(home=home)
    assert trusted.check(path) == os.path.realpath(path)
    assert outcome(path) == expected


def test_links_are_followed_as_often_as_the_kernel_does(home):
    last = home / "one" / "key"
    for number in range(41):
        link = home / f"link-{number}"
        link.symlink_to(last)
        last = link
    assert outcome(home / "link-39") == "one"
    assert outcome(last) == f"cannot be trusted: {last}: too many links"


def test_a_folder_is_no_file(home):
    assert outcome(home) == f"cannot be trusted: {home} is not a regular file"


# A replaced file is complete even if writers are killed or concurrent.


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.json"


@pytest.fixture
def new(tmp_path):
    """Return the temporary file, which is written first."""
    return tmp_path / ".state.json.new"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_the_next_write_uses_the_file_of_a_killed_writer(path, new, call):
    """The temporary file may contain a secret."""
    path.write_text("old")
    for _ in range(2):
        if not (pid := os.fork()):
            setattr(os, call, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            files.replace(str(path), "x" * 100)
        os.waitpid(pid, 0)
        assert (path.read_text(), new.read_text()) == ("old", "x" * 100)
    files.replace(str(path), "new", mode=0o640)
    assert left_alone(path) == ("new", 0o640)


def left_alone(path):
    """Return the content and mode of the file, the only one in its folder."""
    assert os.listdir(path.parent) == [path.name]
    return path.read_text(), path.stat().st_mode & 0o777


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
    """Also if another process has removed the temporary file."""
    path.write_text("old")

    def fails(*_):
        new.unlink()
        raise error

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(type(error), match=str(error)):
        files.replace(str(path), "new")
    assert left_alone(path)[0] == "old"


def test_a_file_that_another_writer_has_renamed_is_left_to_it(
    path, new, monkeypatch
):
    theirs = path.with_name("theirs")
    lock = fcntl.flock

    def renamed(handle, how):
        """Acquire the lock after the other writer has renamed the file."""
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
    assert left_alone(path) == ("new", mode)


def test_an_existing_file_is_not_created(path):
    """A dangling link also counts as an existing file."""
    path.symlink_to("nothing")
    with pytest.raises(FileExistsError) as raised:
        files.create(str(path), "new")
    words = (errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    error = raised.value
    assert (error.errno, error.strerror, error.filename) == words
    assert os.listdir(path.parent) == [path.name] and path.is_symlink()


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
    """Fail a test that waits for another process."""

    def fail(*_):
        pytest.fail("it waits")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_no_reader_of_a_pipe_is_waited_for(path, new, no_wait):
    """The folder of metrics may belong to another user."""
    os.mkfifo(new)
    with pytest.raises(OSError, match="No such device"):
        files.replace(str(path), "new")
    reader = os.open(new, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="somebody else"):
        files.replace(str(path), "new")
    os.close(reader)


def test_no_lock_is_waited_for_that_others_can_take(path, new, no_wait):
    """Another user has opened the world-readable file of a killed writer."""
    new.write_text("left behind")
    new.chmod(0o644)
    with new.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        files.replace(str(path), "new", mode=0o644)
    assert left_alone(path) == ("new", 0o644)


def test_who_changes_the_folder_all_the_time_is_given_up(path, monkeypatch):
    """The folder of metrics may belong to another user."""
    monkeypatch.setattr(files, "_is", lambda *_: False)
    with pytest.raises(BlockingIOError):
        files.replace(str(path), "new")


@pytest.mark.parametrize("call", ["ftruncate", "fsync"])
def test_a_file_is_nobody_elses_until_it_has_its_name(path, monkeypatch, call):
    modes, real = [], getattr(os, call)

    def seen(handle, *more):
        modes.append(os.fstat(handle).st_mode & 0o777)
        return real(handle, *more)

    monkeypatch.setattr(files.os, call, seen)
    files.replace(str(path), "new", mode=0o644)
    assert modes[0] == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_no_lock_of_another_user_is_waited_for(path, new, no_wait):
    new.write_text("theirs")
    os.chown(new, 65534, 65534)
    with new.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="somebody else"):
            files.replace(str(path), "new")
    assert new.read_text() == "theirs"
