# SPDX-License-Identifier: Apache-2.0
"""The program: the hook in place, its status, and notifications."""

import contextlib
import logging
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
from unittest import mock

import oslo_messaging
import pytest
from oslo_config import cfg

from nova_vhard.cmd import guard as program
from nova_vhard.conf import guard as guard_conf
from nova_vhard.exporter import payloads
from nova_vhard.guard import install, libvirtd, memory, service, status
from nova_vhard.guard.judge import Judge
from nova_vhard.guard.service import Guard
from nova_vhard.guard.watcher import Watcher
from nova_vhard.policy import notify
from nova_vhard.policy.subject import START
from tests.unit import test_notify
from tests.unit.guard import domains
from tests.unit.guard.domains import ENFORCE, FakeConnection, until
from tests.unit.helpers import configured

LONG = "{tmp}/" + "long" * 30
REFUSE = "on_host: {unanswered: refuse}"


@pytest.fixture
def config(tmp_path, short):
    """Return the path of a configuration; a policy is there."""
    domains.policy(tmp_path / "policy.yaml", ENFORCE)
    path = tmp_path / "guard.conf"
    path.write_text(
        "[vhard_guard]\n"
        f"policy_file = {tmp_path}/policy.yaml\n"
        f"state_path = {tmp_path}/state\n"
        f"run_dir = {short}/run\n"
        f"hooks_dir = {tmp_path}/hooks\n"
        f"libvirt_pid_files = {tmp_path}/libvirtd.pid\n"
        f"report_file = {tmp_path}/report.json\n"
        f"textfile_directory = {tmp_path}\n"
        "threads = 2\n"
    )
    return path


def read(config, *more):
    """Return the options of a configuration with more lines."""
    with config.open("a") as file:
        file.writelines(f"{line}\n" for line in more)
    conf = cfg.ConfigOpts()
    guard_conf.register(conf)
    conf([], default_config_files=[str(config)], project="test")
    return conf.vhard_guard


@pytest.fixture
def options(config):
    return read(config)


def lines(options):
    """Return what the status says, by subject."""
    return {line.subject: line for line in status.lines(options)}


@pytest.fixture
def run(config, monkeypatch, capsys):
    """Return a function that runs the program; no systemd is there."""
    monkeypatch.setattr(install, "_RUN_SYSTEMD", str(config) + ".none")
    # The log stays pytest's.
    monkeypatch.setattr("oslo_log.log.setup", lambda *arguments: None)

    def ran(*words):
        code = program.main(["--config-file", str(config), *words])
        return code, *capsys.readouterr()

    return ran


@contextlib.contextmanager
def running(options):
    """Run the daemon in a thread; it looks for no libvirt."""
    with mock.patch.object(Watcher, "_run"):
        result = Guard(options)
        thread = threading.Thread(target=result.run)
        thread.start()
        try:
            yield result
        finally:
            result.stop()
            thread.join()


def test_install_and_uninstall(run, options, tmp_path):
    code, out, _ = run("install")
    assert (code, out.count("\n")) == (0, 1)
    folder, state = tmp_path / "hooks" / "qemu.d", tmp_path / "state"
    hook = folder / "nova-vhard-guard"
    text = hook.read_text()
    assert os.stat(hook).st_mode & 0o777 == 0o755
    for line in (
        f'SOCKET = "{options.run_dir}/guard.sock"\n',
        f'REFUSE = "{state}/refuse-unanswered"\n',
        f'DISABLED = "{tmp_path}/policy.yaml.disabled"\n',
    ):
        assert line in text
    compile(text, str(hook), "exec")
    assert run("install")[0] == 0
    assert os.listdir(folder) == ["nova-vhard-guard"]
    with running(options) as guard:
        domains.policy(tmp_path / "policy.yaml", REFUSE)
        guard.answers.refresh()
    assert os.listdir(state)
    # what is left where a writer was killed
    (folder / ".nova-vhard-guard.new").write_text("half")
    (state / ".guests.json.new").write_text("half")
    (folder / "other").write_text("#!/bin/sh\n")
    for _ in range(2):
        code, out, _ = run("uninstall")
        assert (code, out.count("\n")) == (0, 1)
    assert os.listdir(folder) == ["other"]
    (folder / "other").unlink()
    assert run("uninstall")[0] == 0
    for place in (tmp_path / "hooks", state, options.run_dir):
        assert os.listdir(place) == []


