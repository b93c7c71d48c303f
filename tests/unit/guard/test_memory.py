# SPDX-License-Identifier: Apache-2.0
"""What guests had before: kept, damaged, full, forgotten."""

import os

import pytest

from nova_vhard.node.guard import memory as memories
from nova_vhard.node.guard.memory import FORGOTTEN, Choice, Memory

A = Choice("disk_bus", "ide")
B = Choice("vif_model", None)
C = Choice("aliases", "gpu", "2")


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_what_is_saved_is_what_was_kept(tmp_path, clock):
    first = Memory(str(tmp_path / "state"), clock)
    assert (len(first), first.adopted) == (0, False)
    first.keep("one", {A, B, C})
    first.keep("two", {A})
    first.keep("two", {B}, more=True)
    first.adopt()
    first.save()
    (path,) = (tmp_path / "state").iterdir()
    assert os.stat(path).st_mode & 0o777 == 0o600
    again = Memory(str(tmp_path / "state"), clock)
    assert again.adopted
    assert again.choices("one") == {A, B, C}
    assert again.choices("two") == {A, B}
    assert again.choices("three") is None
    # Nothing changed: nothing is written.
    path.unlink()
    again.save()
    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "adopted": true, "guests": {}}',
        '{"version": 1, "adopted": true}',
        '{"version": 1, "adopted": true, "guests": {"a": {"seen": 1}}}',
        '{"version": 1, "adopted": true, "guests": {"a": '
        '{"seen": 1, "choices": [["a"]]}}}',
        "[" * 100_000,
        "\udcff",
    ],
    ids=range(9),
)
def test_a_damaged_file_is_as_none_with_an_alert(tmp_path, caplog, text):
    path = tmp_path / memories.FILE
    path.write_bytes(text.encode(errors="surrogateescape"))
    result = Memory(str(tmp_path))
    assert (len(result), result.adopted) == (0, False)
    assert "What guests had before is lost" in caplog.text
    assert caplog.records[-1].levelname == "ERROR"


def test_a_disk_that_cannot_be_written(tmp_path, caplog):
    place = tmp_path / "state"
    place.write_text("no folder")
    result = Memory(str(place / "below"))
    result.keep("one", {A})
    result.save()
    result.save()
    assert result.trouble
    assert caplog.text.count("remembered until a restart") == 1
    place.unlink()
    result.save()
    assert not result.trouble
    assert Memory(str(place / "below")).choices("one") == {A}


def test_who_is_gone_for_long_is_forgotten(tmp_path, clock):
    result = Memory(str(tmp_path), clock)
    for name in ("stays", "goes"):
        result.keep(name, {A})
    # As between the two halves of a hard reboot.
    assert result.look_over([]) == []
    clock.now += FORGOTTEN - 1
    assert result.look_over(["stays"]) == []
    clock.now += 1
    assert result.look_over(["stays"]) == ["goes"]
    result.save()
    assert Memory(str(tmp_path), clock).choices("goes") is None
    # A clock that is set back forgets nobody, and one set ahead nobody that
    # is there.
    clock.now -= 10 * FORGOTTEN
    assert result.look_over([]) == []
    clock.now += 50 * FORGOTTEN
    assert result.look_over(["stays"]) == []


def test_a_host_that_was_off_for_long_forgets_nobody(tmp_path, clock):
    """Nova makes each domain anew when it starts the guests again."""
    result = Memory(str(tmp_path), clock)
    result.keep("one", {A})
    result.save()
    clock.now += 3 * FORGOTTEN
    again = Memory(str(tmp_path), clock)
    assert again.look_over([]) == []
    assert again.choices("one") == {A}
    clock.now += FORGOTTEN
    assert again.look_over([]) == ["one"]


def test_a_memory_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(memories, "MOST_GUESTS", 3)
    monkeypatch.setattr(memories, "MOST_CHOICES", 2)
    result = Memory(str(tmp_path))
    for name in "abcd":
        result.keep(name, {A, B, C})
        result.keep("a", {A, B, C})
    assert len(result) == 3
    assert result.choices("b") is None
    assert len(result.choices("a")) == 2
