# SPDX-License-Identifier: Apache-2.0
"""Log records in the formats of oslo.log, and the events in them."""

import json
import logging
import pathlib
import re
import threading
import traceback
from types import SimpleNamespace
from unittest import mock

import pytest

from nova_vhard.common import decisions, log
from nova_vhard.common.decisions import DECISIONS, Event
from nova_vhard.common.text import line
from tests.clean import RECORD_LIMIT, records
from tests.unit.event_lines import FORGED, event, written

LOG = log.get_logger("nova_vhard.test")
ANOTHER = (
    "x\n2026-11-25 09:14:02.123 4711 ERROR nova_vhard.policy.watch [-] bad"
)
ODD = [
    ANOTHER,
    "\x1b[31mred\x1b[0m",
    "\u202egnp.exe",
    "\ud800alone",
    "\u2028separated\x85\x0b",
    "\ue000private\uffffnone",
    "😀" * 100_000,
]


class Trouble(Exception):
    """Error with the message of another service, for example."""


UNWRITABLE = mock.MagicMock()
UNWRITABLE.__str__.side_effect = RecursionError


@pytest.fixture
def log_file(tmp_path):
    with records(str(tmp_path / "nova.log")) as result:
        yield result


def content(result, count):
    """Return the content of a log file with this number of records."""
    assert (result.written, result.faults) == (count, [])
    return pathlib.Path(result.baseFilename).read_text(encoding="utf-8")


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_record_is_one_clean_line(log_file, odd):
    for level in (logging.INFO, logging.ERROR):
        LOG.log(level, "Of an image: %s, %s", odd, [odd])
        LOG.log(level, odd)
    try:
        raise Trouble(odd)
    except Trouble as error:
        # oslo.log adds its text to a warning by itself
        LOG.warning("Not read: %s", error)
    text = content(log_file, 5)
    assert text.count("\n") == 5 and "Trouble: " not in text


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_traceback_has_lines_and_each_is_clean(log_file, odd):
    try:
        try:
            raise KeyError(odd)
        except KeyError as error:
            raise Trouble(odd) from error
    except Trouble:
        LOG.exception("Left as it is: %s", odd)
    result = content(log_file, 1).splitlines()
    assert " ERROR nova_vhard.test [" in result[0]
    assert all(" ERROR nova_vhard.test " in each for each in result)
    # no line of the exception's own text
    assert sum("tests.unit.test_log.Trouble: " in each for each in result) == 2
    assert any("raise Trouble(odd) from error" in each for each in result)
    assert any(each.split()[5].startswith("KeyError:") for each in result)


def test_a_deep_traceback_is_cut(log_file):
    # The functions alternate, so that Python does not omit repeated frames.
    with pytest.raises(Trouble, match="0") as caught:
        even(400)
    LOG.error("😀" * 100_000, exc_info=caught.value)
    assert content(log_file, 1) and log_file.longest < RECORD_LIMIT


def even(depth):
    return odd(depth)


def odd(depth):
    if not depth:
        raise Trouble("0" + "\U0001f600" * 10_000)
    return even(depth - 1)


