# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-reporter: check this host, publish the results to Placement."""

import argparse
import dataclasses
import datetime
import os
from collections.abc import Sequence

from oslo_config import cfg

from nova_vhard.cmd import daemon
from nova_vhard.common import terminal
from nova_vhard.common.problems import PolicyError
from nova_vhard.conf import placement as placement_conf
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.daemon import identity, interrupts
from nova_vhard.host import report, report_formats
from nova_vhard.host.processes.check_process import Isolation
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.placement import upkeep
from nova_vhard.placement.connect import connect
from nova_vhard.policy import document
from nova_vhard.reporter import (
    facts,
    hosts,
    nova_conf,
)
from nova_vhard.reporter.publishing import publishers
from nova_vhard.reporter.service import Reporter

_CRASHED = 255
# The same as for any UNKNOWN, because no check could run.
_UNKNOWN = 2
_PROGRAM = daemon.Program(
    "nova-vhard-reporter",
    placement_conf.files("/etc/nova-vhard/reporter.conf"),
    reporter_conf,
    crashed=_CRASHED,
)


def _parser() -> argparse.ArgumentParser:
    parser = _PROGRAM.parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser(
        "check",
        help="Run every check and print the results. Exit status: 0 if all "
        "checks pass or do not apply, 1 for any FAIL, 2 for any "
        "UNKNOWN, wrong arguments or an invalid --root, 255 for a "
        "crash.",
    )
    check.add_argument(
        "--root",
        metavar="DIR",
        help="Folder that holds the host's / (default: [vhard_reporter] "
        "root); exit status 2 if it is not a folder.",
    )
    check.add_argument(
        "--policy",
        metavar="FILE",
        help="Policy to compare the host with: a file, or "
        f"{' or '.join(document.SHIPPED)}, which ship with the package "
        "(default: [vhard_reporter] policy_file). If it has errors, the exit "
        "status is 255.",
    )
    check.add_argument(
        "-f",
        "--format",
        choices=tuple(report_formats.FORMATS),
        default="table",
        help="Output format (default: table, which lists the worst results "
        "first). long is the table with the evidence.",
    )
    check.add_argument(
        "--long",
        action="store_const",
        const="long",
        dest="format",
        help="Same as --format long.",
    )
    check.add_argument(
        "-c",
        "--column",
        action="append",
        choices=tuple(report_formats.COLUMNS),
        default=[],
        dest="columns",
        help="Column to print (repeat for several); junit has no columns.",
    )
    leave = commands.add_parser(
        "facts",
        help="As root: store the few keys of nova.conf and qemu.conf that "
        "the checks need in the run directory. Exit status 1 if some "
        "cannot be read; earlier facts are then discarded.",
    )
    # One list, in the order given: a later one wins, as in nova-compute.
    for name, what in (("file", "FILE"), ("dir", "DIR")):
        leave.add_argument(
            f"--nova-config-{name}",
            action="append",
            default=[],
            dest="nova_arguments",
            type=f"--config-{name}={{}}".format,
            metavar=what,
            help=f"The --config-{name} of nova-compute (default: as "
            "nova-compute finds it in /etc/nova and /etc). If it "
            "cannot be read, an error names it and there are no facts "
            "of Nova.",
        )
    run = commands.add_parser("run", help="Report periodically.")
    run.add_argument(
        "--once", action="store_true", help="Report once and exit."
    )
    sweep = commands.add_parser(
        "sweep",
        help="Remove our traits from hosts that stopped reporting, and create "
        "the trait names that reports need in the next two weeks. Without "
        "regular sweeps, hosts that may not create names cannot report after "
        "that time.",
    )
    sweep.add_argument(
        "--max-report-age",
        type=int,
        choices=range(2, 25),
        default=2,
        metavar="HOURS",
        help="Hours after which a report is stale, 2 to 24 (default: "
        "%(default)s); at least hosts.max_report_age of the policy.",
    )
    withdraw = commands.add_parser(
        "withdraw", help="Remove nova-vhard's traits from one host."
    )
    withdraw.add_argument(
        "host",
        nargs="?",
        help="Name of its resource provider (default: this host's).",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    interrupts.note_hangup()
    options = _parser().parse_args(argv)
    return _PROGRAM.run(_COMMANDS[options.command], options)


def _check(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    now = datetime.datetime.now(datetime.UTC)
    root = options.root or conf.vhard_reporter.root
    if not os.path.isdir(root):
        terminal.complain(
            f"nova-vhard-reporter: {root}: is not a folder, or cannot be "
            "accessed; specify the folder that holds the host's / with --root "
            "or [vhard_reporter] root"
        )
        return _UNKNOWN
    try:
        policy = (
            document.load(document.resolve(options.policy))
            if options.policy is not None
            else None
        )
        host = hosts.of_conf(conf, root, policy)
    except PolicyError as error:
        terminal.complain(f"nova-vhard-reporter: --policy: {error}")
        return _CRASHED
    except Unreadable as error:
        terminal.complain(f"nova-vhard-reporter: {root}: {error}")
        return _UNKNOWN
    if not os.path.isdir(conf.vhard_reporter.state_path):
        # Not installed yet: no later round needs stored state.
        host = dataclasses.replace(host, state_dir=None)
    isolation = Isolation(conf.vhard_reporter.check_timeout)
    current = report.inspect(host, now, report.load(), isolation.run)
    text = report_formats.FORMATS[options.format](current, options.columns)
    people = options.format in ("table", "long")
    (terminal.show if people else terminal.show_data)(text)
    return current.exit_status


def _facts(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    root, run_dir = conf.vhard_reporter.root, conf.vhard_reporter.run_dir
    now = datetime.datetime.now(datetime.UTC)
    target = os.path.join(root, run_dir.lstrip("/"))
    sources = nova_conf.Sources(
        options.nova_arguments, root, conf.vhard_reporter.compute_id_file
    )
    facts.leave(sources, HostRoot(root), target, now)
    return 0


def _run(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    return _PROGRAM.serve(
        conf,
        options,
        lambda conf, runtime: Reporter(
            conf, publishers(conf), runtime=runtime
        ),
        Reporter.once,
    )


def _sweep(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    now = datetime.datetime.now(datetime.UTC)
    done = upkeep.sweep(connect(conf), now, options.max_report_age)
    terminal.say(
        f"hosts whose traits were removed: {', '.join(done.silent) or 'none'}"
    )
    terminal.say(f"freshness names deleted: {len(done.deleted)}")
    terminal.say(f"names created: {len(done.made)}")
    if done.unmarked:
        terminal.say(f"no longer attested: {', '.join(done.unmarked)}")
    if done.failed:
        terminal.say(
            "failed, will be retried at the next sweep: "
            f"{', '.join(done.failed)}"
        )
    return 1 if done.failed else 0


def _withdraw(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    placement = connect(conf)
    host = (
        placement.provider(name=options.host)
        if options.host
        else identity.find(placement, conf.vhard_reporter)
    )
    lost = upkeep.withdraw(placement, host.uuid)
    terminal.say(f"{host.name} lost {', '.join(sorted(lost)) or 'nothing'}")
    return 0


_COMMANDS = {
    "check": _check,
    "facts": _facts,
    "run": _run,
    "sweep": _sweep,
    "withdraw": _withdraw,
}
