# SPDX-License-Identifier: Apache-2.0
"""Records of our loggers, as oslo.log writes them into a file."""

import logging

import pytest

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
    """What another service says, for instance."""


class Unwritable:
    def __str__(self):
        raise RecursionError("too deep")


@pytest.fixture
def written(tmp_path):
    with records(str(tmp_path / "nova.log")) as found:
        yield found


def content(found):
    with open(found.baseFilename, encoding="utf-8") as file:
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
    found = content(written).splitlines()
    assert " ERROR nova_vhard.test [" in found[0]
    assert all(" ERROR nova_vhard.test " in one for one in found)
    # no line of the exception's own text
    assert sum("tests.unit.test_log.Trouble: " in one for one in found) == 2
    assert any("raise Trouble(odd) from error" in one for one in found)
    assert any(one.split()[5].startswith("KeyError:") for one in found)


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


def test_a_line_is_cut_at_bytes():
    assert line("a\n b\tc\u202e") == "a b c"
    cut = line("😀" * 100, 30)
    assert len(cut.encode()) <= 30
    assert cut.endswith("😀…")
    assert len(line("x" * 10**6, MESSAGE_LIMIT)) == MESSAGE_LIMIT - 2
    assert lines("a\x1b\nb\u2028\n") == "a\nb\n"
