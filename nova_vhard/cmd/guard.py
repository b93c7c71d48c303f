# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-guard: judge what libvirt is about to start on this host."""

import argparse
import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from nova_vhard.cmd import daemon
from nova_vhard.common import terminal
from nova_vhard.common.text import clean
from nova_vhard.conf import guard as guard_conf
from nova_vhard.daemon import interrupts, systemd
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.guard import install, libvirtd, probe, status
from nova_vhard.guard.service import Guard

if TYPE_CHECKING:
    from nova_vhard.policy import notify

_NOT_TOLD = 2
_PROGRAM = daemon.Program(
    "nova-vhard-guard",
    ("/etc/nova-vhard/guard.conf",),
    guard_conf,
    crashed=255,
)

_COMMANDS_HELP = {
    "install": "Install the hook and make libvirt load it.",
    "uninstall": "Remove the hook and all files of the guard.",
    "status": "Show the state of hook, socket, daemon, policy and report; "
    "exit status 1 if there is a problem.",
    "probe": "Test whether libvirt asks the guard, with a domain that can "
    "never start. Exit status: 0 if it does, 1 if it does not, 2 "
    "if libvirt does not answer.",
    "run": "Run the guard until SIGTERM.",
}


def _parser() -> argparse.ArgumentParser:
    parser = _PROGRAM.parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in _COMMANDS_HELP.items():
        commands.add_parser(name, help=text)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    interrupts.note_hangup()
    options = _parser().parse_args(argv)
    status = _NOT_TOLD if options.command == "probe" else 1
    return replace(_PROGRAM, error_status=status).run(_command, options)


def _command(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    if options.command == "run":
        return _run(conf)
    if options.command in _CHANGES:
        terminal.say(_CHANGES[options.command](conf.vhard_guard))
        return 0
    return _COMMANDS[options.command](conf.vhard_guard)


def _status(options: Any) -> int:
    lines = status.lines(options)
    for line in lines:
        terminal.say(f"{line.subject}: {line.text}")
    return 0 if all(line.good for line in lines) else 1


def _probe(options: Any) -> int:
    try:
        opened = libvirtd.Connection(options.libvirt_uri)
        with contextlib.closing(opened) as connection:
            proof = probe.prove(connection.capabilities(), connection.start)
    except libvirtd.LibvirtError as error:
        terminal.complain(f"nova-vhard-guard: unknown: {error}")
        return _NOT_TOLD
    word = "guarded" if proof.guarded else "unguarded"
    terminal.say(f"{word}: {proof.reason}")
    return 0 if proof.guarded else 1


def _run(conf: cfg.ConfigOpts) -> int:
    Guard(
        conf.vhard_guard,
        Runtime(systemd.of_environment(os.environ)),
        systemd.listeners(os.environ),
        _sender(conf),
    ).run()
    return 0


def _sender(conf: cfg.ConfigOpts) -> "notify.Sender | None":
    """Return what sends notifications; None where they are off.

    :raises ValueError: where oslo.messaging cannot be imported
    """
    options = conf.vhard_guard
    if not options.notifications:
        return None
    try:
        from nova_vhard.policy import notify
    except ImportError as error:
        raise ValueError(
            "[vhard_guard] notifications is on, and oslo.messaging cannot "
            f"be imported ({clean(error, 200)}): pip install "
            "'nova-vhard[exporter]', or disable it"
        ) from error
    return notify.sender(conf, _PROGRAM.name, options.notification_topic)


_CHANGES = {"install": install.install, "uninstall": install.uninstall}
_COMMANDS = {"probe": _probe, "status": _status}
