# SPDX-License-Identifier: Apache-2.0
"""Records of our loggers, as oslo.log writes them into a file."""

import logging
import pathlib
import threading
import traceback
from types import SimpleNamespace

import pytest

from nova_vhard.common import log
from nova_vhard.common.log import MESSAGE_LIMIT, get_logger
from nova_vhard.common.text import line, lines
from tests.clean import RECORD_LIMIT, records

LOG = get_logger("nova_vhard.test")
FORGED = (
    "x\n2026-11-25 09:14:02.123 4711 ERROR nova_vhard.policy.watch [-] bad"
)
ODD = [
    FORGED,
    "\x1b[31mred\x1b[0m",
    "\u202egnp.exe",
    "\ud800alone",
    "\u2028separated\x85\x0b",
    "\ue000private\uffffnone",
    "😀" * 100_000,
]


class Trouble(Exception):
    """Error with the message of another service, for example."""


class Unwritable:
    def __str__(self):
        raise RecursionError("too deep")


@pytest.fixture
def written(tmp_path):
    with records(str(tmp_path / "nova.log")) as result:
        yield result


def content(result):
    return pathlib.Path(result.baseFilename).read_text(encoding="utf-8")


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_record_is_one_clean_line(written, odd):
    for level in (logging.INFO, logging.ERROR):
        LOG.log(level, "Of an image: %s, %s", odd, [odd])
        LOG.log(level, odd)
    try:
        raise Trouble(odd)
    except Trouble as error:
        # oslo.log adds its text to a warning by itself
        LOG.warning("Not read: %s", error)
    assert (written.written, written.faults) == (5, [])
    assert content(written).count("\n") == 5
    assert "Trouble: " not in content(written)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_traceback_has_lines_and_each_is_clean(written, odd):
    try:
        try:
            raise KeyError(odd)
        except KeyError as error:
            raise Trouble(odd) from error
    except Trouble:
        LOG.exception("Left as it is: %s", odd)
    assert (written.written, written.faults) == (1, [])
    result = content(written).splitlines()
    assert " ERROR nova_vhard.test [" in result[0]
    assert all(" ERROR nova_vhard.test " in each for each in result)
    # no line of the exception's own text
    assert sum("tests.unit.test_log.Trouble: " in each for each in result) == 2
    assert any("raise Trouble(odd) from error" in each for each in result)
    assert any(each.split()[5].startswith("KeyError:") for each in result)


def test_a_deep_traceback_is_cut(written):
    def even(depth):
        return odd(depth)

    def odd(depth):
        return even(depth - 1) if depth else {}["\U0001f600" * 10_000]

    try:
        even(400)
    except KeyError:
        LOG.exception("😀" * 100_000)
    assert (written.written, written.faults) == (1, [])
    assert written.longest < RECORD_LIMIT


@pytest.mark.parametrize(
    ("message", "values", "text"),
    [
        ("100 %", [], "100 %"),
        ("%s %%", [], "%s %%"),
        ("%s %%", [1], "1 %"),
        ("%s", [{}], "{}"),
        ("%(a)s", [{"a": 1}], "1"),
        ("%s: %s", [1], "'%s: %s', 1 values that cannot be written out"),
        ("%s", [Unwritable()], "'%s', 1 values that cannot be written out"),
        (
            "%s: %s",
            ["a", Unwritable()],
            "'%s: %s', 2 values that cannot be written out",
        ),
        ("%(what)s", [{"what": "a mapping"}], "a mapping"),
        (7, [], "7"),
    ],
)
def test_what_a_record_says(caplog, message, values, text):
    with caplog.at_level(logging.INFO, logger=LOG.name):
        LOG.info(message, *values)
    assert caplog.messages == [text]


def raised(error):
    """Return an exception with a traceback."""
    try:
        raise error
    except type(error):
        return error


def chain(error):
    """Return the texts of an exception and of its causes."""
    if error is None:
        return []
    assert error.__context__ is None
    return [str(error), *chain(error.__cause__)]


