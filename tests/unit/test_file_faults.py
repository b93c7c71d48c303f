# SPDX-License-Identifier: Apache-2.0
"""Each file operation of each daemon fails once, in four ways.

No guest is forgotten, nothing is let in that is refused, and what ends or
fails is made good by the next second, round or start.
"""

import contextlib
import datetime
import json
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from oslo_config import cfg

from nova_vhard.attestor import writer
from nova_vhard.attestor.service import Attestor, Means
from nova_vhard.attestor.sources.list_file import ListFile
from nova_vhard.cleaner import device
from nova_vhard.cleaner.decide import DEFAULTS
from nova_vhard.cleaner.journal import Journal
from nova_vhard.conf import attestor as attestor_conf
from nova_vhard.conf import guard as guard_conf
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.guard import wire
from nova_vhard.guard.answers import REFUSE_FILE
from nova_vhard.guard.service import Guard
from nova_vhard.guard.wire import Request, Word
from nova_vhard.host import plugins
from nova_vhard.host.check import Status
from nova_vhard.host.root import HostRoot
from nova_vhard.placement.client import Placement, PlacementError, Provider
from nova_vhard.placement.devices import Offered
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable
from nova_vhard.reporter.publishers.json_file import JsonPublisher
from nova_vhard.reporter.service import Reporter
from tests.faults import each_fails
from tests.trees import build
from tests.unit.cleaner import test_model
from tests.unit.cleaner.test_model import ADDRESS
from tests.unit.guard import domains
from tests.unit.helpers import write

NEW, FRESH = (f"7d9ad5b0-4f1a-4c5b-9c8f-00000000000{n}" for n in (1, 2))


@pytest.fixture
def folder():
    """Return a folder whose path has room for a socket's name."""
    with test_model._memory() as name:
        yield Path(name) / "now"


def configured(register, group, **options):
    conf = cfg.ConfigOpts()
    conf([], project="test", default_config_files=[])
    register(conf)
    for name, value in options.items():
        conf.set_override(name, value, group)
    return conf


def refilled(folder):
    """Return what puts a folder back as it is now."""
    before = folder.with_name("before")
    shutil.copytree(folder, before)

    def again():
        shutil.rmtree(folder)
        shutil.copytree(before, folder)

    return again


@contextlib.contextmanager
def guard(conf):
    """Yield a guard, and close its files."""
    made = Guard(conf.vhard_guard)
    try:
        yield made
    finally:
        made._held.close()


def ask(guard, uuid, bus):
    xml = domains.xml(bus, server=uuid)
    return guard.answers(Request(wire.START, uuid, xml)).word


def second(guard):
    """Run one round of the guard, and start two guests."""
    guard.answers.refresh()
    assert ask(guard, NEW, "sata") is not Word.ALLOW
    ask(guard, FRESH, "virtio")
    guard.memory.save()
    guard._summary()


