# SPDX-License-Identifier: Apache-2.0
"""Records of our loggers, as oslo.log writes them into a file."""

import logging
import threading
from types import SimpleNamespace

import pytest

from nova_vhard.common import log
from nova_vhard.common.log import MESSAGE_LIMIT, CleanLogger, get_logger
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
    with open(result.baseFilename, encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_record_is_one_clean_line(written, odd):
    for level in (logging.INFO, logging.ERROR):
        LOG.log(level, "Of an image: %s, %s", odd, [odd])
        LOG.log(level, odd)
    assert (written.written, written.faults) == (4, [])
    assert content(written).count("\n") == 4


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_an_exception_that_is_handled_adds_nothing(written, odd):
    """oslo.log adds its text to a warning by itself."""
    try:
        raise Trouble(odd)
    except Trouble as error:
        LOG.warning("Not read: %s", error)
    assert written.faults == []
    assert content(written).count("\n") == 1
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


def test_a_record_is_written_whatever_its_values_do(written):
    LOG.info("Of %s: %s", "image", Unwritable())
    LOG.info("Of %s: %s", "one value alone")
    LOG.info("Of %(what)s", {"what": "a mapping"})
    LOG.info("100 %")
    assert (written.written, written.faults) == (4, [])
    assert content(written).splitlines()[-2].endswith("Of a mapping")


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
    texts = []
    while error is not None:
        assert error.__context__ is None
        texts.append(str(error))
        error = error.__cause__
    return texts


def test_an_exception_that_is_not_handled_now(caplog):
    error = raised(Trouble("earlier"))
    given = (Trouble, error, error.__traceback__)
    for exc_info in (error, given):
        LOG.error("Failed", exc_info=exc_info)
    kinds = [record.exc_info[0].__name__ for record in caplog.records]
    texts = [str(record.exc_info[1]) for record in caplog.records]
    assert kinds == ["Trouble"] * 2
    assert texts == ["earlier"] * 2


@pytest.mark.parametrize("exc_info", [None, False, True, (None, None, None)])
def test_no_exception(caplog, exc_info):
    LOG.error("Failed", exc_info=exc_info)
    (record,) = caplog.records
    assert record.exc_info is None


def linked(attribute, count=1):
    """Return an exception that others have led to."""
    error = first = Trouble("0")
    for number in range(count):
        setattr(error, attribute, Trouble(f"\x07{number + 1}"))
        error = getattr(error, attribute)
    return first


def hidden():
    """Return an exception that was raised ``from None``."""
    error = linked("__context__")
    error.__suppress_context__ = True
    return error


def both():
    """Return an exception that has another cause than what was handled."""
    error = linked("__context__")
    error.__cause__ = Trouble("cause")
    return error


@pytest.mark.parametrize(
    ("error", "texts"),
    [
        (linked("__cause__"), ["0", "1"]),
        (linked("__context__"), ["0", "1"]),
        (hidden(), ["0"]),
        (both(), ["0", "cause"]),
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


def test_an_exception_has_the_name_of_its_own(caplog):
    class Inner(Exception):
        pass

    LOG.error("Failed", exc_info=raised(Inner()))
    (record,) = caplog.records
    kind, error, trace = record.exc_info
    assert (kind, trace) == (type(error), error.__traceback__)
    names = (Inner.__name__, Inner.__module__, Inner.__qualname__)
    assert (kind.__name__, kind.__module__, kind.__qualname__) == names
    assert trace.tb_frame.f_code.co_name == "raised"


def test_a_message_with_a_traceback_has_less_room(caplog):
    LOG.error("x" * MESSAGE_LIMIT)
    LOG.error("x" * MESSAGE_LIMIT, exc_info=Trouble())
    lengths = [len(text.encode()) for text in caplog.messages]
    assert lengths == [48 * 1024, 24 * 1024]


def frames(trace):
    """Return the lines of a traceback."""
    numbers = []
    while trace is not None:
        numbers.append((trace.tb_frame, trace.tb_lasti, trace.tb_lineno))
        trace = trace.tb_next
    return numbers


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
    every = frames(caught.value.__traceback__)
    assert frames(record.exc_info[2]) == every[-12:]


class Calls(logging.Logger):
    """Keeps what it is given."""

    def log(self, level, msg, *args, **kwargs):
        self.given = kwargs


@pytest.mark.parametrize(("given", "level"), [({}, 2), ({"stacklevel": 2}, 3)])
def test_a_caller_is_looked_for_one_frame_further(given, level):
    logger = Calls("nova_vhard.test")
    CleanLogger(logger).info("text", **given)
    assert logger.given["stacklevel"] == level


def test_a_logger_has_its_name():
    assert get_logger("nova_vhard.other").name == "nova_vhard.other"


def test_what_is_not_wanted_is_not_written_out(written):
    logging.getLogger("nova_vhard").setLevel(logging.INFO)
    LOG.debug("%s", Unwritable())
    assert written.written == 0


def test_a_record_knows_its_caller(caplog):
    with caplog.at_level(logging.INFO, logger=LOG.name):
        LOG.info("from here")
    (record,) = caplog.records
    assert record.funcName == "test_a_record_knows_its_caller"
    assert (record.name, record.msg) == (LOG.name, "from here")


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


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_record_of_a_library_is_clean_in_our_programs(odd):
    formatter = log.CleanFormatter(logging.Formatter("%(message)s"))
    for arguments in ((), (odd,), ({"text": odd},)):
        message = "%(text)s" if arguments[:1] == ({"text": odd},) else "%s"
        record = logging.LogRecord(
            "library",
            30,
            "x.py",
            1,
            message if arguments else odd,
            arguments,
            None,
        )
        text = formatter.format(record)
        assert text == line(odd, MESSAGE_LIMIT)
        # other handlers find the same record as after any formatter
        assert record.message == text
        assert record.exc_info is None


def test_a_traceback_of_a_library_is_clean_in_our_programs():
    formatter = log.CleanFormatter(None)
    try:
        raise Trouble(FORGED)
    except Trouble as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("library", 40, "x.py", 1, "Bad", (), info)
    text = formatter.format(record)
    assert "Trouble: x 2026-11-25" in text
    assert FORGED not in text
    assert record.exc_info is info


def test_a_long_traceback_of_a_library_is_cut_as_ours_is():
    formatter = log.CleanFormatter(logging.Formatter("%(message)s"))
    info = raised(Trouble("lost"))
    info = (type(info), info, info.__traceback__)
    bad = "x" * 10**6
    record = logging.LogRecord("library", 40, "x.py", 1, bad, (), info)
    first = formatter.format(record).splitlines()[0]
    assert first == line(bad, log._WITH_TRACEBACK)


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
    record = logging.LogRecord("library", 30, "x.py", 1, "a\nb", (), None)
    assert first.format(record) == "ours: a b"
    assert other.format(record) == "a b"