@pytest.mark.parametrize("as_tuple", [False, True])
def test_an_exception_that_is_not_handled_now(caplog, as_tuple):
    class Inner(Exception):
        pass

    given = raised(Inner("earlier"))
    exc_info = (Inner, given, given.__traceback__) if as_tuple else given
    LOG.error("Failed", exc_info=exc_info)
    kind, error, trace = caplog.records[0].exc_info
    assert (kind, str(error), trace) == (
        type(error),
        "earlier",
        error.__traceback__,
    )
    # it keeps the name of the function
    for name in ("__name__", "__module__", "__qualname__"):
        assert getattr(kind, name) == getattr(Inner, name)
    assert trace.tb_frame.f_code.co_name == "raised"


@pytest.mark.parametrize("exc_info", [None, False, True, (None, None, None)])
def test_no_exception(caplog, exc_info):
    LOG.error("Failed", exc_info=exc_info)
    (record,) = caplog.records
    assert record.exc_info is None


def linked(attribute, count=1, **more):
    """Return an exception that others have led to."""
    error = Trouble(f"\x07{count}")
    for number in reversed(range(count)):
        last, error = error, Trouble(f"{number}")
        setattr(error, attribute, last)
    for name, value in more.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    ("error", "texts"),
    [
        (linked("__cause__"), ["0", "1"]),
        (linked("__context__"), ["0", "1"]),
        # raised ``from None``
        (linked("__context__", __suppress_context__=True), ["0"]),
        # another cause than what was handled
        (linked("__context__", __cause__=Trouble("cause")), ["0", "cause"]),
        (linked("__cause__", 3), ["0", "1", "2", "3"]),
        (linked("__cause__", 9), ["0", "1", "2", "3"]),
        (Trouble("x" * 1024), ["x" * 1024]),
        (Trouble("x" * 1025), ["x" * 1021 + "…"]),
    ],
    ids=["cause", "context", "hidden", "both", "few", "many", "fits", "long"],
)
def test_what_led_to_an_exception_is_logged_with_it(caplog, error, texts):
    LOG.error("Failed", exc_info=error)
    (record,) = caplog.records
    assert chain(record.exc_info[1]) == texts


def test_a_message_with_a_traceback_has_less_room(caplog):
    LOG.error("x" * MESSAGE_LIMIT)
    LOG.error("x" * MESSAGE_LIMIT, exc_info=Trouble())
    lengths = [len(text.encode()) for text in caplog.messages]
    assert lengths == [48 * 1024, 24 * 1024]


def deep(level):
    """Raise an exception some calls away."""
    if level > 1:
        deep(level - 1)
    raise Trouble


@pytest.mark.parametrize("level", [1, 10, 11, 12, 20])
def test_the_last_frames_of_a_traceback_are_logged(caplog, level):
    with pytest.raises(Trouble) as caught:
        deep(level)
    LOG.error("Failed", exc_info=caught.value)
    (record,) = caplog.records
    every = [*traceback.walk_tb(caught.value.__traceback__)]
    assert [*traceback.walk_tb(record.exc_info[2])] == every[-12:]


@pytest.mark.parametrize(
    ("given", "caller"),
    [({}, "say"), ({"stacklevel": 2}, "test_a_record_knows_its_caller")],
)
def test_a_record_knows_its_caller(caplog, given, caller):
    def say():
        LOG.warning("from here", **given)

    say()
    (record,) = caplog.records
    assert record.funcName == caller
    assert (record.name, record.msg) == ("nova_vhard.test", "from here")


@pytest.mark.parametrize(
    ("interval", "moments", "said"),
    [
        # A peer that is asked every ten seconds and is away for two hours.
        ({}, range(0, 7200, 10), [0, 3600]),
        ({"interval": 60}, [0, 59, 60, 119, 120], [0, 60, 120]),
    ],
)
def test_a_trouble_is_logged_seldom_and_its_end_once(
    monkeypatch, caplog, interval, moments, said
):
    clock = SimpleNamespace()
    monkeypatch.setattr(log, "time", clock)
    seldom = log.Seldom(LOG, logging.ERROR, **interval)
    seldom.over("never away")
    for now in moments:
        clock.monotonic = lambda: now  # noqa: B023
        seldom.say("away for %d s", now)
    for _ in range(2):
        seldom.over("back after %d s", now)
    try:
        raise ConnectionError
    except ConnectionError:
        seldom.say("away again")
        seldom.say("away, as the traceback says", key=1, exc_info=True)
    logged = [
        (each.levelname, each.msg, bool(each.exc_info))
        for each in caplog.records
    ]
    assert logged == [
        *(("ERROR", f"away for {now} s", False) for now in said),
        ("WARNING", f"back after {moments[-1]} s", False),
        ("ERROR", "away again", False),
        ("ERROR", "away, as the traceback says", True),
    ]