@pytest.mark.parametrize(
    ("message", "values", "text"),
    [
        ("100 %", [], "100 %"),
        ("%s %%", [], "%s %%"),
        ("%s %%", [1], "1 %"),
        ("%s", [{}], "{}"),
        ("%(a)s", [{"a": 1}], "1"),
        ("%s: %s", [1], "'%s: %s', 1 values that cannot be written out"),
        ("%s", [UNWRITABLE], "'%s', 1 values that cannot be written out"),
        (
            "%s: %s",
            ["a", UNWRITABLE],
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
    given = raised(Trouble("earlier"))
    LOG.error(
        "Failed",
        exc_info=(Trouble, given, given.__traceback__) if as_tuple else given,
    )
    kind, error, trace = caplog.records[0].exc_info
    assert (kind, str(error)) == (type(error), "earlier")
    assert trace is error.__traceback__
    assert trace.tb_frame.f_code.co_name == "raised"
    # the name of the function is kept
    assert (kind.__name__, kind.__module__, kind.__qualname__) == (
        Trouble.__name__,
        Trouble.__module__,
        Trouble.__qualname__,
    )


@pytest.mark.parametrize("exc_info", [None, False, True, (None, None, None)])
def test_no_exception(caplog, exc_info):
    LOG.error("Failed", exc_info=exc_info)
    assert [record.exc_info for record in caplog.records] == [None]


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
    assert chain(caplog.records[0].exc_info[1]) == texts


def test_a_message_with_a_traceback_has_less_room(caplog):
    LOG.error("x" * log.MESSAGE_LIMIT)
    LOG.error("x" * log.MESSAGE_LIMIT, exc_info=Trouble())
    assert [len(text.encode()) for text in caplog.messages] == [
        48 * 1024,
        24 * 1024,
    ]


@pytest.mark.parametrize("depth", [0, 4, 5, 9])
def test_the_last_frames_of_a_traceback_are_logged(caplog, depth):
    with pytest.raises(Trouble) as caught:
        even(depth)
    LOG.error("Failed", exc_info=caught.value)
    every = [*traceback.walk_tb(caught.value.__traceback__)]
    assert [*traceback.walk_tb(caplog.records[0].exc_info[2])] == every[-12:]


@pytest.mark.parametrize(
    ("given", "caller"),
    [({}, "say"), ({"stacklevel": 2}, "test_a_record_knows_its_caller")],
)
def test_a_record_knows_its_caller(caplog, given, caller):
    def say():
        LOG.warning("from here", **given)

    say()
    found = [(each.funcName, each.name, each.msg) for each in caplog.records]
    assert found == [(caller, "nova_vhard.test", "from here")]


HOURS = 10_010 + 7200


@pytest.mark.parametrize(
    ("interval", "steps", "said"),
    [
        # A peer that is asked every ten seconds and is away for two hours.
        (
            {},
            [
                (0, "over", "never away", None),
                *((n, "say", f"away {n}", None) for n in range(0, 7200, 10)),
                *[(7200, "over", "back", None)] * 2,
                (7200, "say", "away again", None),
            ],
            ["away 0", "away 3600", "back", "away again"],
        ),
        (
            {"interval": 60},
            [(n, "say", f"{n}", None) for n in (0, 59, 60, 119, 120)],
            ["0", "60", "120"],
        ),
        # A problem neither hides nor ends another one.
        (
            {},
            [
                *((10_000, "say", f"{n} is away", n) for n in (1, 2, 1)),
                (10_000, "over", "1 is back", 1),
                *((10_010, "say", f"{n} is away now", n) for n in (2, 3)),
                (10_010, "over", "2 is back", 2),
                # A problem that has not been reported for long is forgotten.
                (HOURS, "say", "4 is away", 4),
                (HOURS, "over", "3 is back", 3),
            ],
            [
                *("1 is away", "2 is away", "1 is back", "3 is away now"),
                *("2 is back", "4 is away"),
            ],
        ),
    ],
    ids=["two hours", "interval", "several"],
)
def test_a_trouble_is_logged_seldom_and_its_end_once(
    monkeypatch, caplog, interval, steps, said
):
    clock = SimpleNamespace()
    monkeypatch.setattr(log, "time", clock)
    seldom = log.ThrottledLog(LOG, logging.ERROR, **interval)
    for now, step, text, key in steps:
        clock.monotonic = mock.Mock(return_value=now)
        getattr(seldom, step)("%s", text, **({"key": key} if key else {}))
    assert [
        (each.levelname, each.getMessage()) for each in caplog.records
    ] == [("WARNING" if "back" in text else "ERROR", text) for text in said]
    assert len(seldom._last) == 1


def test_a_trouble_is_logged_with_its_traceback(caplog):
    log.ThrottledLog(LOG, logging.ERROR).say(
        "away", exc_info=raised(Trouble())
    )
    assert [bool(each.exc_info) for each in caplog.records] == [True]


def test_what_others_log_in_this_thread_is_taken(caplog):
    others = logging.getLogger("others.notify")
    withheld = log.CapturedErrors([others.name])
    assert withheld.take() is None
    error = raised(Trouble("lost"))
    others.error("here", exc_info=error)
    others.error("without an exception")
    thread = threading.Thread(
        target=others.error, args=("elsewhere",), kwargs={"exc_info": error}
    )
    thread.start()
    thread.join()
    logging.getLogger().error("another logger", exc_info=error)
    others.removeFilter(withheld)
    assert caplog.messages == [
        "without an exception",
        "elsewhere",
        "another logger",
    ]
    assert [withheld.take(), withheld.take()] == [error, None]


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
        assert text == line(odd, log.MESSAGE_LIMIT)
        # other handlers find the same record as after any formatter
        assert (record.message, record.exc_info) == (text, None)


def test_a_traceback_of_a_library_is_clean_in_our_programs():
    error = raised(Trouble(ANOTHER))
    info = (type(error), error, error.__traceback__)
    record = library("x" * 10**6, info=info)
    text = log.CleanFormatter(logging.Formatter("%(message)s")).format(record)
    assert "Trouble: x 2026-11-25" in text and ANOTHER not in text
    assert record.exc_info is info
    # it is cut as ours is
    assert text.splitlines()[0] == line("x" * 10**6, log._WITH_TRACEBACK)


def test_handlers_are_made_clean_once_and_keep_their_format(monkeypatch):
    first, other = both = logging.StreamHandler(), logging.StreamHandler()
    first.setFormatter(logging.Formatter("ours: %(message)s"))
    monkeypatch.setattr(logging.root, "handlers", [*both])
    log.clean_handlers()
    made = first.formatter
    log.clean_handlers()
    assert first.formatter is made
    said = [each.format(library("a\nb")) for each in (first, other)]
    assert said == ["ours: a b", "a b"]


# Decision events in the lines of a log, and their times.

DATA = {"outcome": "allow"}
TEXT = json.dumps(DATA)
WRITTEN = "2026-11-25 09:14:02"
PREFIX = f"{WRITTEN}.123 1 INFO {DECISIONS} [-]"
HOST = "Nov 25 09:14:02 controller1 nova-api[4711]:"


def read(data):
    return decisions.read(json.dumps(data).encode())


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ({}, None),
        ({"time": f"{WRITTEN},123"}, WRITTEN),
        ({"timestamp": "2026-11-25T09:14:02Z"}, WRITTEN),
        ({"asctime": WRITTEN}, WRITTEN),
        ({"time": 61e-6, "asctime": WRITTEN}, WRITTEN),
        ({"created": WRITTEN}, None),
    ],
    ids=["none", "time", "timestamp", "asctime", "number", "other"],
)
def test_an_event_is_a_line_or_the_message_of_a_record(stamp, time):
    data = {**DATA, **stamp}
    assert read(data) == Event(data, time)
    record = {"name": DECISIONS, "message": TEXT, **stamp}
    assert read(record) == Event(DATA, time)
    assert read({"MESSAGE": json.dumps(record)}) == Event(DATA, time)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (f"{PREFIX} {TEXT}", Event(DATA, WRITTEN)),
        (f"1 INFO {DECISIONS} [-] {TEXT}", Event(DATA)),
        # lone surrogates are replaced
        (
            f'1 INFO {DECISIONS} {{"outcome": "\ud800"}}',
            Event({"outcome": "?"}),
        ),
        # the event may contain the name of the logger
        (
            f'1 INFO {DECISIONS} {{"outcome": "as {DECISIONS} says"}}',
            Event({"outcome": f"as {DECISIONS} says"}),
        ),
        (f"\udcff {PREFIX} {TEXT}", Event(DATA, WRITTEN)),
        # a line of another logger has no event
        (f"{HOST} ERROR nova.compute.api {DECISIONS} {TEXT}", None),
        (f"{HOST} ERROR {DECISIONS} {TEXT}", Event(DATA)),
        # the name of the logger is in what a user has sent
        (f'192.0.2.1 "GET {DECISIONS} {TEXT}', None),
        (f"1 [req-1] {DECISIONS} {TEXT}", None),
    ],
)
def test_a_line_with_a_prefix(line, event):
    assert read({"MESSAGE": line}) == event
    if "\ud800" not in line:
        assert decisions.read(line.encode(errors="surrogateescape")) == event