def test_a_daemon_without_systemd_hears_of_it(run, tmp_path):
    sleeper = shutil.copy(shutil.which("sleep"), tmp_path / "libvirtd")
    # nohup would have it hear nothing.
    with subprocess.Popen(
        [sleeper, "60"],
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    ) as process:
        (tmp_path / "libvirtd.pid").write_text(f"{process.pid}\n")
        code, out, _ = run("install")
        assert process.wait(30) == -signal.SIGHUP
    assert code == 0
    assert f"process {process.pid} reloaded its hooks" in out


@pytest.mark.parametrize("text", ["", "x", "-1", str(2**40), "{own}"])
def test_a_process_that_is_no_libvirt_is_left_alone(run, tmp_path, text):
    (tmp_path / "libvirtd.pid").write_text(text.format(own=os.getpid()))
    code, out, _ = run("install")
    assert (code, "no libvirt daemon was found" in out) == (0, True)


@pytest.mark.parametrize(
    ("active", "fails", "text"),
    [
        ("virtqemud.service", "", "virtqemud.service reloaded its hooks"),
        ("libvirtd.service", "", "libvirtd.service reloaded its hooks"),
        ("none", "", "no libvirt daemon was found"),
        ("libvirtd.service", "reload", "systemctl reload libvirtd.service"),
    ],
)
def test_a_daemon_of_systemds(run, tmp_path, monkeypatch, active, fails, text):
    place = tmp_path / "systemctl"
    place.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n'
        f'[ "$1" != "{fails}" ] || exit 1\n'
        f'[ "$1" != is-active ] || [ "$3" = {active} ]\n'
    )
    place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(install, "_RUN_SYSTEMD", str(tmp_path))
    code, out, err = run("install")
    assert text in out + err
    reloads = f"reload {active}" in (tmp_path / "asked").read_text()
    assert (code, reloads) == (1 if fails else 0, active != "none")


def test_status_of_a_host_without_a_guard(run):
    code, out, _ = run("status")
    subjects = [line.partition(":")[0] for line in out.splitlines()]
    assert (code, subjects) == (1, ["hook", "socket", "daemon"])
    assert "run nova-vhard-guard install" in out


@pytest.mark.refused_policy
def test_status_of_a_guarded_host(run, options, tmp_path, report, monkeypatch):
    run("install")
    domains.report(report, "iommu", "kernel_aslr")
    with running(options) as guard:
        guard.metrics.connected = True
        guard.memory.adopt()
        seen = status.lines(options)
        assert all(line.good for line in seen), seen
        text = "\n".join(line.text for line in seen)
        assert "mode enforce, hot_plug report, unanswered allow" in text
        assert "2 checks passed" in text
        # Every fault is reported.
        hook = tmp_path / "hooks" / "qemu.d" / "nova-vhard-guard"
        hook.write_text("exit 0")
        full = mock.Mock(side_effect=OSError("disk full"))
        monkeypatch.setattr(memory.files, "replace", full)
        (tmp_path / "policy.yaml").write_text("version: [")
        guard.metrics.connected = False
        guard.memory.adopt()
        # The daemon alone reads the policy and saves what has changed.
        until(lambda: guard.memory.trouble and guard._file.error)
        guard.memory.adopted = False
        report.unlink()
        seen = status.lines(options)
    bad = {line.subject for line in seen if not line.good}
    assert bad == {"hook", "daemon", "policy"}
    text = "\n".join(line.text for line in seen)
    for part in (
        "of another version",
        "cannot be used now",
        "libvirt cannot be reached",
        "have not been read yet",
        "disk full",
        "no valid report",
    ):
        assert part in text


@pytest.mark.refused_policy
def test_status_of_a_host_with_much_to_say(options, tmp_path):
    """Its answer is not cut off, whatever alphabet its faults are in."""
    key = "\u0416" * 90
    faults = "".join(f"{key}{number}: 1\n" for number in range(9))
    (tmp_path / "policy.yaml").write_text(f"version: '1'\n{faults}")
    with running(options) as guard:
        guard.memory.trouble = "\U00010400" * 2000
        seen = lines(options)
    assert "not on the disk: \U00010400" in seen["daemon"].text
    assert "policy.yaml:2: \u0416" in seen["policy"].text


