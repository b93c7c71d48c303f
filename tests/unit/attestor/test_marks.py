# SPDX-License-Identifier: Apache-2.0
"""Marks: what nobody without the key can make, move or make last longer."""

import datetime
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_vhard.placement import marks

KEY, ANOTHER = b"k" * 32, b"a" * 32
NOW = datetime.datetime(2026, 6, 15, 12, 30, tzinfo=datetime.UTC)
UNTIL = int(NOW.timestamp()) + 600
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def some(count):
    return [str(uuid.UUID(int=number)) for number in range(1, count + 1)]


@pytest.mark.parametrize("count", range(1, marks.MOST + 1))
def test_a_mark_fits_into_a_name_and_is_read_again(count):
    mark = marks.make(KEY, UNTIL, some(count))
    assert len(mark.name) <= 255
    assert mark.name.isascii() and mark.name.replace("_", "").isalnum()
    assert mark.name == mark.name.upper()
    assert marks.read(mark.name, [KEY]) == mark
    assert marks.attested([mark.name], [KEY], NOW) == set(some(count))
    assert marks.named([mark.name], NOW) == set(some(count))


def test_it_counts_until_its_time():
    mark = marks.make(KEY, UNTIL, some(2))
    before = datetime.timedelta(seconds=599)
    over = datetime.timedelta(seconds=600)
    assert marks.attested([mark.name], [KEY], NOW + before)
    assert not marks.attested([mark.name], [KEY], NOW + over)
    assert not marks.named([mark.name], NOW + over)


def test_nothing_lasts_longer_than_the_longest_max_age():
    # as by a clock of the attestor's that is years ahead
    longest = int(NOW.timestamp()) + 86400
    for until, counts in ((longest, True), (longest + 3601, False)):
        mark = marks.make(KEY, until, some(2))
        assert bool(marks.attested([mark.name], [KEY], NOW)) is counts
        assert bool(marks.named([mark.name], NOW)) is counts


def test_a_scheduler_knows_how_long_a_mark_lasts_at_most():
    for until, counts in ((UNTIL + 60, True), (UNTIL + 61, False)):
        mark = marks.make(KEY, until, some(2))
        assert bool(marks.attested([mark.name], [KEY], NOW, 600)) is counts


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


class TestKeys:
    @pytest.fixture
    def path(self, tmp_path):
        tmp_path.chmod(0o755)
        path = tmp_path / "key"
        path.write_text("# made today\n" + "ab" * 32 + "\n\n" + "CD" * 40)
        path.chmod(0o640)
        return path

    def test_one_a_line(self, path):
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
            *(
                ("ab" * 32, mode, 0o755, r"chmod (go-w|o-r)")
                for mode in (0o644, 0o660, 0o602, 0o604)
            ),
            ("ab" * 32, 0o640, 0o777, "chmod go-w"),
        ],
    )
    def test_no_key_or_one_that_is_open_to_others(
        self, path, text, mode, folder, said
    ):
        path.write_text(text)
        path.chmod(mode)
        path.parent.chmod(folder)
        with pytest.raises(marks.KeyFileError, match=said) as raised:
            marks.read_keys(str(path))
        assert str(path.parent) in str(raised.value)

    def test_none_there(self, path):
        path.unlink()
        with pytest.raises(marks.KeyFileError, match="No such file"):
            marks.read_keys(str(path))
