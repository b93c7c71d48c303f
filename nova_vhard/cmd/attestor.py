# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-attestor: pass a verifier's verdicts on to Placement."""

import argparse
import sys
import time
from collections.abc import Sequence

from oslo_config import cfg
from prettytable import PrettyTable

from nova_vhard.attestor import mapping, status, writer
from nova_vhard.attestor.mapping import MappingError
from nova_vhard.attestor.service import Attestor, Means
from nova_vhard.attestor.sources.base import SourceError
from nova_vhard.attestor.sources.loading import load
from nova_vhard.cmd import daemon
from nova_vhard.common import terminal
from nova_vhard.common.text import clean
from nova_vhard.conf import attestor as attestor_conf
from nova_vhard.daemon import interrupts
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.placement import marks
from nova_vhard.placement.connect import connect

_PROGRAM = daemon.Program(
    "nova-vhard-attestor",
    ("/etc/nova-vhard/attestor.conf",),
    attestor_conf,
    expected=(MappingError, SourceError, marks.KeyFileError),
    crashed=255,
)


def _parser() -> argparse.ArgumentParser:
    parser = _PROGRAM.parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run", help="Query the verifier and update Placement periodically."
    )
    run.add_argument(
        "--once",
        action="store_true",
        help="Run one round and exit; exit status 1 if a query or an "
        "update failed.",
    )
    commands.add_parser(
        "status",
        help="Read the mapping, the verifier and Placement, and print a "
        "row for each host, without writing anything. Exit status 0 "
        "if every host in the mapping is attested and no other host "
        "has the trait, otherwise 1.",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    interrupts.note_hangup()
    options = _parser().parse_args(argv)
    return _PROGRAM.run(_COMMANDS[options.command], options)


def _attestor(conf: cfg.ConfigOpts, runtime: Runtime) -> Attestor:
    """Return the service by the configuration as it is now."""
    attestor_conf.check(conf)
    means = Means(load(conf), lambda: connect(conf, runtime.notifier.alive))
    return Attestor(conf, means, runtime)


def _run(conf: cfg.ConfigOpts, options: argparse.Namespace) -> int:
    return _PROGRAM.serve(conf, options, _attestor, Attestor.once)


def _status(conf: cfg.ConfigOpts, _: argparse.Namespace) -> int:
    # Report configuration errors before any request is sent.
    attestor_conf.check(conf)
    options = conf.vhard_attestor
    source = load(conf)
    keys = marks.read_keys(options.key_file)
    state = writer.read(connect(conf), keys)
    hosts = mapping.load(options.mapping_file)
    agents, wrong = mapping.resolve(hosts, state.providers)
    verdicts = source.verdicts()
    rows = list(
        status.rows(state, agents, verdicts, options.max_age, time.time())
    )
    table = PrettyTable(status.HEADER, align="l")
    for row in rows:
        table.add_row([clean(cell, 200) for cell in row])
    terminal.show(table.get_string())
    for text in wrong:
        terminal.say(f"{options.mapping_file}: {text}")
    if state.void:
        terminal.say(
            f"marks without a valid code of this key: {len(state.void)}"
        )
    if state.held:
        terminal.say(
            "marks that are set on providers and do not count: "
            f"{len(state.held)}"
        )
    bad = wrong or state.void or state.held
    return 1 if bad or any(row.attested != "yes" for row in rows) else 0


_COMMANDS = {"run": _run, "status": _status}


if __name__ == "__main__":
    sys.exit(main())