def test_what_an_event_counts():
    data = {
        "violations": [
            {"rules": ["a", "b"], "mode": "warn"},
            {"rule": "c, d", "mode": "audit"},
        ],
        "more": [
            {"rules": ["a", "e"], "mode": "warn", "count": 10**9},
            {"rules": ["a"], "mode": "warn", "count": 1},
        ],
    }
    assert list(decisions.violations(data)) == [
        ("a", "warn", 1),
        ("b", "warn", 1),
        ("c", "audit", 1),
        ("d", "audit", 1),
        ("a", "warn", 10**9),
        ("e", "warn", 10**9),
        ("a", "warn", 1),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "a count expected"),
        ({"count": 10**9 + 1}, "a count expected"),
        ({"count": True}, "a count expected"),
        ({"count": "1"}, "a count expected"),
        ({"rules": "a"}, "a list of rules expected"),
        ({"rules": [1]}, "text expected, not int"),
        ({"mode": None}, "text expected, not NoneType"),
    ],
)
def test_what_counts_nothing(change, message):
    data = {
        "violations": [],
        "more": [{"rules": ["a"], "mode": "warn", "count": 1, **change}],
    }
    with pytest.raises(TypeError, match=f"^{message}$"):
        list(decisions.violations(data))


@pytest.mark.parametrize("name", ["bare", "context", "json"])
@pytest.mark.parametrize(
    ("properties", "mode", "outcome", "rules"),
    [
        (
            {"hw_disk_bus": "ide"},
            "enforce",
            "refuse",
            [("guest_devices.disk_bus", "enforce", 1)],
        ),
        ({}, None, "allow", []),
    ],
)
def test_reads_an_event_as_it_is_written(
    name, properties, mode, outcome, rules
):
    """In a file, after syslog's prefix, and in a record of the journal."""
    text = event(name, properties)
    for each in [
        *[text, json.dumps({"PRIORITY": "6", "MESSAGE": text})],
        *["Nov 25 09:14:02 controller1 nova-scheduler[4711]: " + text]
        * (name == "context"),
    ]:
        data = decisions.read(each.encode()).data
        assert list(decisions.violations(data)) == rules
        assert [
            data[name]
            for name in (("gate", "mode", "outcome", "microseconds"))
        ] == ["nova-api", mode, outcome, 61]


