# SPDX-License-Identifier: Apache-2.0
"""The evidence of a check: bounded, sanitized, and of no other check."""

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Check, Status
from nova_vhard.host.evidence import MAX_EVIDENCE
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import libvirt
from nova_vhard.host.processes.check_process import in_process
from nova_vhard.host.root import HostRoot, Unreadable
from tests.trees import build, capture

MANY = tuple(map(str, range(MAX_EVIDENCE + 3)))


@pytest.mark.parametrize(
    ("last", "first", "lines"),
    [
        (("a", "b"), (), ("a", "b")),
        (("a", "b"), ("c", "d"), ("c", "d", "a", "b")),
        (("a", "b", "a"), ("b",), ("a", "b")),
        (("a\x1b[31m\n\udcff\u202eb",), (), ("a[31mb",)),
        (("x" * 10_000,), (), ("x" * 999 + "…",)),
        (MANY, (), (*MANY[:MAX_EVIDENCE], "and 3 more")),
        (MANY, ("a",), ("a", *MANY[: MAX_EVIDENCE - 1], "and 4 more")),
    ],
)
def test_lines(tmp_path, last, first, lines):
    root = HostRoot(str(tmp_path))
    root.note(*last)
    root.note(*first, first=True)
    assert root.evidence.lines() == lines


def test_what_is_read_is_evidence_and_what_is_looked_at_is_not(tmp_path):
    content = {"/a": " 1\n2\n", "/b": "3", "/c": "x" * 1000}
    root = HostRoot(build(tmp_path, content))
    assert root.read("/a") == "1\n2"
    assert (root.peek("/b"), root.maybe("/b"), *root.lines("/b")) == (
        ("3",) * 3
    )
    assert root.read("/c") == "x" * 1000
    with pytest.raises(Unreadable):
        root.read("/gone")
    assert root.evidence.lines() == ("/a: 1 2", f"/c: {'x' * 119}…")


class Reads(Check):
    """Reads a file, and fails without another."""

    def __init__(self, path, other):
        self.name, self.paths = path, (path, other)

    def answer(self, host):
        return Status.PASS, "".join(map(host.root.read, self.paths))


def test_a_check_that_cannot_read_leaves_nothing_to_the_next(tmp_path):
    host = Host(HostRoot(build(tmp_path, {"/a": "1", "/b": "2"})))
    first, second = Reads("/a", "/gone"), Reads("/b", "/b")
    result = first.run(host)
    assert (result.status, result.evidence) == (Status.UNKNOWN, ("/a: 1",))
    assert result.reason == "cannot be read: /gone: No such file or directory"
    assert second.run(host).evidence == ("/b: 2",)


@pytest.mark.parametrize("name", ["vtd-tpm", "smmuv3", "apparmor-host"])
def test_in_one_round_each_check_has_the_evidence_that_it_has_alone(
    tmp_path, name
):
    tree = capture(name, tmp_path)

    def host():
        root = HostRoot(tree)
        return Host(root, libvirt.of_tree(root, None))

    checks = report.load()
    together = [result for result, _ in in_process(host(), checks)]
    assert together == [check.run(host()) for check in checks]
