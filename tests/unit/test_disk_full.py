# SPDX-License-Identifier: Apache-2.0
"""A disk that is full: policies hold, reports arrive, each says so once."""

import logging
import os

import pytest
from oslo_config import cfg

from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.host import cache
from nova_vhard.policy.watch import PolicyFile
from nova_vhard.reporter.publishers.base import Publisher
from nova_vhard.reporter.publishers.json_file import JsonPublisher
from nova_vhard.reporter.service import Reporter
from tests.disks import disk
from tests.trees import build
from tests.unit.helpers import write

__all__ = ["disk"]
FULL = "No space left on device"
LAX = "version: '1'\nguest_devices: {disk_bus: {allow: [virtio, ide]}}\n"
STRICT = "version: '1'\nguest_devices: {disk_bus: {allow: [virtio]}}\n"
BROKEN = "version: '1'\nmode: [\n"


def new(caplog):
    """Return the warnings and errors of ours that are new."""
    result = [
        each.getMessage()
        for each in caplog.records
        if each.levelno >= logging.WARNING
    ]
    caplog.clear()
    return result


@pytest.fixture
def path(tmp_path):
    return tmp_path / "policy.yaml"


@pytest.fixture
def state(disk):
    return disk.folder / "policy-test.json"


def test_a_new_policy_holds_and_one_line_says_that_it_is_not_kept(
    disk, path, state, caplog
):
    disk.fill()
    file = PolicyFile(write(path, LAX), str(state))
    lax = file.current().digest
    for turn in range(6):
        write(path, (STRICT, LAX)[turn % 2])
        assert (file.current().digest == lax) is bool(turn % 2)
    (line,) = new(caplog)
    assert "kept in memory only" in line
    assert FULL in line
    assert set(os.listdir(disk.folder)) <= {"filler"}
    # an invalid file does not replace the policy in memory
    write(path, BROKEN)
    assert file.current().digest == lax
    disk.free()
    # the same policy, written once more, is kept again
    os.utime(write(path, LAX), (1, 1))
    file.current()
    write(path, BROKEN)
    assert PolicyFile(str(path), str(state)).current().digest == lax


class Witness(Publisher):
    """Takes reports to somewhere that is not full."""

    name = "witness"

    def __init__(self, conf):
        super().__init__(conf)
        self.taken = []

    def publish(self, report):
        self.taken.append(report)


def test_a_report_reaches_the_others_and_the_old_file_stays_whole(
    disk, tmp_path, caplog
):
    conf = cfg.ConfigOpts()
    conf([], project="test")
    reporter_conf.register(conf)
    root = {"/proc/sys/kernel/randomize_va_space": "2\n"}
    for name, value in (
        ("policy_file", write(tmp_path / "policy.yaml", STRICT)),
        ("root", build(tmp_path / "root", root)),
        ("state_path", str(disk.folder)),
    ):
        conf.set_override(name, value, "vhard_reporter")
    witness = Witness(conf)
    # No check: a report without results is one, too.
    reporter = Reporter(
        conf, [JsonPublisher(conf), witness], run=lambda host, _: []
    )
    assert reporter.once()
    path = disk.folder / "report.json"
    before = path.read_text()
    disk.fill()
    new(caplog)
    for _ in range(3):
        assert not reporter.once()
    (line,) = new(caplog)
    assert line.startswith("Not published, tried again later: json: ")
    assert FULL in line
    assert len(witness.taken) == 4
    assert path.read_text() == before
    assert set(os.listdir(disk.folder)) <= {"report.json", "filler"}
    # and when there is room
    disk.free()
    path.unlink()
    assert reporter.once()
    assert path.exists()
    assert new(caplog) == ["Published again: json"]


def test_what_checks_remember_is_in_memory_and_one_line_says_so(disk, caplog):
    disk.fill()
    for turn in range(3):
        kept = cache.Cache(str(disk.folder), "elf", 1)
        assert kept.get("before") == (turn or None)
        kept.put("before", turn + 1)
        kept.save()
    (line,) = new(caplog)
    assert line.startswith("Results cannot be kept: ")
    assert FULL in line
