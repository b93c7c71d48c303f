# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-guard: judge what libvirt is about to start on this host."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from oslo_config import cfg

from nova_vhard.cmd import daemon
from nova_vhard.common import terminal
from nova_vhard.conf import guard as guard_conf
from nova_vhard.node import systemd
from nova_vhard.node.guard import install, libvirtd, probe, status
from nova_vhard.node.guard.service import Guard

_DEFAULT_FILE = "/etc/nova-vhard/guard.conf"
_CRASHED = 255
_NOT_TOLD = 2

_COMMANDS_HELP = {
    "install": "put the hook where libvirt calls it, and have libvirt look",
    "uninstall": "take away the hook and all that the guard has left",
    "status": "say what hook, socket, daemon, policy and report are like; "
    "exit status 1 if something is amiss",
    "probe": "prove whether libvirt asks the guard, with a domain that can "
    "never start; exit status 0 guarded, 1 unguarded, 2 if libvirt does not "
    "answer",
    "run": "guard until SIGTERM",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nova-vhard-guard", description=__doc__
    )
    parser.add_argument(
        "--config-file",
        action="append",
        metavar="FILE",
        help=f"configuration file; default {_DEFAULT_FILE} if it is there",
    )
    parser.add_argument("--debug", action="store_true", help="log more")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in _COMMANDS_HELP.items():
        commands.add_parser(name, help=text)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    options = _parser().parse_args(argv)
    try:
        conf = _configure(options)
        return _COMMANDS[options.command](conf.vhard_guard)
    except (cfg.Error, OSError, ValueError) as error:
        terminal.complain(f"nova-vhard-guard: {error}")
        return _NOT_TOLD if options.command == "probe" else 1
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        terminal.complain(f"nova-vhard-guard: crashed: {text}")
        if options.debug:
            raise
        return _CRASHED


def _configure(options: argparse.Namespace) -> cfg.ConfigOpts:
    conf = daemon.configure(
        "nova-vhard-guard",
        _DEFAULT_FILE,
        [guard_conf.register],
        options.config_file,
        options.debug,
    )
    daemon.read_all(conf.vhard_guard, guard_conf.OPTS)
    return conf


def _install(options: Any) -> int:
    terminal.say(install.install(options))
    return 0


def _uninstall(options: Any) -> int:
    terminal.say(install.uninstall(options))
    return 0


def _status(options: Any) -> int:
    lines = status.lines(options)
    for line in lines:
        terminal.say(f"{line.subject}: {line.text}")
    return 0 if all(line.good for line in lines) else 1


def _probe(options: Any) -> int:
    try:
        connection = libvirtd.Connection(options.libvirt_uri)
        try:
            proof = probe.prove(connection.capabilities(), connection.start)
        finally:
            connection.close()
    except libvirtd.LibvirtError as error:
        terminal.complain(f"nova-vhard-guard: not known: {error}")
        return _NOT_TOLD
    word = "guarded" if proof.guarded else "unguarded"
    terminal.say(f"{word}: {proof.reason}")
    return 0 if proof.guarded else 1


def _run(options: Any) -> int:
    notifier = systemd.of_environment(os.environ)
    Guard(options, notifier, systemd.listeners(os.environ)).run()
    return 0


_COMMANDS: dict[str, Callable[[Any], int]] = {
    "install": _install,
    "probe": _probe,
    "run": _run,
    "status": _status,
    "uninstall": _uninstall,
}


if __name__ == "__main__":
    sys.exit(main())
