# SPDX-License-Identifier: Apache-2.0
"""Each file operation of each daemon fails once, in four ways.

No guest is forgotten, nothing is let in that is refused, and what ends or
fails is made good by the next second, round or start.
"""

import contextlib
import datetime
import errno
import json
import os
import pickle
import shutil
from pathlib import Path
from unittest import mock

import pytest

from nova_vhard.attestor import writer
from nova_vhard.attestor.service import Attestor, Means
from nova_vhard.attestor.sources.list_file import ListFile
from nova_vhard.cleaner import decide, device, journal
from nova_vhard.conf import attestor as attestor_conf
from nova_vhard.conf import guard as guard_conf
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.guard import answers, wire
from nova_vhard.guard.service import Guard
from nova_vhard.host import cache, plugins, root
from nova_vhard.host.check import Status
from nova_vhard.placement import client, devices
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable
from nova_vhard.reporter.publishers.json_file import JsonPublisher
from nova_vhard.reporter.service import Reporter
from tests.faults import each_fails
from tests.trees import build
from tests.unit.cleaner import test_model
from tests.unit.guard import domains
from tests.unit.helpers import configured, write

NEW, FRESH = (f"7d9ad5b0-4f1a-4c5b-9c8f-00000000000{n}" for n in (1, 2))
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def folder():
    """Return a folder whose path has room for a socket's name."""
    with test_model._memory() as name:
        yield Path(name) / "now"


@contextlib.contextmanager
def guard(conf):
    """Yield a guard, and close its files."""
    made = Guard(conf.vhard_guard)
    with contextlib.closing(made._held):
        yield made


def ask(guard, uuid, bus):
    return guard.answers(
        wire.Request(wire.START, uuid, domains.xml(bus, server=uuid))
    ).word


def second(guard):
    """Run one round of the guard, and start two guests."""
    guard.answers.refresh()
    assert ask(guard, NEW, "sata") is not wire.Word.ALLOW
    ask(guard, FRESH, "virtio")
    guard.memory.save()
    guard._summary()


def test_a_guard_forgets_no_guest_and_lets_in_none(folder):
    folder.mkdir()
    domains.policy(
        folder / "policy.yaml",
        "on_host: {mode: enforce, unanswered: refuse}\n",
    )
    conf = configured(
        guard_conf,
        "vhard_guard",
        libvirt_user="root",
        policy_file=str(folder / "policy.yaml"),
        report_file=str(folder / "report.json"),
        run_dir=str(folder / "run"),
        state_path=str(folder / "state"),
        textfile_directory=str(folder),
    )
    with guard(conf) as first:
        first.answers.refresh()
        # It counts as there before.
        assert ask(first, domains.UUID, "sata") is wire.Word.ALLOW
        first.memory.adopt()
        first.memory.save()
    shutil.rmtree(folder / "run")

    def works(operations):
        with contextlib.ExitStack() as stack:
            with operations.failing():
                made = stack.enter_context(guard(conf))
                second(made)
            second(made)
            assert ask(made, domains.UUID, "sata") is wire.Word.ALLOW
            assert made.memory.choices(FRESH)

    def restarted(died):
        # What the hook goes by where no daemon answers.
        assert (folder / "state" / answers.REFUSE_FILE).exists()
        with guard(conf) as made:
            assert died or made.memory.choices(FRESH)
            second(made)
            assert ask(made, domains.UUID, "sata") is wire.Word.ALLOW

    assert each_fails(folder, works, restarted).count("replace") >= 4


def test_a_policy_holds_and_no_older_one_after_it(folder):
    lax, strict = (f"version: '1'\nmode: {m}\n" for m in ("audit", "enforce"))
    folder.mkdir()
    path, state = folder / "policy.yaml", str(folder / "state" / "copy")
    PolicyFile(write(path, lax), state).current()
    write(path, strict)

    def works(operations):
        with operations.failing():
            file = PolicyFile(str(path), state)
            with contextlib.suppress(PolicyUnavailable):
                file.current()
        assert file.current().mode == "enforce"

    def restarted(died):
        write(path, "mode: [")
        file = PolicyFile(str(path), state)
        with contextlib.suppress(PolicyUnavailable):
            assert died or file.current().mode == "enforce"
        write(path, strict)
        assert file.current().mode == "enforce"

    assert {"open", "read", "write", "fsync", "replace"} <= {
        *each_fails(folder, works, restarted)
    }


class Host(test_model.Host):
    """A host whose device and Placement outlive a kill of its cleaner."""

    def reach(self, *place):
        self.keep()
        super().reach(*place)
        self.keep()

    def keep(self):
        self.folder.with_name("world").write_bytes(pickle.dumps(self))


@contextlib.contextmanager
def cleaner(folder):
    """Give the host as it is now, and what makes a round."""
    host = pickle.loads(folder.with_name("world").read_bytes())

    def attend_it():
        with contextlib.suppress(client.PlacementError, OSError):
            device.Device(
                client.Placement(host.cloud),
                root.HostRoot(str(folder)),
                None,
                journal.Journal(str(folder / "devices")),
                lambda: None,
                host.run,
                decide.DEFAULTS,
                lambda address, reason: None,
                devices.Offered(
                    test_model.ADDRESS,
                    client.Provider(host.cloud.provider, "device"),
                ),
            ).attend()

    with (
        mock.patch.object(device.usages, "look", host.usage),
        mock.patch.object(device, "plan", host.plan),
    ):
        yield host, attend_it