def test_a_journal_in_a_journal_says_nothing():
    """A nested record of the journal is not an event."""
    inner = {"MESSAGE": event("context")}
    assert read({"MESSAGE": json.dumps(inner)}).data == inner


@pytest.mark.parametrize(
    "forged",
    [
        f"{decisions.DECISIONS} {FORGED}",
        f"2026-11-25 09:14:02 1 INFO {decisions.DECISIONS} {FORGED}",
    ],
)
def test_the_text_of_an_exception_says_nothing(forged):
    """oslo.log writes no brackets in the lines of a service's traceback."""
    log = logging.getLogger("nova.compute.api")
    with written("context", log) as stream:
        try:
            raise KeyError(f"x {forged}")
        except KeyError:
            log.exception("Failed")
    result = stream.getvalue().encode().splitlines()
    assert any(forged.encode() in each for each in result)
    assert [decisions.read(each) for each in result] == [None] * len(result)


@pytest.mark.parametrize("name", ["context", "json"])
@pytest.mark.parametrize(
    "message",
    [
        FORGED,
        f"nova_vhard.decisions [-] {FORGED}",
        f"GET /x INFO nova_vhard.decisions [-] {FORGED}",
        "x ERROR nova_vhard.policy.watch [-] Policy cannot be used",
        f"x[1]: INFO nova_vhard.decisions {FORGED}",
    ],
)
def test_what_somebody_else_has_logged_says_nothing(name, message):
    log = logging.getLogger("nova.api.openstack.requestlog")
    with written(name, log) as stream:
        log.error('192.0.2.1 "%s" status: 404', message)
        log.error("%s", message)
    for each in stream.getvalue().splitlines():
        assert decisions.read(each.encode()) is None
        assert read({"MESSAGE": each}) is None


RECORD = '{{"name": "nova_vhard.decisions", "message": "{}"}}'.format
NO_VALUE = "no JSON: Expecting value: line 1 column 1 (char 0)"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (event("bare")[:-1], "no JSON"),
        (event("bare") + event("bare"), "no JSON"),
        (event("context")[:-20], "no JSON"),
        (event("context").partition("{")[0] + "no event", "no JSON"),
        ("{" * 100_000, "no JSON"),
        ('{"a":' + "[" * 100_000, "no JSON"),
        ('{"microseconds":' + "9" * 10_000 + "}", "no JSON"),
        (RECORD("no event"), NO_VALUE),
        (RECORD(""), NO_VALUE),
        (RECORD("[]"), "no JSON object"),
        (RECORD("7"), "no JSON object"),
        ("{\udcff}", "no"),
    ],
    ids=range(12),
)
def test_an_invalid_event_is_unreadable(line, why):
    with pytest.raises(decisions.Unreadable, match=f"^{re.escape(why)}"):
        decisions.read(line.encode(errors="surrogateescape"))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Traceback (most recent call last):",
        " nova_vhard.decisions",
        "x" * 1_000_000,
        "A" * 100_000 + " nova_vhard.decisions {}",
        '{"name": "nova.api", "message": "text"}',
        # records of another logger
        *(
            json.dumps({"name": name, "message": TEXT, "levelname": "ERROR"})
            for name in ("nova.api", None)
        ),
    ],
    ids=range(8),
)
def test_a_line_about_something_else_says_nothing(line):
    assert decisions.read(line.encode()) is None
