# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-cleaner: clean passthrough devices before the next guest."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from oslo_config import cfg

from nova_vhard.cmd import daemon
from nova_vhard.common import pci, terminal
from nova_vhard.common.text import clean
from nova_vhard.conf import cleaner as cleaner_conf
from nova_vhard.node import systemd
from nova_vhard.node.cleaner import rules_file
from nova_vhard.node.cleaner.attend import OperatorRequest
from nova_vhard.node.cleaner.enrolling import Refused
from nova_vhard.node.cleaner.journal import Record, State
from nova_vhard.node.cleaner.loop import Loop
from nova_vhard.node.cleaner.service import Cleaner, Round
from nova_vhard.placement.client import PlacementError
from nova_vhard.placement.connect import connect

_DEFAULT_FILE = "/etc/nova-vhard/cleaner.conf"


def _address(text: str) -> str:
    address = pci.address(text)
    if address is None:
        raise argparse.ArgumentTypeError(
            f"{text[:64]!r} is no address of a PCI device, such as "
            "0000:3b:00.0"
        )
    return address


def _reason(text: str) -> str:
    if not clean(text).strip():
        raise argparse.ArgumentTypeError("a reason says something")
    return clean(text, 200).strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nova-vhard-cleaner", description=__doc__
    )
    parser.add_argument(
        "--config-file",
        action="append",
        metavar="FILE",
        help=f"configuration file; default {_DEFAULT_FILE} if it is there",
    )
    parser.add_argument("--debug", action="store_true", help="log more")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="clean until SIGTERM")
    commands.add_parser(
        "once", help="look at every device once and clean what is to be"
    )
    again = commands.add_parser(
        "clean", help="clean a device now, whatever became of it before"
    )
    letting = commands.add_parser(
        "release", help="release a device that is clean, or by force"
    )
    letting.add_argument(
        "--force",
        action="store_true",
        help="release it although nothing proves that it is clean",
    )
    letting.add_argument(
        "--reason",
        type=_reason,
        help="why; must be given with --force, and is kept in its history",
    )
    vouch = commands.add_parser(
        "enroll", help="record what a device is like now as its good state"
    )
    vouch.add_argument(
        "--force",
        action="store_true",
        help="also of a device that was used and is not clean: whoever "
        "enrolls it vouches for it",
    )
    show = commands.add_parser("show", help="print a device's journal as JSON")
    for one in (again, letting, vouch, show):
        one.add_argument("address", type=_address, metavar="ADDRESS")
    check = commands.add_parser(
        "check-rules", help="check a rules file and print its entries"
    )
    check.add_argument("file", nargs="?", help="by default the configured one")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command == "release" and options.force != bool(options.reason):
        parser.error("release: --force and --reason go together")
    try:
        conf = _configure(options)
        return _COMMANDS[options.command](conf, options)
    except (
        cfg.Error,
        PlacementError,
        Refused,
        rules_file.RulesError,
        OSError,
        ValueError,
    ) as error:
        terminal.complain(f"nova-vhard-cleaner: {error}")
        return 1
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        terminal.complain(f"nova-vhard-cleaner: crashed: {text}")
        if options.debug:
            raise
        return 1


def _configure(options: argparse.Namespace) -> cfg.ConfigOpts:
    conf = daemon.configure(
        "nova-vhard-cleaner",
        _DEFAULT_FILE,
        [cleaner_conf.register],
        options.config_file,
        options.debug,
    )
    daemon.read_all(conf.vhard_cleaner, cleaner_conf.OPTS)
    return conf


def _make(conf: cfg.ConfigOpts) -> Cleaner:
    return Cleaner(conf.vhard_cleaner, connect(conf))


def _run(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    def make(alive: Callable[[], None]) -> Cleaner:
        fresh = _configure(options)
        return Cleaner(fresh.vhard_cleaner, connect(fresh), alive=alive)

    notifier = systemd.of_environment(os.environ)
    Loop(make, conf.vhard_cleaner.interval, notifier).run()
    return 0


def _once(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    return _told(_make(conf).once())


def _clean(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    done = _make(conf).once([options.address], OperatorRequest(clean=True))
    return _told(done, State.RELEASED, State.CLEAN)


def _release(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    force = f"{_who()}: {options.reason}" if options.force else ""
    wish = OperatorRequest(release=True, force=force)
    return _told(_make(conf).once([options.address], wish), State.RELEASED)


def _enroll(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    found = _make(conf).enroll(options.address, _who(), options.force)
    terminal.say(f"{found.address} is enrolled by {found.by}")
    return 0


def _show(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    # It asks nobody: what stands on the host.
    journal = Cleaner(conf.vhard_cleaner, None).journal  # type: ignore[arg-type]
    if options.address not in journal.addresses():
        raise ValueError(f"nothing is known of {options.address}")
    terminal.show_json(asdict(journal.read(options.address)))
    return 0


def _check_rules(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    rules = rules_file.load(options.file or conf.vhard_cleaner.rules_file)
    for entry in rules.entries:
        steps = ", ".join(one.step for one in entry.steps)
        terminal.say(f"{clean(entry.name)}: {steps}")
    return 0


def _told(done: Round, *wanted: State) -> int:
    """Print what became of devices; return the exit status.

    :param wanted: states that are a success; by default each is
    """
    for record in done.records.values():
        terminal.say(_line(record))
    for subject, trouble in done.troubles.items():
        terminal.complain(f"nova-vhard-cleaner: {subject}: {trouble}")
    return 1 if done.troubles or _missed(done.records.values(), wanted) else 0


def _missed(records: Iterable[Record], wanted: Sequence[State]) -> bool:
    found = [one.state for one in records]
    return bool(wanted) and (not found or not set(found) <= set(wanted))


def _line(record: Record) -> str:
    why = f": {clean(record.reason, 300)}" if record.reason else ""
    return f"{record.address} is {record.state}{why}"


def _who() -> str:
    """Return who gives the command, through sudo too."""
    return clean(os.environ.get("SUDO_USER") or getpass.getuser())


_COMMANDS = {
    "check-rules": _check_rules,
    "clean": _clean,
    "enroll": _enroll,
    "once": _once,
    "release": _release,
    "run": _run,
    "show": _show,
}


if __name__ == "__main__":
    sys.exit(main())