@pytest.mark.parametrize(
    ("name", "more", "is_named"),
    [("policy.yaml.disabled", "", True), ("other", "enabled: false\n", False)],
)
def test_status_says_what_disables_a_policy(
    options, tmp_path, name, more, is_named
):
    domains.policy(tmp_path / "policy.yaml", more)
    (tmp_path / name).touch()
    with running(options):
        line = lines(options)["policy"]
    assert (line.good, "refuses nothing: " in line.text) == (False, True)
    assert (f"{tmp_path}/{name} exists" in line.text) == is_named


def test_the_daemon_writes_what_it_counts_and_takes_its_proof_away(
    options, tmp_path, monkeypatch
):
    monkeypatch.setattr(service, "_LOOK", 0.01)
    path = tmp_path / "nova_vhard_guard.prom"
    proof = os.path.join(options.run_dir, "guard.json")
    with running(options), open(proof, "w"):
        until(path.exists)
    text = path.read_text()
    assert "nova_vhard_guard_policy_usable 1.0" in text
    assert 'nova_vhard_guard_hot_plugs_total{result="kept"} 0.0' in text
    assert os.stat(path).st_mode & 0o777 == 0o644
    assert not os.path.exists(proof)


def test_status_says_that_the_hook_has_not_learned_the_answer(
    options, tmp_path
):
    (tmp_path / "state" / "refuse-unanswered" / "below").mkdir(parents=True)
    domains.policy(tmp_path / "policy.yaml", REFUSE)
    with running(options) as guard:
        until(lambda: guard.answers.trouble)
        daemon = lines(options)["daemon"]
    assert not daemon.good
    assert "not on the disk: [Errno 21]" in daemon.text


@pytest.mark.parametrize("other", ["", "state_path", "run_dir"])
def test_a_second_daemon_takes_nothing_from_the_first(
    options, run, config, short, monkeypatch, other
):
    # Handlers of other tests have streams that are closed by now.
    monkeypatch.setattr(logging, "raiseExceptions", False)
    socket = os.path.join(os.path.realpath(options.run_dir), "guard.sock")
    read(config, *([f"{other} = {short}/other"] if other else []))
    with running(options):
        before = os.stat(socket)
        with mock.patch.object(Guard, "run"):
            code, _, err = run("run")
        assert os.path.samestat(before, os.stat(socket))
    assert (code, err.count("\n")) == (1, 1)
    name = "run_dir" if other == "state_path" else "state_path"
    assert f"[vhard_guard] {name}: " in err
    assert "another nova-vhard-guard uses it: stop that one" in err
    with running(options):
        pass


def test_one_folder_for_all_is_enough(config, short):
    one = f"{short}/one"
    with running(read(config, f"state_path = {one}", f"run_dir = {one}")):
        pass


@pytest.mark.parametrize(
    ("says", "code", "word"),
    [
        ("nova-vhard-guard answers {}", 0, "guarded"),
        ("Cannot access storage file", 1, "unguarded"),
    ],
)
def test_a_probe(run, monkeypatch, says, code, word):
    connection = FakeConnection()
    connection.says = says.format
    monkeypatch.setattr(libvirtd, "Connection", lambda uri: connection)
    result, out, err = run("probe")
    assert (result, out.count("\n"), err) == (code, 1, "")
    assert out.startswith(f"{word}: ")
    assert connection.closed


def test_a_probe_without_libvirt(run, monkeypatch):
    fail = mock.Mock(side_effect=libvirtd.LibvirtError("no\nsocket"))
    monkeypatch.setattr(libvirtd, "Connection", fail)
    assert run("probe") == (2, "", "nova-vhard-guard: unknown: no socket\n")


def test_sighup_starts_a_round(options, tmp_path):
    guard, rounds = Guard(options), []
    written = tmp_path / "nova_vhard_guard.prom"
    for before in (dict, dict, guard.again):
        before()
        written.unlink(missing_ok=True)
        guard.round()
        rounds.append(written.exists())
    guard._held.close()
    assert rounds == [True, False, True]


