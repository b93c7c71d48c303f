# SPDX-License-Identifier: Apache-2.0
"""Marks: what nobody without the key can make, move or make last longer."""

import datetime
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_vhard.placement import marks
from tests.trees import build

KEY, ANOTHER = b"k" * 32, b"a" * 32
NOW = datetime.datetime(2026, 6, 15, 12, 30, tzinfo=datetime.UTC)
UNTIL = int(NOW.timestamp()) + 600
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def some(count):
    return [str(uuid.UUID(int=number)) for number in range(1, count + 1)]


@pytest.mark.parametrize("count", range(1, marks.MOST + 1))
def test_a_mark_fits_into_a_name_and_is_read_again(count):
    mark, hosts = marks.make(KEY, UNTIL, some(count)), {*some(count)}
    assert re.fullmatch("[A-Z0-9_]{1,255}", mark.name)
    assert marks.read(mark.name, [KEY]) == mark
    assert marks.attested([mark.name], [KEY], NOW) == hosts
    assert marks.named([mark.name], NOW) == hosts


DAY = 86400


@pytest.mark.parametrize(
    ("until", "passed", "max_age", "counts"),
    [
        # A mark counts until its time.
        (600, 599, None, True),
        (600, 600, None, False),
        # No mark lasts longer than the longest max_age, for example if the
        # clock of the attestor is years ahead.
        (DAY, 0, None, True),
        (DAY + 3601, 0, None, False),
        # A scheduler knows the maximum age of a mark.
        (660, 0, 600, True),
        (661, 0, 600, False),
    ],
)
def test_how_long_it_counts(until, passed, max_age, counts):
    mark = marks.make(KEY, int(NOW.timestamp()) + until, some(2))
    now = NOW + datetime.timedelta(seconds=passed)
    ages = (max_age,) if max_age else ()
    assert bool(marks.attested([mark.name], [KEY], now, *ages)) is counts
    assert bool(marks.named([mark.name], now)) is (counts or bool(max_age))


def test_what_never_counts_takes_no_place(monkeypatch):
    monkeypatch.setattr(marks, "_LIMIT", 3)
    real = marks.make(KEY, UNTIL, some(2)).name
    others = [
        marks.make(ANOTHER, until, some(1)).name
        for until in (*range(9_999_999_990, 9_999_999_999), 1, 2, 3)
    ]
    odd = [f"CUSTOM_VHATT_Z{number}" for number in range(9)]
    assert marks.attested([real, *others, *odd], [KEY], NOW)


def test_another_key_is_none():
    name = marks.make(ANOTHER, UNTIL, some(2)).name
    assert not marks.attested([name], [KEY], NOW)
    assert not marks.attested([name], [], NOW)
    # when a key is changed both hold for a while
    assert marks.attested([name], [KEY, ANOTHER], NOW)


@given(st.data())
def test_nothing_of_a_name_can_be_changed(data):
    name = marks.make(KEY, UNTIL, some(3)).name
    start = len("CUSTOM_VHATT_")
    place = data.draw(st.integers(start, len(name) - 1))
    character = data.draw(st.sampled_from(LETTERS + "0189_"))
    changed = name[:place] + character + name[place + 1 :]
    assert changed == name or marks.read(changed, [KEY]) is None


@pytest.mark.parametrize(
    "name",
    [
        "CUSTOM_VHATT_",
        "CUSTOM_VHARD_ATTESTED",
        "CUSTOM_VHATT_1781526600_AAAA_AAAA",
        f"CUSTOM_VHATT_1781526600_{'A' * 26}_{'A' * 26}",
        f"CUSTOM_VHATT_9999999999_{'A' * 180}_{'A' * 26}",
        f"CUSTOM_VHATT_1781526600_{'A' * 27}_{'A' * 26}",
    ],
)
def test_what_only_looks_like_one(name):
    assert marks.read(name, [KEY]) is None
    assert not marks.attested([name], [KEY], NOW)
    marks.named([name], NOW)


@pytest.fixture
def path(tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "key"
    path.write_text("# made today\n" + "ab" * 32 + "\n\n" + "CD" * 40)
    path.chmod(0o640)
    return path


def test_one_key_a_line(path):
    keys = marks.read_keys(str(path))
    assert keys == (b"\xab" * 32, b"\xcd" * 40)


@pytest.mark.parametrize(
    ("text", "mode", "folder", "said"),
    [
        *(
            (text, 0o640, 0o755, None)
            for text in (
                *("", "# none", "ab" * 31, "xy" * 32, "a" * 65),
                "ab" * 32 + "\nx",
            )
        ),
        # Other users can read the file or change it.
        *(
            ("ab" * 32, mode, 0o755, r"chmod (go-w|o-r)")
            for mode in (0o644, 0o660, 0o602, 0o604)
        ),
        ("ab" * 32, 0o640, 0o777, "chmod go-w"),
        ("-> none", None, 0o755, "No such file"),
    ],
)
def test_no_key_or_one_that_is_open_to_others(path, text, mode, folder, said):
    path.unlink()
    build(path.parent, {"/key": text})
    if mode:
        path.chmod(mode)
    path.parent.chmod(folder)
    with pytest.raises(marks.KeyFileError, match=said) as raised:
        marks.read_keys(str(path))
    assert str(path.parent) in str(raised.value)
