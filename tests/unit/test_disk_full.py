# SPDX-License-Identifier: Apache-2.0
"""A disk that is full: policies hold, reports arrive, each says so once."""

import logging
import os

import pytest
from oslo_config import cfg

from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.host import cache
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable
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


@pytest.fixture
def logged(caplog):
    """Call to get the warnings and errors of ours that are new."""
    caplog.set_level(logging.WARNING)

    def new():
        result = [each.getMessage() for each in caplog.records]
        caplog.clear()
        return result

    return new


class TestPolicy:
    """The last good copy in ``[vhard] state_path``."""

    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "policy.yaml"

    @pytest.fixture
    def state(self, disk):
        return disk.folder / "policy-test.json"

    def test_a_new_policy_holds_and_one_line_says_that_it_is_not_kept(
        self, disk, path, state, logged
    ):
        # given
        disk.fill()
        file = PolicyFile(write(path, LAX), str(state))
        lax = file.current().digest
        # when
        for turn in range(6):
            write(path, (STRICT, LAX)[turn % 2])
            now = file.current().digest
            # then
            assert (now == lax) is bool(turn % 2)
        (line,) = logged()
        assert "kept in memory only" in line
        assert FULL in line
        assert set(os.listdir(disk.folder)) <= {"filler"}
        # and a file that breaks keeps what is in memory
        write(path, BROKEN)
        assert file.current().digest == lax

    def test_after_a_restart_an_older_policy_lets_nothing_in(
        self, disk, path, state, logged
    ):
        # given
        file = PolicyFile(write(path, LAX), str(state))
        file.current()
        assert state.exists()
        disk.fill()
        write(path, STRICT)
        strict = file.current().digest
        # when
        write(path, BROKEN)
        after = PolicyFile(str(path), str(state))
        # then: the new copy took the room of the old one, or there is none
        if disk.real:
            assert after.current().digest == strict
        else:
            with pytest.raises(PolicyUnavailable):
                after.current()
            assert "memory only" in logged()[0]

    def test_with_room_again_it_is_kept_again(self, disk, path, state, logged):
        file = PolicyFile(write(path, LAX), str(state))
        disk.fill()
        file.current()
        assert not state.exists()
        disk.free()
        # the same policy, written once more
        os.utime(write(path, LAX), (1, 1))
        lax = file.current().digest
        write(path, BROKEN)
        assert PolicyFile(str(path), str(state)).current().digest == lax
        first, second = logged()[:2]
        assert "memory only" in first
        assert "memory only" not in second


class Witness(Publisher):
    """Takes reports to somewhere that is not full."""

    name = "witness"

    def publish(self, report):
        taken.append(report)


taken = []


class TestReporter:
    """Its report and its caches in ``[vhard_reporter] state_path``."""

    @pytest.fixture
    def reporter(self, disk, tmp_path):
        conf = cfg.ConfigOpts()
        conf([], project="test")
        reporter_conf.register(conf)
        root = build(
            tmp_path / "root", {"/proc/sys/kernel/randomize_va_space": "2\n"}
        )
        policy = write(tmp_path / "policy.yaml", STRICT)
        conf.set_override("policy_file", policy, "vhard_reporter")
        conf.set_override("root", root, "vhard_reporter")
        conf.set_override("state_path", str(disk.folder), "vhard_reporter")
        taken.clear()
        return Reporter(conf, [JsonPublisher(conf), Witness(conf)])

    def test_the_others_get_the_report_and_the_old_file_stays_whole(
        self, disk, reporter, logged
    ):
        # given
        assert reporter.once()
        path = disk.folder / "report.json"
        before = path.read_text()
        disk.fill()
        logged()
        # when
        for _ in range(3):
            assert not reporter.once()
        # then
        (line,) = logged()
        assert line.startswith("Not published, tried again later: json: ")
        assert FULL in line
        assert len(taken) == 4
        assert path.read_text() == before
        assert set(os.listdir(disk.folder)) <= {"report.json", "filler"}
        # and when there is room
        disk.free()
        assert reporter.once()
        assert path.read_text() != before
        assert logged() == ["Published again: json"]

    def test_what_checks_remember_is_in_memory_and_one_line_says_so(
        self, disk, logged
    ):
        disk.fill()
        for turn in range(3):
            kept = cache.Cache(str(disk.folder), "elf", 1)
            assert kept.get("before") == (turn or None)
            kept.put("before", turn + 1)
            kept.save()
        (line,) = logged()
        assert line.startswith("Results cannot be kept: ")
        assert FULL in line
