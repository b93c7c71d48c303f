# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-reporter: prove a host, and say so in Placement."""

import argparse
import datetime
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from oslo_config import cfg
from oslo_log import log as logging

from nova_vhard.conf import placement as placement_conf
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.host import report
from nova_vhard.host.root import HostRoot
from nova_vhard.placement import Placement, PlacementError
from nova_vhard.reporter import fleet, identity
from nova_vhard.reporter.connect import connect
from nova_vhard.reporter.service import Reporter, publishers

LOG = logging.getLogger(__name__)

_CRASHED = 255
_DEFAULT_FILE = "/etc/nova-vhard/reporter.conf"


class _Parser(argparse.ArgumentParser):
    """A wrong argument is no result of a check: it ends with 255."""

    def error(self, message: str) -> NoReturn:
        self.exit(_CRASHED, f"{self.format_usage()}{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="nova-vhard-reporter", description=__doc__)
    parser.add_argument(
        "--config-file",
        action="append",
        metavar="FILE",
        help=f"configuration file; default {_DEFAULT_FILE} if it is there",
    )
    parser.add_argument("--debug", action="store_true", help="log more")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser(
        "check",
        help="run every check and print what it found; exit status 0 if "
        "nothing is amiss, 1 for any FAIL, 2 for any UNKNOWN",
    )
    check.add_argument(
        "--root", default="/", metavar="DIR", help="where the host's / is"
    )
    check.add_argument("--format", choices=("table", "json"), default="table")
    run = commands.add_parser("run", help="report again and again")
    run.add_argument("--once", action="store_true", help="report once, end")
    sweep = commands.add_parser(
        "sweep", help="take our traits from hosts that have fallen silent"
    )
    sweep.add_argument(
        "--max-report-age",
        type=int,
        choices=range(2, 25),
        default=2,
        metavar="HOURS",
        help="2 to 24; not smaller than max_report_age of the policy",
    )
    withdraw = commands.add_parser(
        "withdraw", help="take our traits from one host"
    )
    withdraw.add_argument(
        "host", nargs="?", help="name of its provider; default this host"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    options = _parser().parse_args(argv)
    try:
        if options.command == "check":
            return _check(options)
        return _COMMANDS[options.command](_configure(options), options)
    except (cfg.Error, PlacementError, ValueError) as error:
        print(f"nova-vhard-reporter: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        print(f"nova-vhard-reporter: crashed: {text}", file=sys.stderr)
        if options.debug:
            raise
        return _CRASHED


def _configure(options: argparse.Namespace) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    logging.register_options(conf)
    reporter_conf.register(conf)
    placement_conf.register(conf)
    files = options.config_file
    default = [_DEFAULT_FILE] if HostRoot().exists(_DEFAULT_FILE) else []
    conf(
        ["--debug"] if options.debug else [],
        project="nova-vhard-reporter",
        default_config_files=files or default,
    )
    logging.setup(conf, "nova-vhard-reporter")
    for option in reporter_conf.OPTS:
        # oslo.config checks a value when it is read: do so at the start.
        getattr(conf.vhard_reporter, option.dest)
    return conf


def _check(options: argparse.Namespace) -> int:
    now = datetime.datetime.now(datetime.UTC)
    found = report.inspect(HostRoot(options.root), now, report.load())
    as_json = options.format == "json"
    print(found.as_json() if as_json else found.as_table())
    return found.exit_status


def _run(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    reporter = Reporter(conf, publishers(conf))
    if options.once:
        return 0 if reporter.once() else 1

    def stop(signum: int, frame: Any) -> None:
        reporter.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    reporter.run()
    return 0


def _sweep(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    now = datetime.datetime.now(datetime.UTC)
    done = fleet.sweep(connect(conf), now, options.max_report_age)
    print(f"hosts that lost our traits: {', '.join(done.silent) or 'none'}")
    print(f"freshness names deleted: {len(done.deleted)}")
    if done.failed:
        print(f"not done, next time: {', '.join(done.failed)}")
    return 1 if done.failed else 0


def _withdraw(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    placement: Placement = connect(conf)
    host = (
        placement.provider(name=options.host)
        if options.host
        else identity.provider(placement, conf)
    )
    lost = fleet.withdraw(placement, host.uuid)
    print(f"{host.name} lost {', '.join(sorted(lost)) or 'nothing'}")
    return 0


_COMMANDS = {"run": _run, "sweep": _sweep, "withdraw": _withdraw}


if __name__ == "__main__":
    sys.exit(main())
