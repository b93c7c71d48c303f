# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-cleaner: clean passthrough devices before the next guest."""

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from oslo_config import cfg

from nova_vhard.cleaner import lock, rules
from nova_vhard.cleaner.decide import OperatorRequest
from nova_vhard.cleaner.journal import Record, State
from nova_vhard.cleaner.service import Cleaner, Round
from nova_vhard.cmd import daemon
from nova_vhard.common import pci, terminal, trusted
from nova_vhard.common.text import clean
from nova_vhard.conf import cleaner as cleaner_conf
from nova_vhard.conf import placement as placement_conf
from nova_vhard.daemon import interrupts
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.host.root import HostRoot
from nova_vhard.placement.connect import connect

_PROGRAM = daemon.Program(
    "nova-vhard-cleaner",
    placement_conf.files("/etc/nova-vhard/cleaner.conf"),
    cleaner_conf,
    (rules.RulesError, trusted.Untrusted),
)


def _address(text: str) -> str:
    address = pci.address(text)
    if address is None:
        raise argparse.ArgumentTypeError(
            f"{text[:64]!r} is not the address of a PCI device, such as "
            "0000:3b:00.0"
        )
    return address


def _reason(text: str) -> str:
    if not clean(text).strip():
        raise argparse.ArgumentTypeError("the reason must not be empty")
    return clean(text, 200).strip()


#: Commands with what they do, in the order of the help.
_HELP = {
    "clean": "Clean a device now, regardless of the last result.",
    "release": "Release a device that is clean, or release a device by force.",
    "show": "Print a device's journal as JSON.",
    "run": "Check and clean devices periodically, until SIGTERM.",
    "once": "Check every device once and clean those that need cleaning.",
    "check-rules": "Check a rules file and print its entries.",
}


def _parser() -> argparse.ArgumentParser:
    parser = _PROGRAM.parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    added = {
        name: commands.add_parser(name, help=text)
        for name, text in _HELP.items()
    }
    for name in ("clean", "release", "show"):
        added[name].add_argument(
            "address",
            type=_address,
            metavar="ADDRESS",
            help="PCI address of the device, such as 0000:3b:00.0.",
        )
    added["release"].add_argument(
        "--force",
        action="store_true",
        help="Release the device although it is not known to be clean.",
    )
    added["release"].add_argument(
        "--reason",
        type=_reason,
        help="Reason; required with --force, and stored in the device's "
        "history.",
    )
    added["check-rules"].add_argument(
        "file", nargs="?", help="Rules file (default: the configured one)."
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    interrupts.note_hangup()
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command == "release" and options.force != bool(options.reason):
        parser.error("release: --force and --reason must be used together")
    return _PROGRAM.run(_COMMANDS[options.command], options)


def _make(conf: cfg.ConfigOpts, runtime: Runtime | None = None) -> Cleaner:
    """Return a cleaner; as a daemon, it notifies the service manager.

    :raises ValueError: if another cleaner could clean the same device at the
        same time
    """
    options = conf.vhard_cleaner
    lock.must_be_shared(HostRoot(options.root))
    runtime = runtime or Runtime()
    placement = connect(conf, runtime.notifier.alive)
    return Cleaner(options, placement, runtime=runtime)


def _clean(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    done = _make(conf).once([options.address], OperatorRequest(clean=True))
    return _print_round(done, State.RELEASED, State.CLEAN)


def _release(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    force = ""
    if options.force:
        # The user who runs the command, also through sudo.
        who = clean(os.environ.get("SUDO_USER") or getpass.getuser())
        force = f"{who}: {options.reason}"
    request = OperatorRequest(release=True, force=force)
    done = _make(conf).once([options.address], request)
    return _print_round(done, State.RELEASED)


def _show(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    # Only files on the host are read; Placement is not needed.
    journal = Cleaner(conf.vhard_cleaner, None).journal  # type: ignore[arg-type]
    record = journal.read(options.address)
    if record == Record(options.address):
        raise ValueError(f"this host has no journal of {options.address}")
    terminal.show_json(asdict(record))
    return 0


def _check_rules(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    path = options.file or trusted.check(conf.vhard_cleaner.rules_file)
    for entry in rules.load(path).entries:
        steps = ", ".join(rule.step for rule in entry.steps)
        terminal.say(f"{clean(entry.name)}: {steps}")
    return 0


def _print_round(done: Round, *wanted: State) -> int:
    """Print the results for the devices; return the exit status.

    :param wanted: states that count as success; by default all do
    """
    for record in done.records.values():
        why = f": {clean(record.reason, 300)}" if record.reason else ""
        terminal.say(f"{record.address} is {record.state}{why}")
    for subject, trouble in done.troubles.items():
        terminal.complain(f"nova-vhard-cleaner: {subject}: {trouble}")
    states = {record.state for record in done.records.values()}
    missed = bool(wanted) and not (states and states <= set(wanted))
    return 1 if done.troubles or missed else 0


_COMMANDS = {
    "check-rules": _check_rules,
    "clean": _clean,
    "once": lambda conf, options: _print_round(_make(conf).once()),
    "release": _release,
    "run": lambda conf, options: _PROGRAM.serve(conf, options, _make),
    "show": _show,
}


if __name__ == "__main__":
    sys.exit(main())