def test_no_device_is_on_offer_as_a_guest_left_it(folder):
    (folder / "devices").mkdir(parents=True)
    host = Host(folder)
    host.boot()
    host.keep()
    with cleaner(folder) as (host, attend_it):
        attend_it()
        host.leave()
        host.keep()
    assert host.dirty
    world = folder.with_name("world").read_bytes()

    def works(operations):
        folder.with_name("world").write_bytes(world)
        with cleaner(folder) as (host, attend_it):
            with operations.failing():
                attend_it()
            attend_it()
            assert host.cloud.offered and not host.dirty

    def restarted(died):
        with cleaner(folder) as (host, attend_it):
            assert not (host.cloud.offered and host.dirty)
            attend_it()
            attend_it()
            assert host.cloud.offered and not host.dirty

    operations = each_fails(folder, works, restarted, outside=True)
    assert operations.count("replace") >= 6


CHECKS = [
    each for each in plugins.load() if each.name in ("kernel_aslr", "smt")
]


@pytest.fixture
def report(folder):
    """Return a function that makes a reporter of two checks."""
    build(
        folder / "root",
        {
            "/proc/sys/kernel/randomize_va_space": "2\n",
            "/sys/devices/system/cpu/smt/control": "on\n",
        },
    )
    (folder / "state").mkdir()
    conf = configured(
        reporter_conf,
        "vhard_reporter",
        policy_file=write(folder / "policy.yaml", "version: '1'\n"),
        root=str(folder / "root"),
        state_path=str(folder / "state"),
    )
    return lambda: Reporter(
        conf,
        [JsonPublisher(conf)],
        run=lambda host, _: [(check.run(host), 0.0) for check in CHECKS],
    )


def passed(folder):
    """Return the checks that the file of the reporter says have passed."""
    results = json.loads((folder / "state" / "report.json").read_text())[
        "results"
    ]
    assert len(results) == len(CHECKS)
    return {r["check"] for r in results if r["status"] == Status.PASS}


def test_no_check_passes_that_does_not(folder, report):
    assert report().once()
    good = passed(folder)
    assert good == {"kernel_aslr"}

    def works(operations):
        with operations.failing():
            reporter = report()
            reporter.once()
        assert passed(folder) <= good
        assert reporter.once()
        assert passed(folder) == good

    def restarted(died):
        assert passed(folder) <= good
        assert report().once()
        assert passed(folder) == good

    assert {"open", "read", "write", "fsync", "replace"} <= {
        *each_fails(folder, works, restarted)
    }


def test_a_full_disk_is_told_once_and_the_old_report_stays(
    folder, report, caplog
):
    reporter, file = report(), folder / "state" / "report.json"
    assert reporter.once()
    before = file.read_text()
    with mock.patch.object(os, "fsync", side_effect=FULL):
        assert not any(reporter.once() for _ in range(3))
    assert (os.listdir(file.parent), file.read_text()) == ([file.name], before)
    assert reporter.once()
    line, end = caplog.messages
    assert line.startswith("Not published, tried again later: json: ")
    assert FULL.strerror in line
    assert end == "Published again: json"


def test_a_full_disk_is_told_once_by_the_memory_of_checks(
    folder, monkeypatch, caplog
):
    folder.mkdir()
    monkeypatch.setattr(os, "fsync", mock.Mock(side_effect=FULL))
    for turn in range(3):
        kept = cache.Cache(str(folder), "elf", 1)
        assert kept.get("before") == (turn or None)
        kept.put("before", turn + 1)
        kept.save()
    assert [FULL.strerror in each for each in caplog.messages] == [True]


def test_no_host_is_attested_that_is_not(folder, monkeypatch):
    one, two = (f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2))
    folder.mkdir()
    for name, text in {
        "key": "ab" * 32,
        "hosts.yaml": f"hosts:\n  {one}: a\n  {two}: b\n",
        "list.yaml": "agents:\n  b: FAIL\n"
        f"  a: {datetime.datetime.now(datetime.UTC).isoformat()}\n",
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    conf = configured(
        attestor_conf,
        "vhard_attestor",
        key_file=str(folder / "key"),
        mapping_file=str(folder / "hosts.yaml"),
        verdicts_file=str(folder / "list.yaml"),
        textfile_directory=str(folder),
    )
    state = writer.State({one: "compute1", two: "compute2"}, {})
    monkeypatch.setattr(writer, "read", lambda *_: state)
    made = mock.Mock(**{"write.return_value": writer.Outcome()})
    monkeypatch.setattr(writer, "Writer", lambda *_, renewal: made)

    def attestor():
        means = Means(ListFile(conf), lambda: None)
        return Attestor(conf, means, Runtime())

    def asked():
        """Return whom the last write marks; none has marked the other."""
        marked = [call.args[1].keys() for call in made.write.mock_calls]
        assert all(each <= {one} for each in marked)
        return {*marked[-1]}

    def works(operations):
        with operations.failing():
            service = attestor()
            service.once()
        assert service.once()
        assert asked() == {one}

    def restarted(died):
        assert attestor().once()
        assert asked() == {one}

    assert each_fails(folder, works, restarted).count("read") >= 3
