# SPDX-License-Identifier: Apache-2.0
"""HostRoot: nothing outside the root, nothing that hangs, no guessing."""

import json
import os
import pathlib

import pytest

from nova_vhard.cmd import reporter
from nova_vhard.host.root import LIMIT, HostRoot, Unreadable
from tests.trees import build


@pytest.fixture
def root(tmp_path):
    (tmp_path / "secret").write_text("of the machine that reads")
    tree = build(
        tmp_path / "tree",
        {
            "/sys/fact": "true\n",
            "/sys/folder/b": "",
            "/sys/folder/a": "",
            "/sys/relative": "-> folder/../fact",
            "/sys/absolute": "-> /sys/fact",
            "/sys/out": "-> ../../secret",
            "/sys/loop": "-> loop",
            "/etc/secret": "-> /secret",
            "/sys/device": "-> ../devices/0000:00:1f.0",
            "/big": "x" * (LIMIT + 10),
        },
    )
    os.mkfifo(os.path.join(tree, "pipe"))
    return HostRoot(tree)


def test_read(root):
    paths = ("/sys/fact", "/sys/relative", "/sys/absolute")
    assert [root.read(path) for path in paths] == ["true"] * 3
    assert len(root.read("/big")) == LIMIT


def test_a_table_is_read_to_its_end(tmp_path):
    wide = " 1" * 600_000
    content = {"/table": f"{wide[:500_000]}\n" * 5 + "last", "/wide": wide}
    root = HostRoot(build(tmp_path, content))
    *others, last = root.lines("/table")
    assert (len(others), last) == (5, "last")
    (tmp_path / "long").write_bytes((b"x" * 63 + b"\n") * (65 << 14))
    for path in ("/wide", "/long"):
        with pytest.raises(Unreadable, match="longer") as caught:
            list(root.lines(path))
        assert not caught.value.missing


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        # No path leads out.
        ("/sys/out", True),
        ("/etc/secret", True),
        ("/../secret", True),
        # What is no file is unreadable.
        ("/sys/loop", False),
        ("/sys/folder", False),
        ("/pipe", False),
    ],
)
def test_what_cannot_be_read(root, path, missing):
    with pytest.raises(Unreadable) as caught:
        root.read(path)
    assert (caught.value.missing, caught.value.path) == (missing, path)


def test_names_links_and_existence(root):
    assert root.names("/sys/folder") == ["a", "b"]
    links = [root.link(f"/sys/{name}") for name in ("device", "fact", "no")]
    assert links == ["0000:00:1f.0", None, None]
    assert root.exists("/sys/absolute") and not root.exists("/sys/nothing")
    with pytest.raises(Unreadable):
        root.names("/sys/nothing")


def test_what_a_capture_could_not_read_is_unreadable(tmp_path):
    tree = build(
        tmp_path,
        {"/ERRORS.json": json.dumps([["/sys/class/iommu", "EACCES"]])},
    )
    root = HostRoot(tree)
    for path in ("/sys/class/iommu", "/sys/class/iommu/dmar0"):
        with pytest.raises(Unreadable, match="Permission denied") as caught:
            root.names(path)
        assert not caught.value.missing
    with pytest.raises(Unreadable, match="No such file"):
        root.names("/sys/class/net")


@pytest.mark.parametrize(
    "damage",
    [
        "[" * 100_000,
        '[["/sys/class/iommu", "EACCES"]',
        '["/sys/class/iommu"]',
        "7",
        '[["/sys", "__name__"]]',
        "\xff",
        "a pipe",
        # A link without an end, and a folder.
        "-> /dev/zero",
        None,
    ],
    ids=lambda text: str(text)[:12],
)
def test_a_list_of_errors_that_is_damaged_lets_nothing_be_missing(
    tmp_path, damage, capsys
):
    build(tmp_path, {"/sys/fact": "true\n", "/ERRORS.json": damage})
    place = tmp_path / "ERRORS.json"
    if damage == "\xff":
        place.write_bytes(b"\xff")
    elif damage == "a pipe":
        place.unlink()
        os.mkfifo(place)
    root = HostRoot(str(tmp_path))
    for path in ("/sys/fact", "/sys/nothing"):
        with pytest.raises(Unreadable, match=r"ERRORS\.json") as caught:
            root.read(path)
        assert not caught.value.missing
    assert reporter.main(["check", "--root", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), "ERRORS.json" in err) == ("", 1, True)


def test_a_process_is_read_where_the_kernel_shows_it():
    path = pathlib.Path(f"/proc/{os.getpid()}/comm")
    assert HostRoot().read(str(path)) == path.read_text().strip()
    with pytest.raises(Unreadable) as error:
        HostRoot().read("/proc/0/comm")
    assert error.value.missing


def test_a_process_of_a_tree_is_not_one_of_this_machine(tmp_path):
    # neither where /proc is a link, nor where a process is one
    name = f"/proc/{os.getpid()}"
    linked = build(tmp_path / "linked", {"/proc": "-> /proc"})
    (tmp_path / "copied" / "proc").mkdir(parents=True)
    (tmp_path / "copied" / name[1:]).symlink_to(name)
    for folder in (linked, str(tmp_path / "copied")):
        for path in (f"{name}/comm", f"{name}/mountinfo"):
            with pytest.raises(Unreadable):
                HostRoot(folder).read(path)
        assert not HostRoot(folder).live or folder == linked