def test_a_guard_forgets_no_guest_and_lets_in_none(folder):
    folder.mkdir()
    more = "on_host: {mode: enforce, unanswered: refuse}\n"
    domains.policy(folder / "policy.yaml", more)
    conf = configured(
        guard_conf.register,
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
        assert ask(first, domains.UUID, "sata") is Word.ALLOW
        first.memory.adopt()
        first.memory.save()
    shutil.rmtree(folder / "run")

    def works(operations):
        with contextlib.ExitStack() as stack:
            with operations.failing():
                made = stack.enter_context(guard(conf))
                second(made)
            second(made)
            assert ask(made, domains.UUID, "sata") is Word.ALLOW
            assert made.memory.choices(FRESH)

    def restarted(died):
        # What the hook goes by where no daemon answers.
        assert (folder / "state" / REFUSE_FILE).exists()
        with guard(conf) as made:
            assert died or made.memory.choices(FRESH)
            second(made)
            assert ask(made, domains.UUID, "sata") is Word.ALLOW

    done = each_fails(folder, refilled(folder), works, restarted)
    assert done.count("replace") >= 4


def test_a_policy_holds_and_no_older_one_after_it(folder):
    lax, strict = (f"version: '1'\nmode: {m}\n" for m in ("audit", "enforce"))
    folder.mkdir()
    path, state = str(folder / "policy.yaml"), str(folder / "state" / "copy")
    PolicyFile(write(folder / "policy.yaml", lax), state).current()
    write(folder / "policy.yaml", strict)

    def works(operations):
        with operations.failing():
            file = PolicyFile(path, state)
            with contextlib.suppress(PolicyUnavailable):
                file.current()
        assert file.current().mode == "enforce"

    def restarted(died):
        write(folder / "policy.yaml", "mode: [")
        file = PolicyFile(path, state)
        with contextlib.suppress(PolicyUnavailable):
            assert died or file.current().mode == "enforce"
        write(folder / "policy.yaml", strict)
        assert file.current().mode == "enforce"

    done = each_fails(folder, refilled(folder), works, restarted)
    assert {"open", "read", "write", "fsync", "replace"} <= {*done}


class Host(test_model.Host):
    """A host whose device and Placement outlive a kill of its cleaner."""

    def reach(self, *place):
        self.keep()
        super().reach(*place)
        self.keep()

    def keep(self):
        with open(self.folder.with_name("world"), "wb") as file:
            pickle.dump(self, file)


@contextlib.contextmanager
def cleaner(folder):
    """Give the host as it is now, and what makes a round."""
    host = pickle.loads(folder.with_name("world").read_bytes())

    def attend_it():
        with contextlib.suppress(PlacementError, OSError):
            device.Device(
                Placement(host.cloud),
                HostRoot(str(folder)),
                None,
                Journal(str(folder / "devices")),
                lambda: None,
                host.run,
                DEFAULTS,
                lambda address, reason: None,
                Offered(ADDRESS, Provider(host.cloud.provider, "device")),
            ).attend()

    with (
        mock.patch.object(device.usages, "look", host.usage),
        mock.patch.object(device, "plan", host.plan),
    ):
        yield host, attend_it


def test_no_device_is_on_offer_as_a_guest_left_it(folder):
    devices = folder / "devices"
    devices.mkdir(parents=True)
    host = Host(folder)
    host.boot()
    host.keep()
    with cleaner(folder) as (host, attend_it):
        attend_it()
        host.leave()
        host.keep()
    assert host.dirty
    refill = refilled(folder)
    world = folder.with_name("world").read_bytes()

    def prepare():
        refill()
        folder.with_name("world").write_bytes(world)

    def works(operations):
        with cleaner(folder) as (host, attend_it):
            with operations.failing():
                attend_it()
            attend_it()
            assert host.cloud.offered
            assert not host.dirty

    def restarted(died):
        with cleaner(folder) as (host, attend_it):
            assert not (host.cloud.offered and host.dirty)
            attend_it()
            attend_it()
            assert host.cloud.offered
            assert not host.dirty

    done = each_fails(folder, prepare, works, restarted)
    assert done.count("replace") >= 6


def test_no_check_passes_that_does_not(folder):
    build(
        folder / "root",
        {
            "/proc/sys/kernel/randomize_va_space": "2\n",
            "/sys/devices/system/cpu/smt/control": "on\n",
        },
    )
    (folder / "state").mkdir()
    conf = configured(
        reporter_conf.register,
        "vhard_reporter",
        policy_file=write(folder / "policy.yaml", "version: '1'\n"),
        root=str(folder / "root"),
        state_path=str(folder / "state"),
    )
    names = ("kernel_aslr", "smt")
    checks = [check for check in plugins.load() if check.name in names]

    def report():
        reporter = Reporter(
            conf,
            [JsonPublisher(conf)],
            run=lambda host, _: [(check.run(host), 0.0) for check in checks],
        )
        return reporter.once

    def passed():
        text = (folder / "state" / "report.json").read_text()
        results = json.loads(text)["results"]
        assert len(results) == len(checks)
        return {r["check"] for r in results if r["status"] == Status.PASS}

    assert report()()
    good = passed()
    assert good == {"kernel_aslr"}

    def works(operations):
        with operations.failing():
            once = report()
            once()
        assert passed() <= good
        assert once()
        assert passed() == good

    def restarted(died):
        assert passed() <= good
        assert report()()
        assert passed() == good

    done = each_fails(folder, refilled(folder), works, restarted)
    assert {"open", "read", "write", "fsync", "replace"} <= {*done}


def test_no_host_is_attested_that_is_not(folder, monkeypatch):
    one, two = (f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2))
    folder.mkdir()
    now = datetime.datetime.now(datetime.UTC)
    for name, text in {
        "key": "ab" * 32,
        "hosts.yaml": f"hosts:\n  {one}: a\n  {two}: b\n",
        "list.yaml": f"agents:\n  a: {now.isoformat()}\n  b: FAIL\n",
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    conf = configured(
        attestor_conf.register,
        "vhard_attestor",
        key_file=str(folder / "key"),
        mapping_file=str(folder / "hosts.yaml"),
        verdicts_file=str(folder / "list.yaml"),
        textfile_directory=str(folder),
    )
    state = writer.State({one: "compute1", two: "compute2"}, {})
    monkeypatch.setattr(writer, "read", lambda *_: state)

    asked = {}

    def write(state, wanted, now, undemanded):
        """Record writes to Placement."""
        assert wanted.keys() <= {one}
        asked.clear()
        asked.update(wanted)
        return writer.Outcome()

    made = SimpleNamespace(write=write)
    monkeypatch.setattr(writer, "Writer", lambda *_, renewal: made)

    def attestor():
        means = Means(ListFile(conf), lambda: None)
        return Attestor(conf, means, Runtime())

    def works(operations):
        with operations.failing():
            service = attestor()
            service.once()
        assert service.once()
        assert {*asked} == {one}

    def restarted(died):
        assert attestor().once()
        assert {*asked} == {one}

    done = each_fails(folder, refilled(folder), works, restarted)
    assert done.count("read") >= 3
