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
        ("{home}/one/key", "one"),
        ("{home}/one/./key", "one"),
        ("{home}/one//key", "one"),
        ("{home}/two/deep/../key", "two"),
        ("{home}/two/deep//../key", "two"),
        ("{home}/two/deep/../../one/key", "one"),
        ("{home}/../../../../../../../../../../..{home}/one/key", "one"),
        # from the folder that a program runs in
        ("key", "two"),
        ("../one/key", "one"),
        # What follows a link is beside its target.
        *(f"{{home}}/link{n}/../key two".split() for n in range(3)),
        ("{home}/one/link", "two"),
    ],
)
def test_every_way_to_write_a_path(home, path, expected, monkeypatch):
    monkeypatch.chdir(home / "two")
    targets = (f"{home}/two/deep", "two/deep", "one/../two/deep")
    for number, target in enumerate(targets):
        (home / f"link{number}").symlink_to(target)
    (home / "one" / "link").symlink_to("../two/key")
    assert content(path.format(home=home)) == expected


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
