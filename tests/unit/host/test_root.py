# SPDX-License-Identifier: Apache-2.0
"""HostRoot: nothing outside the root, nothing that hangs, no guessing."""

import json
import os

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
    assert root.read("/sys/fact") == "true"
    assert root.read("/sys/relative") == "true"
    assert root.read("/sys/absolute") == "true"
    assert len(root.read("/big")) == LIMIT


def test_a_table_is_read_to_its_end(tmp_path):
    wide = " 1" * 600_000
    content = {"/table": f"{wide[:500_000]}\n" * 5 + "last", "/wide": wide}
    root = HostRoot(build(tmp_path, content))
    *others, last = root.lines("/table")
    assert len(others) == 5
    assert last == "last"
    with pytest.raises(Unreadable, match="longer") as caught:
        list(root.lines("/wide"))
    assert not caught.value.missing
    with open(tmp_path / "long", "wb") as file:
        for _ in range(65):
            file.write((b"x" * 63 + b"\n") * (1 << 14))
    with pytest.raises(Unreadable, match="longer"):
        list(root.lines("/long"))


@pytest.mark.parametrize("path", ["/sys/out", "/etc/secret", "/../secret"])
def test_no_path_leads_out(root, path):
    with pytest.raises(Unreadable) as caught:
        root.read(path)
    assert caught.value.missing


@pytest.mark.parametrize("path", ["/sys/loop", "/sys/folder", "/pipe"])
def test_what_is_no_file_is_unreadable_not_missing(root, path):
    with pytest.raises(Unreadable) as caught:
        root.read(path)
    assert not caught.value.missing
    assert caught.value.path == path


def test_names_links_and_existence(root):
    assert root.names("/sys/folder") == ["a", "b"]
    assert root.link("/sys/device") == "0000:00:1f.0"
    assert root.link("/sys/fact") is None
    assert root.link("/sys/nothing") is None
    assert root.exists("/sys/absolute")
    assert not root.exists("/sys/nothing")
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
        lambda path: path.write_text("[" * 100_000),
        lambda path: path.write_text('[["/sys/class/iommu", "EACCES"]'),
        lambda path: path.write_text('["/sys/class/iommu"]'),
        lambda path: path.write_text("7"),
        lambda path: path.write_text('[["/sys", "__name__"]]'),
        lambda path: path.write_bytes(b"\xff"),
        lambda path: os.mkfifo(path),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("/dev/zero"),
    ],
)
def test_a_list_of_errors_that_is_damaged_lets_nothing_be_missing(
    tmp_path, damage, capsys
):
    build(tmp_path, {"/sys/fact": "true\n"})
    damage(tmp_path / "ERRORS.json")
    root = HostRoot(str(tmp_path))
    for path in ("/sys/fact", "/sys/nothing"):
        with pytest.raises(Unreadable, match=r"ERRORS\.json") as caught:
            root.read(path)
        assert not caught.value.missing
    assert reporter.main(["check", "--root", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert not captured.out
    (line,) = captured.err.splitlines()
    assert "ERRORS.json" in line


def test_a_process_is_read_where_the_kernel_shows_it():
    path = f"/proc/{os.getpid()}"
    with open(f"{path}/comm") as file:
        assert HostRoot().read(f"{path}/comm") == file.read().strip()
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
