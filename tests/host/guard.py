# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-guard as a process, beside a libvirt of its own."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator

from nova_vhard.guard import wire
from nova_vhard.policy import document
from tests.host import daemon
from tests.unit.guard.domains import until as wait

PROGRAM = pathlib.Path(sys.executable).with_name("nova-vhard-guard")

_CONFIG = """\
[vhard_guard]
policy_file = {place}/policy.yaml
state_path = {place}/state
run_dir = {place}/run
hooks_dir = {host.hooks}
libvirt_uri = {host.own_uri}
libvirt_pid_files = {host.pid_file}
report_file = {place}/report.json
textfile_directory = {place}/metrics
disk_paths = {place.parent}
backing_paths = {place.parent}
firmware_paths = /usr/share,{place.parent}
interval = 5
probe_interval = 60
"""

# Seconds until something that was begun has to be over.
PATIENCE = 30


class Guard:
    """A guard with a configuration, a policy and logs of its own.

    :param place: folder for all of it
    :param host: libvirt, which calls the guard's hook
    :param mounts: path to what is there instead, for the guard alone
    """

    def __init__(
        self,
        place: pathlib.Path,
        host: daemon.Libvirt,
        mounts: dict[str, pathlib.Path] | None = None,
    ) -> None:
        self.place, self._mounts = place, mounts or {}
        self.hook = host.hooks / "qemu.d" / "nova-vhard-guard"
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("metrics", "run", "state"):
            (place / name).mkdir(parents=True, exist_ok=True)
        config = _CONFIG.format(place=place, host=host)
        for path, instead in self._mounts.items():
            config = config.replace(str(instead), path)
        (place / "guard.conf").write_text(config)

    @contextlib.contextmanager
    def installed(self, text: str) -> Iterator["Guard"]:
        """Run the guard with this policy and with its hook installed."""
        self.policy(text)
        self.start()
        try:
            assert self.command("install").returncode == 0
            yield self
        finally:
            self.kill()

    def is_asked(self) -> bool:
        """Return whether libvirt calls the guard."""
        return self.command("probe").returncode == 0

    def policy(self, text: str) -> None:
        """Put a policy in place, in one step; a daemon that runs takes it."""
        fresh = self.place / "policy.new"
        fresh.write_text(text)
        path = self.place / "policy.yaml"
        os.replace(fresh, path)
        if self._process:
            digest = document.load(str(path)).digest
            wait(lambda: digest in self.shown())

    def shown(self) -> str:
        """Return what the daemon says of itself."""
        path = str(self.place / "run" / "guard.sock")
        request = wire.Request(wire.STATUS, "", b"")
        return wire.ask(path, request, PATIENCE).text

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a subcommand."""
        return subprocess.run(
            self._words(*words),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self) -> None:
        """Start the daemon; it answers when this returns."""
        with open(self.place / "guard.log", "ab") as log:
            self._process = subprocess.Popen(
                self._words("run"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait(lambda: "daemon: answers" in self.command("status").stdout)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the daemon, if it runs."""
        if self._process:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None

    def log(self) -> str:
        """Return what the daemon has logged."""
        return (self.place / "guard.log").read_text()

    def events(self) -> list[dict]:
        """Return the decision events that it has written."""
        lines = self.log().splitlines()
        return [
            json.loads(line[line.index("{") :])
            for line in lines
            if " nova_vhard.decisions " in line
        ]

    def outcomes(self) -> list[tuple[str, str]]:
        """Return operation and outcome of each event."""
        return [(e["operation"], e["outcome"]) for e in self.events()]

    def _words(self, *words: str) -> list[str]:
        config = ("--config-file", self.place / "guard.conf")
        return daemon.within(self._mounts, PROGRAM, *config, *words)
