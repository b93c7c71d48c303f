# SPDX-License-Identifier: Apache-2.0
"""Good states: enrolled, kept, read again."""

import json
import os

import pytest

from nova_vhard.common import source
from nova_vhard.host.root import Unreadable
from nova_vhard.node.cleaner import baseline
from tests.faults import no_files
from tests.unit.cleaner import trees
from tests.unit.cleaner.trees import NVME


@pytest.fixture
def state(tmp_path):
    return trees.enroll(trees.tree(tmp_path))


@pytest.fixture
def kept(tmp_path, state):
    baseline.save(str(tmp_path), state)
    return baseline.path(str(tmp_path), NVME)


def test_what_is_kept_is_what_was_enrolled(tmp_path, state, kept):
    assert baseline.load(str(tmp_path), NVME) == state
    assert os.stat(kept).st_mode & 0o777 == 0o600
    assert ("class", "0x010802") in state.identity
    assert ("region 6", "262144 bytes") in state.identity
    assert state.config[:2] == b"\x36\x1b"
    assert len(state.rom) == 64


def test_a_device_that_was_not_enrolled(tmp_path):
    assert baseline.load(str(tmp_path), NVME) is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": 2}, "of another version"),
        ({"config": "zz"}, "non-hexadecimal"),
        ({"config": "00"}, "wrong kind"),
        ({"rom": 3}, "wrong kind"),
        ({"when": None}, "wrong kind"),
        ({"more": 1}, "more"),
        ({"identity": [["a"]]}, "unpack"),
        ({"address": "0000:00:00.0"}, "of another device"),
    ],
)
def test_a_file_that_is_none(tmp_path, kept, change, text):
    with open(kept) as file:
        data = json.load(file)
    with open(kept, "w") as file:
        json.dump({**data, **change}, file)
    with pytest.raises(baseline.BaselineError, match=text) as caught:
        baseline.load(str(tmp_path), NVME)
    assert kept in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", '{"a": 1}', "[" * 10**6]
)
def test_garbage(tmp_path, kept, text):
    with open(kept, "w") as file:
        file.write(text)
    with pytest.raises(baseline.BaselineError):
        baseline.load(str(tmp_path), NVME)
    assert os.path.exists(f"{kept}.damaged")


def test_a_good_state_that_cannot_be_read_is_not_none(tmp_path, state, kept):
    with no_files(), pytest.raises(OSError, match="Too many open files"):
        baseline.load(str(tmp_path), NVME)
    assert not os.path.exists(f"{kept}.damaged")
    assert baseline.load(str(tmp_path), NVME) == state


@pytest.mark.parametrize(
    ("make", "stated"),
    [
        (os.mkfifo, "it is a named pipe"),
        (os.mkdir, "it is a directory"),
        (lambda path: os.symlink("/dev/zero", path), "it is a device"),
    ],
)
def test_what_is_no_file_is_not_waited_for(tmp_path, make, stated):
    make(baseline.path(str(tmp_path), NVME))
    with pytest.raises(baseline.BaselineError, match=stated):
        baseline.load(str(tmp_path), NVME)


def test_a_good_state_without_end_is_not_read(tmp_path, kept):
    os.truncate(kept, source.MAX_SIZE + 1)
    with pytest.raises(baseline.BaselineError, match="is larger than"):
        baseline.load(str(tmp_path), NVME)


def test_a_rom_that_cannot_be_read_is_told_from_none(tmp_path):
    root = trees.tree(tmp_path)
    (trees.folder(root) / "boot_vga").write_text("1\n")
    assert trees.enroll(root).rom == baseline.UNREAD
    (trees.folder(root) / "rom").unlink()
    assert trees.enroll(root).rom is None


@pytest.mark.parametrize("name", ["config", "vendor", "revision"])
def test_a_device_that_is_not_whole_cannot_be_enrolled(tmp_path, name):
    root = trees.tree(tmp_path)
    (trees.folder(root) / name).unlink()
    with pytest.raises(Unreadable, match=name):
        baseline.record(root, NVME, "now", "ada")


def test_regions_that_are_none(tmp_path):
    root = trees.tree(tmp_path)
    (trees.folder(root) / "resource").write_text("nonsense")
    with pytest.raises(Unreadable, match="'nonsense' is no region"):
        trees.enroll(root)
