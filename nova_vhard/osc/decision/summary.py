# SPDX-License-Identifier: Apache-2.0
"""openstack vhard decision summary: what enforcing would refuse."""

import argparse
import pathlib

from osc_lib import exceptions

from nova_vhard.common.text import clean
from nova_vhard.osc import output
from nova_vhard.osc.decision import counts, log
from nova_vhard.osc.decision.counts import BY, Summary
from nova_vhard.osc.decision.log import STDIN
from nova_vhard.osc.policy.case_file import OUTCOMES
from nova_vhard.policy.model import Mode

_USUAL = "rule,project,image"


class SummarizeDecisions(output.OfflineLister):
    """Count the requests that a policy refuses, and would refuse if enforced.

    Reads decision events (records of logger nova_vhard.decisions) from log
    files, plain or gzip. "Would Be Refused" counts requests that passed in
    mode warn or audit. "Passed" counts those that mode enforce would not
    refuse either: requests that services send for users, and moves of
    servers, which the policy restricts with a separate key. Exit status 1 if
    a file is damaged and was read only in part. Needs no cloud.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the files, and what is counted."""
        parser.add_argument(
            "files",
            metavar="<file>",
            nargs="+",
            help='Log file, plain or gzip; "-" is standard input.',
        )
        parser.add_argument(
            "--by",
            metavar="<name>[,<name>...]",
            type=_names,
            default=_USUAL,
            help=f"Names to group by, any of {', '.join(BY)} (default: "
            "%(default)s).",
        )
        parser.add_argument(
            "--mode",
            action="append",
            choices=[str(mode) for mode in Mode],
            help="Count violations in this mode only (repeat for several).",
        )
        parser.add_argument(
            "--outcome",
            action="append",
            choices=list(OUTCOMES),
            help="Count requests with this outcome only (repeat for several).",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> output.Rows:
        """Return one row a group."""
        summary = Summary(
            parsed_args.by,
            frozenset(parsed_args.mode or ()),
            frozenset(parsed_args.outcome or ()),
        )
        result = log.Read()
        try:
            # Before the long reading. A pipe, such as <(zcat ...), can be
            # read only once.
            for path in parsed_args.files:
                if path != STDIN and not pathlib.Path(path).is_fifo():
                    open(path, "rb").close()
            for path in parsed_args.files:
                for event in log.events(path, result):
                    summary.add(event)
        except OSError as error:
            raise exceptions.CommandError(
                f"{output.unreadable(error.filename or path, error)}; {_NAME}"
            ) from None
        rows = summary.ordered()
        self.say(
            f"{output.counted(result.events, 'event')}, "
            f"{output.counted(result.unreadable, 'line')} that cannot be "
            f"read, {output.counted(result.other, 'line')} about something "
            "else"
        )
        if not (result.events or result.unreadable):
            self.say(f"No event was found: {_NAME}")
        for text in result.damaged:
            self.say(f"damaged, read only up to the damage: {text}")
            self.status = 1
        if len(rows) > counts.GROUPS:
            self.say(
                f"more than {counts.GROUPS} groups; the rest is counted as "
                f"{counts.OTHERS}; choose fewer names for --by"
            )
        columns = (*(name.title() for name in parsed_args.by), *_COLUMNS)
        return columns, [
            (
                *(output.Cell(name) for name in key),
                group.requests,
                group.refused,
                group.would,
                group.requests - group.refused - group.would,
                output.Cell(group.first),
                output.Cell(group.last),
            )
            for key, group in rows
        ]


_NAME = (
    "name the log files of nova-api, nova-scheduler and glance-api, with "
    "lines of logger nova_vhard.decisions"
)
_COLUMNS = (
    "Requests",
    "Refused",
    "Would Be Refused",
    "Passed",
    "First",
    "Last",
)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in BY:
            raise argparse.ArgumentTypeError(
                f"{clean(name)!r} is not one of {', '.join(BY)}"
            )
    return names