def test_a_crash_is_one_line(run, monkeypatch):
    monkeypatch.setitem(program._CHANGES, "install", lambda _: 1 // 0)
    code, out, err = run("install")
    assert (code, out, err.count("\n")) == (255, "", 1)
    assert "crashed" in err


@pytest.mark.parametrize(
    ("words", "line", "text"),
    [
        ("run", "libvirt_user = nobody-of-this-host", "there is no user"),
        ("run", "threads = 1", "threads"),
        ("run", "interval = x", "interval"),
        ("run", "state_path = /proc/nothing", "/proc/nothing"),
        *[
            (
                "run",
                f"{name} = {place}",
                f"nova-vhard-guard: [vhard_guard] {name}: {place}: ",
            )
            for name in ("state_path", "run_dir")
            for place in ("/dev/null", "/proc/none/such")
        ],
        # A read-only folder, and a path that is too long.
        ("run", "run_dir = /proc/self", "[vhard_guard] run_dir: /proc/self: "),
        ("run", f"run_dir = {LONG}", f"[vhard_guard] run_dir: {LONG}: "),
        ("install", "hooks_dir = /dev/null", "/dev/null"),
    ],
)
def test_what_cannot_be_is_one_line(run, config, tmp_path, words, line, text):
    with config.open("a") as file:
        file.write(f"{line.format(tmp=tmp_path)}\n")
    code, out, err = run(words)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert text.format(tmp=tmp_path) in err


# The guard's decisions on the message bus.


@pytest.mark.refused_policy
def test_each_decision_is_sent_and_can_be_counted(
    short, judge, policy, events
):
    """So is a policy that cannot be used."""
    conf = configured(
        guard_conf,
        "vhard_guard",
        notifications=True,
        policy_file=f"{short}/policy.yaml",
        run_dir=f"{short}/run",
        state_path=f"{short}/state",
    )
    oslo_messaging.get_notification_transport(conf, url="fake:")
    conf.set_override("transport_url", "fake:")
    pathlib.Path(short, "policy.yaml").write_text("mode: [")
    sender = program._sender(conf)
    judge = Judge(judge.memory, judge._proven, sender.decided)
    topic = conf.vhard_guard.notification_topic
    with test_notify.listening(conf, topic) as consumer:
        Guard(conf.vhard_guard, sender=sender)
        judge.judge(policy(domains.ENFORCE), domains.xml("sata"), START)
        publisher, kind, payload = consumer.next()
        _, second, state = consumer.next()
    assert publisher.startswith("nova-vhard-guard:")
    assert (kind, second) == (notify.DECISION, notify.POLICY)
    (event,) = events()
    assert payload == payload | event
    assert payloads.decision(payload).gate == "guard"
    assert "policy.yaml" in state["refused"]


def test_without_oslo_messaging_the_guard_does_not_start(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "oslo_messaging", None)
    # Other tests have imported what imports it.
    monkeypatch.delitem(sys.modules, "nova_vhard.policy.notify", False)
    monkeypatch.delattr("nova_vhard.policy.notify", raising=False)
    file = tmp_path / "guard.conf"
    file.write_text("[vhard_guard]\nnotifications = true\n")
    assert program.main(["--config-file", str(file), "run"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "pip install 'nova-vhard[exporter]'" in err


_START = """
import sys, threading
from oslo_config import cfg
from nova_vhard.cmd import guard as program
from nova_vhard.conf import guard as guard_conf
conf = cfg.ConfigOpts()
conf([], project="test", default_config_files=[])
guard_conf.register(conf)
print(program._sender(conf), "oslo_messaging" in sys.modules)
conf.set_override("notifications", True, "vhard_guard")
program._sender(conf)
print("oslo_messaging" in sys.modules, threading.active_count())
"""


def test_oslo_messaging_is_imported_before_there_are_threads():
    """It may import eventlet, whose modules other threads would get."""
    command = [sys.executable, "-W", "ignore", "-c", _START]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    # They are off by default.
    assert ended.stdout.splitlines() == ["None False", "True 1"]