def test_a_trouble_hides_and_ends_no_other(monkeypatch, caplog):
    clock = SimpleNamespace(monotonic=lambda: 10_000)
    monkeypatch.setattr(log, "time", clock)
    seldom = log.Seldom(LOG)
    for key in ("one", "two", "one"):
        seldom.say("%s is away", key, key=key)
    seldom.over("one is back", key="one")
    clock.monotonic = lambda: 10_010
    for key in ("two", "three"):
        seldom.say("%s is away now", key, key=key)
    seldom.over("two is back", key="two")
    # What was not said for long is forgotten.
    clock.monotonic = lambda: 10_010 + 7200
    seldom.say("four is away", key="four")
    seldom.over("three is back", key="three")
    assert caplog.messages == [
        "one is away",
        "two is away",
        "one is back",
        "three is away now",
        "two is back",
        "four is away",
    ]
    assert [*seldom._last] == ["four"]


@pytest.fixture
def withheld():
    """Give what takes the exceptions of a logger in this thread."""
    made = log.Withheld(["others.notify"])
    yield made
    logging.getLogger("others.notify").removeFilter(made)


def test_what_others_log_in_this_thread_is_taken(caplog, withheld):
    assert withheld.take() is None
    error = raised(Trouble("lost"))
    others = logging.getLogger("others.notify")
    others.error("here", exc_info=error)
    others.error("without an exception")
    thread = threading.Thread(
        target=others.error, args=("elsewhere",), kwargs={"exc_info": error}
    )
    thread.start()
    thread.join()
    logging.getLogger().error("another logger", exc_info=error)
    logged = ["without an exception", "elsewhere", "another logger"]
    assert caplog.messages == logged
    assert withheld.take() is error
    assert withheld.take() is None


def test_a_line_is_cut_at_bytes():
    assert line("a\n b\tc\u202e") == "a b c"
    cut = line("😀" * 100, 30)
    assert len(cut.encode()) <= 30
    assert cut.endswith("😀…")
    assert len(line("x" * 10**6, MESSAGE_LIMIT)) == MESSAGE_LIMIT - 2
    assert lines("a\x1b\nb\u2028\n") == "a\nb\n"


def library(message, *values, info=None):
    """Return the record of a library."""
    return logging.LogRecord("library", 40, "x.py", 1, message, values, info)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_record_of_a_library_is_clean_in_our_programs(odd):
    formatter = log.CleanFormatter(logging.Formatter("%(message)s"))
    for record in (
        library(odd),
        library("%s", odd),
        library("%(text)s", {"text": odd}),
    ):
        text = formatter.format(record)
        assert text == line(odd, MESSAGE_LIMIT)
        # other handlers find the same record as after any formatter
        assert record.message == text
        assert record.exc_info is None


def test_a_traceback_of_a_library_is_clean_in_our_programs():
    error = raised(Trouble(FORGED))
    info = (type(error), error, error.__traceback__)
    bad = "x" * 10**6
    record = library(bad, info=info)
    text = log.CleanFormatter(logging.Formatter("%(message)s")).format(record)
    assert "Trouble: x 2026-11-25" in text
    assert FORGED not in text
    assert record.exc_info is info
    # it is cut as ours is
    assert text.splitlines()[0] == line(bad, log._WITH_TRACEBACK)


def test_handlers_are_made_clean_once_and_keep_their_format(monkeypatch):
    root = logging.Logger("root")
    first, other = logging.StreamHandler(), logging.StreamHandler()
    first.setFormatter(logging.Formatter("ours: %(message)s"))
    root.handlers = [first, other]
    monkeypatch.setattr(log.logging, "getLogger", lambda: root)
    log.clean_handlers()
    made = first.formatter
    log.clean_handlers()
    assert first.formatter is made
    assert first.format(library("a\nb")) == "ours: a b"
    assert other.format(library("a\nb")) == "a b"
