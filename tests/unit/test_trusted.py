# SPDX-License-Identifier: Apache-2.0
"""The way to a file, as the kernel goes it."""

import os

import pytest

from nova_vhard.common import trusted


@pytest.fixture
def home(tmp_path):
    """A folder with a file in it, and another one beside."""
    for name in ("one", "two/deep"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("one", "two"):
        (tmp_path / name / "key").write_text(name)
        (tmp_path / name / "key").chmod(0o640)
    return tmp_path


def content(path):
    """Return what is in the file that may be read in place of a path."""
    place = trusted.check(str(path))
    assert place == os.path.realpath(path)
    with open(place) as file:
        return file.read()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("one/key", "one"),
        ("one/./key", "one"),
        ("one//key", "one"),
        ("two/deep/../key", "two"),
        ("two/deep//../key", "two"),
        ("two/deep/../../one/key", "one"),
        ("../../../../../../../../..{home}/one/key", "one"),
    ],
)
def test_every_way_to_write_a_path(home, path, expected):
    assert content(f"{home}/{path.format(home=home)}") == expected


def test_from_the_folder_that_a_program_runs_in(home, monkeypatch):
    monkeypatch.chdir(home / "two")
    assert content("key") == "two"
    assert content("../one/key") == "one"


@pytest.mark.parametrize(
    "target", ["{home}/two/deep", "two/deep", "one/../two/deep"]
)
def test_what_follows_a_link_is_beside_its_target(home, target):
    (home / "link").symlink_to(target.format(home=home))
    assert content(home / "link" / ".." / "key") == "two"


def test_a_link_to_a_file_in_another_folder(home):
    (home / "one" / "link").symlink_to("../two/key")
    assert content(home / "one" / "link") == "two"


def test_links_are_followed_as_often_as_the_kernel_does(home):
    last = home / "one" / "key"
    for number in range(41):
        link = home / f"link-{number}"
        link.symlink_to(last)
        last = link
    assert content(home / "link-39") == "one"
    with pytest.raises(trusted.Untrusted) as caught:
        trusted.check(str(last))
    assert str(caught.value) == f"{last}: too many links"


@pytest.mark.parametrize("path", ["one", ""])
def test_a_folder_is_no_file(home, path):
    folder = (home / path).resolve()
    with pytest.raises(trusted.Untrusted) as caught:
        trusted.check(str(folder))
    assert str(caught.value) == f"{folder} is not a regular file"
